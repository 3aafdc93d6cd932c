"""Reads tar archives, plain or gzipped, member by member; `tarfile` parses, what it says is taken for a claim."""

from __future__ import annotations

import grp
import gzip
import io
import os
import pwd
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from adapters.host.growing import CHUNK, GrowingTree, Stamp, refused
from domain.bundles import BundleType
from domain.errors import BundleError

_HEADERS_AT_MOST = 64 * 1024
"""Bytes of headers one member may have, long names and attributes included; they are held in memory."""
_AFTER_END_AT_MOST = 16 * 1024 * 1024
"""Bytes after the end mark that are read for the sake of gzip's checksum."""
_END_MARK = bytes(tarfile.BLOCKSIZE)
_GZIP = b"\x1f\x8b"
_DAMAGED = (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, ValueError, ArithmeticError, RecursionError)
"""What the parsers raise for bytes that are no archive."""
_NOBODY = 2**32 - 1
"""The id that means "leave it" to the kernel; ids are below."""
_TYPES = {
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a pipe",
}


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def untar(bundle: Path, kind: BundleType, tree: GrowingTree) -> None:
    """Put every member of an archive into the tree; raises BundleError. A gzipped `tar` is taken as well, as by tar."""
    owner_of = _owners()
    with _opened(bundle, kind) as raw, _complaining(bundle):
        source: Any = _Forward(raw)
        with tarfile.TarFile(fileobj=source, mode="r", encoding="utf-8", errors="surrogateescape") as archive:
            for member in _members(archive, source):
                _add(tree, member, source, Stamp(member.mode, member.mtime, owner_of(member)))
        source.drain()


@contextmanager
def _opened(bundle: Path, kind: BundleType) -> Iterator[_Readable]:
    with io.BufferedReader(io.FileIO(bundle), CHUNK) as raw:
        zipped = raw.peek(2)[:2] == _GZIP
        if kind is BundleType.TGZ and not zipped:
            raise BundleError(f"the bundle {bundle} is not gzipped: is its type tar or zip rather than tgz?")
        if zipped:
            with gzip.GzipFile(fileobj=raw, mode="rb") as plain:
                yield plain
        else:
            yield raw


@contextmanager
def _complaining(bundle: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise BundleError(f"the bundle {bundle} is no tar archive, or cut off or damaged: {error}") from error


class _Forward:
    """What `tarfile` reads from: it only goes forward, so nothing can be read twice, and headers have an allowance."""

    def __init__(self, raw: _Readable) -> None:
        self._raw = raw
        self._at = 0
        self.allowance = _HEADERS_AT_MOST
        self.last = b""
        """What was read last."""

    def read(self, size: int) -> bytes:
        """Bytes of a header."""
        if not 0 <= size <= self.allowance:
            raise BundleError(
                f"the bundle is refused: a header at byte {self._at} is longer than {_HEADERS_AT_MOST} bytes"
            )
        self.allowance -= size
        self.last = self.read_data(size)
        return self.last

    def read_data(self, size: int) -> bytes:
        """Bytes of a file."""
        data = self._raw.read(size)
        self._at += len(data)
        return data

    def tell(self) -> int:
        return self._at

    def seek(self, position: int) -> None:
        # Nothing but the padding of a member may lie between what was read of it and the next header.
        if not 0 <= position - self._at <= _HEADERS_AT_MOST:
            raise BundleError(
                f"the bundle is refused: a header before byte {self._at} says the next one is at {position}"
            )
        while self._at < position and self.read_data(min(position - self._at, CHUNK)):
            pass

    def drain(self) -> None:
        """Read on to the end, where gzip's checksum is."""
        end = self._at + _AFTER_END_AT_MOST
        while self._at < end and self.read_data(CHUNK):
            pass


def _members(archive: tarfile.TarFile, source: _Forward) -> Iterator[tarfile.TarInfo]:
    while (member := archive.next()) is not None:
        yield member
        archive.members = []  # type: ignore[attr-defined]  # It would keep every header until the end.
        source.allowance = _HEADERS_AT_MOST
    # `tarfile` takes whatever is no header for the end.
    if source.last != _END_MARK:
        raise BundleError(
            "the bundle is refused: it stops without a tar archive's end mark, so it is cut off or damaged"
        )


def _add(tree: GrowingTree, member: tarfile.TarInfo, source: _Forward, stamp: Stamp) -> None:
    if member.isreg():
        pieces: Any = member.sparse
        tree.add_file(member.name, stamp, member.size, source.read_data, pieces=pieces)
        if pieces is None:
            source.read_data(-member.size % tarfile.BLOCKSIZE)
    elif member.isdir():
        tree.add_directory(member.name, stamp)
    elif member.issym():
        tree.add_link(member.name, member.linkname, stamp)
    elif member.islnk():
        tree.add_hard_link(member.name, member.linkname)
    else:
        what = _TYPES.get(member.type, f"of the unknown type {member.type!r}")
        raise refused(member.name, f"is {what}: only files, directories and links can be in a bundle")


def _owners() -> Callable[[tarfile.TarInfo], tuple[int, int] | None]:
    """Root keeps owners, by name if there is one here, as tar does; others cannot."""
    if os.geteuid() != 0:
        return lambda _member: None
    # Looked up anew for each bundle: users come and go while an agent lives.
    uid_of = lru_cache(256)(lambda name: pwd.getpwnam(name).pw_uid)
    gid_of = lru_cache(256)(lambda name: grp.getgrnam(name).gr_gid)

    def owner_of(member: tarfile.TarInfo) -> tuple[int, int]:
        uid, gid = _number(uid_of, member.uname, member.uid), _number(gid_of, member.gname, member.gid)
        if not (0 <= uid < _NOBODY and 0 <= gid < _NOBODY):
            raise refused(member.name, f"has an impossible owner ({uid}:{gid})")
        return uid, gid

    return owner_of


def _number(look_up: Callable[[str], int], name: str, number: int) -> int:
    try:
        return look_up(name) if name else number
    except (KeyError, ValueError):
        return number
