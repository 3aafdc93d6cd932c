"""Reads zip archives member by member; `zipfile` parses, what it says is taken for a claim."""

from __future__ import annotations

import io
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from adapters.host.growing import GrowingTree, Stamp, refused
from domain.errors import BundleError

_DIRECTORY_BYTES_PER_FILE = 256
"""What one entry may take in the archive's directory, on average: all of it is held in memory."""
_LINK_AT_MOST = 4095
_HEADER_BYTES = 30
_UNIX = frozenset({3, 19})
"""The systems (Unix, macOS) whose archivers keep modes in the upper half of the external attributes."""
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Others have no bound on what one read can unpack to."""
_ENCRYPTED = 0x1 | 0x40
_EXTENDED_TIME = 0x5455
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    ArithmeticError,
    LookupError,
    NotImplementedError,
)
"""What the parser raises for bytes that are no archive."""


def unzip(bundle: Path, tree: GrowingTree, *, max_files: int) -> None:
    """Put every member of an archive into the tree; raises BundleError."""
    with bundle.open("rb", buffering=0) as raw, _complaining(bundle):
        source = _Bounded(raw, max_files * _DIRECTORY_BYTES_PER_FILE)
        with source, zipfile.ZipFile(source) as archive:
            members = archive.infolist()
            tree.expect(len(members), sum(member.file_size for member in members))
            _refuse_overlap(members)
            for member in members:
                _add(tree, archive, member)


@contextmanager
def _complaining(bundle: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise BundleError(f"the bundle {bundle} is no zip archive, or cut off or damaged: {error}") from error


class _Bounded(io.BufferedReader):
    """What `zipfile` reads from: no single read, as that of the archive's directory, may take much memory."""

    def __init__(self, raw: io.FileIO, most: int) -> None:
        super().__init__(raw, 128 * 1024)
        self._most = max(most, 1024 * 1024)
        self._size = raw.seek(0, io.SEEK_END)

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._size - self.tell()
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > self._most:
            raise BundleError(f"the bundle is refused: its directory takes {wanted} bytes, more than max_files allows")
        return super().read(max(wanted, 0))


def _refuse_overlap(members: Sequence[zipfile.ZipInfo]) -> None:
    """Members that share bytes are the trick of zip bombs."""
    for one, other in pairwise(sorted(members, key=lambda member: member.header_offset)):
        if one.header_offset + _HEADER_BYTES + one.compress_size > other.header_offset:
            raise refused(other.filename, f"shares its bytes with {one.filename!r}")


def _add(tree: GrowingTree, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    name = _name_of(member)
    mode = member.external_attr >> 16 if member.create_system in _UNIX else 0
    kind = stat.S_IFMT(mode)
    if member.flag_bits & _ENCRYPTED:
        raise refused(name, "is encrypted: pack the revision without a password")
    if member.compress_type not in _METHODS:
        raise refused(name, f"is compressed by method {member.compress_type}: only store and deflate are known here")
    # Set-id bits are dropped: a zip does not say whose they would be.
    bits, time_of = mode & 0o777, _time_of(member)
    if name.endswith("/") and kind in {0, stat.S_IFDIR}:
        tree.add_directory(name, Stamp(bits or 0o755, time_of))
    elif kind == stat.S_IFLNK:
        tree.add_link(name, _link_text(archive, member), Stamp(bits))
    elif kind in {0, stat.S_IFREG} and not name.endswith("/"):
        with archive.open(member) as content:
            tree.add_file(name, Stamp(bits or 0o644, time_of), member.file_size, content.read)
            # There is no more than was claimed, but the checksum of an empty file is only looked at now.
            content.read(1)
    else:
        raise refused(name, f"has the mode {mode:o}: only files, directories and links can be in a bundle")


def _name_of(member: zipfile.ZipInfo) -> str:
    """The name with slashes; archivers on Windows may write backslashes. `zipfile` itself would cut a name at a NUL."""
    name = member.orig_filename
    return name if member.create_system in _UNIX else name.replace("\\", "/")


def _link_text(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str:
    if member.file_size > _LINK_AT_MOST:
        raise refused(member.filename, f"is a link of {member.file_size} bytes")
    return archive.read(member).decode("utf-8", "surrogateescape")


def _time_of(member: zipfile.ZipInfo) -> float | None:
    """When the file was changed: exact where Info-ZIP's extra field says so, else the local time to two seconds."""
    exact = _extended_time(member.extra)
    if exact is not None:
        return float(exact)
    try:
        return time.mktime((*member.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return None


def _extended_time(extra: bytes) -> int | None:
    at = 0
    while at + 4 <= len(extra):
        tag, size = struct.unpack_from("<HH", extra, at)
        if tag == _EXTENDED_TIME and size >= 5 and at + 9 <= len(extra) and extra[at + 4] & 1:
            return int(struct.unpack_from("<i", extra, at + 5)[0])
        at += 4 + size
    return None
