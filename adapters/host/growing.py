"""A tree that grows out of a bundle nobody vouches for. Every entry is checked before it touches the disk.

No link is ever written through: an entry may only lie in directories that the tree itself made, so what a name means is
known from what came before it, without asking the disk. Nobody else may write to the root meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

from adapters.host.links import first_way_out
from domain.bundles import BundleLimits, UnpackSummary
from domain.errors import BundleError
from domain.install import Kind

CHUNK = 256 * 1024
"""Bytes read at once."""
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LATEST = 2**33
"""Times beyond it, in seconds, are nonsense that filesystems refuse."""

Read = Callable[[int], bytes]
"""Reads at most so many bytes; none at the end."""
Pieces = Iterable[tuple[int, int]] | None


class Stamp(NamedTuple):
    """What an entry says of itself: permission bits, seconds since the epoch, and the owner to be kept."""

    mode: int
    time: float | None = None
    owner: tuple[int, int] | None = None


def refused(name: str, reason: str) -> BundleError:
    """The error for a member that is not let in."""
    return BundleError(f"the bundle is refused: its member {name!r} {reason}")


class GrowingTree:
    """The root is an empty directory; names are those of the bundle, as they stand there."""

    def __init__(self, root: str, limits: BundleLimits, *, bundle_bytes: int) -> None:
        self._root = root
        self._limits = limits
        self._most = self._most_bytes(bundle_bytes)
        self._made: dict[str, Kind] = {"": Kind.DIRECTORY}
        self._links: dict[str, str] = {}
        self._stamps: dict[str, Stamp] = {}
        self._bytes = 0

    def _most_bytes(self, bundle_bytes: int) -> int:
        by_ratio = max(self._limits.ratio_from_bytes, int(self._limits.max_ratio * bundle_bytes))
        return min(by_ratio, self._limits.max_unpacked_bytes)

    def expect(self, entries: int, unpacked: int) -> None:
        """Refuse a bundle that says beforehand that it is too much."""
        if entries > self._limits.max_files:
            raise BundleError(f"the bundle is refused: it has {entries} members, more than {self._files_allowed()}")
        if unpacked > self._most:
            raise BundleError(
                f"the bundle is refused: it unpacks to {unpacked} bytes, more than {self._bytes_allowed()}"
            )

    def add_directory(self, name: str, stamp: Stamp) -> None:
        """Make a directory, or stamp one that is there."""
        path = self._path_of(name)
        known = self._made.get(path)
        if known is None:
            self._enter(name, path)
            self._make_directory(name, path)
        elif known is not Kind.DIRECTORY:
            raise refused(name, f"comes twice, first as a {known}, then as a directory")
        self._stamps[path] = stamp

    def add_file(self, name: str, stamp: Stamp, size: int, read: Read, *, pieces: Pieces = None) -> None:
        """Write a file of exactly `size` bytes; one that is there already is replaced, as by tar.

        `pieces` are offset and length of each part there is to read, for a file with holes.
        """
        path = self._path_of(name)
        self._bytes += size
        if self._bytes > self._most:
            raise refused(name, f"brings the bundle to {self._bytes} bytes unpacked, more than {self._bytes_allowed()}")
        place = self._place(path)
        if self._made.get(path) is Kind.FILE:
            os.unlink(place)
        else:
            self._add_new(name, path, Kind.FILE)
        file = os.open(place, _NEW_FILE, 0o600)
        try:
            if pieces is None:
                _copy(name, file, size, read)
            else:
                _copy_pieces(name, file, size, read, pieces)
            put_stamp(file, stamp)
        finally:
            os.close(file)

    def add_link(self, name: str, text: str, stamp: Stamp) -> None:
        """Make a symbolic link. Where it leads is judged by `finish`, when all links are known."""
        if not text or "\0" in text:
            raise refused(name, f"is a link to no possible place ({text!r})")
        if text.startswith("/"):
            raise refused(name, f"is a link to an absolute path ({text!r}): use a relative one inside the bundle")
        path = self._path_of(name)
        self._add_new(name, path, Kind.LINK)
        place = self._place(path)
        os.symlink(text, place)
        self._links[path] = text
        if stamp.owner is not None:
            os.lchown(place, *stamp.owner)

    def add_hard_link(self, name: str, to: str) -> None:
        """Give a file that came before another name."""
        path, earlier = self._path_of(name), self._path_of(to)
        kind = self._made.get(earlier)
        if kind is not Kind.FILE and kind is not Kind.LINK:
            raise refused(name, f"is a hard link to {to!r}, which is no file that came before it")
        self._add_new(name, path, kind)
        os.link(self._place(earlier), self._place(path), follow_symlinks=False)
        if kind is Kind.LINK:
            self._links[path] = self._links[earlier]

    def finish(self, subfolder: str | None = None) -> tuple[str, UnpackSummary, Stamp]:
        """Judge links, stamp directories; where the bundle's root is, what it holds, and the stamp left for the root.

        The root is stamped by the caller once it is in place: a directory without write permission cannot be moved.
        """
        top = self._leading_directory() if subfolder is None else self._subfolder(subfolder)
        inside = {path[len(top) :]: text for path, text in self._links.items() if path.startswith(top)}
        way_out = first_way_out(inside)
        if way_out is not None:
            raise refused(top + way_out, f"is a link that leads out of the bundle or in circles ({inside[way_out]!r})")
        own = self._stamps.pop(top.rstrip("/"), Stamp(0o755))
        for path, stamp in sorted(self._stamps.items(), reverse=True):
            put_stamp(self._place(path), stamp)
        files = sum(kind is not Kind.DIRECTORY for path, kind in self._made.items() if path.startswith(top))
        return self._place(top.rstrip("/")), UnpackSummary(files=files, bytes=self._bytes), own

    def _leading_directory(self) -> str:
        """`name/` of the only entry of the root if that is a directory with something like an AppSpec; else empty."""
        tops = {path.partition("/")[0] for path in self._made} - {""}
        if len(tops) != 1:
            return ""
        top = tops.pop() + "/"
        if self._made.get(top[:-1]) is not Kind.DIRECTORY:
            return ""
        names = (path[len(top) :] for path in self._made if path.startswith(top))
        return top if any("/" not in name and "appspec" in name.lower() for name in names) else ""

    def _subfolder(self, wanted: str) -> str:
        """The wanted folder with a slash, at the root or below the root's only directory; raises BundleError."""
        path = self._path_of(wanted)
        tops = {each.partition("/")[0] for each in self._made} - {""}
        below = [f"{top}/{path}" for top in tops] if len(tops) == 1 else []
        for place in (path, *below):
            if path and self._made.get(place) is Kind.DIRECTORY:
                return f"{place}/"
        raise BundleError(
            f"the bundle has no folder {wanted!r}: name one of the archive, below its root or its only directory"
        )

    def _path_of(self, name: str) -> str:
        """A member's name as a path below the root, without `.`; empty for the root itself."""
        if "\0" in name:
            raise refused(name, "has a NUL in its name")
        if name.startswith("/"):
            raise refused(name, "has an absolute path: pack the revision with paths relative to its root")
        parts = [part for part in name.split("/") if part and part != "."]
        if ".." in parts:
            raise refused(name, "has '..' in its path: pack the revision with paths below its root")
        if len(parts) > self._limits.max_depth:
            raise refused(name, f"lies {len(parts)} levels deep; the limit max_depth is {self._limits.max_depth}")
        return "/".join(parts)

    def _place(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _enter(self, name: str, path: str) -> None:
        """See to it that an entry's directory is there and is one of our own."""
        above = path.rpartition("/")[0]
        if self._made.get(above) is Kind.DIRECTORY:
            return
        here = ""
        for part in above.split("/"):
            here = f"{here}/{part}" if here else part
            kind = self._made.get(here)
            if kind is None:
                self._make_directory(name, here)
                self._stamps[here] = Stamp(0o755)
            elif kind is not Kind.DIRECTORY:
                raise refused(name, f"lies below {here!r}, which is a {kind} in the bundle")

    def _make_directory(self, name: str, path: str) -> None:
        self._count(name, path, Kind.DIRECTORY)
        os.mkdir(self._place(path), 0o700)

    def _add_new(self, name: str, path: str, kind: Kind) -> None:
        if path in self._made:
            raise refused(name, f"comes twice, first as a {self._made[path]}, then as a {kind}")
        self._enter(name, path)
        self._count(name, path, kind)

    def _count(self, name: str, path: str, kind: Kind) -> None:
        self._made[path] = kind
        if len(self._made) - 1 > self._limits.max_files:
            raise refused(name, f"is one too many: at most {self._files_allowed()}")

    def _files_allowed(self) -> str:
        return f"the limit max_files ({self._limits.max_files}) allows"

    def _bytes_allowed(self) -> str:
        name = "max_unpacked_bytes" if self._most == self._limits.max_unpacked_bytes else "max_ratio"
        return f"the limit {name} allows ({self._most} bytes for this bundle)"


def _copy(name: str, file: int, size: int, read: Read) -> None:
    left = size
    while left:
        data = read(min(left, CHUNK))
        if not data:
            raise refused(name, f"ends {left} bytes early: the bundle is cut off or damaged")
        left -= len(data)
        written = os.write(file, data)
        while written < len(data):
            written += os.write(file, memoryview(data)[written:])


def _copy_pieces(name: str, file: int, size: int, read: Read, pieces: Iterable[tuple[int, int]]) -> None:
    for offset, length in pieces:
        if not 0 <= offset <= offset + length <= size:
            raise refused(name, "has data outside of its own size")
        os.lseek(file, offset, os.SEEK_SET)
        _copy(name, file, length, read)
    os.ftruncate(file, size)


def put_stamp(target: int | str, stamp: Stamp) -> None:
    """Give a file or directory, by descriptor or path, its owner, mode and time."""
    # The owner first: a change of owner takes set-id bits away.
    if stamp.owner is not None:
        os.chown(target, *stamp.owner)
    os.chmod(target, stamp.mode & 0o7777)
    if stamp.time is not None and 0 <= stamp.time < _LATEST:
        nanoseconds = int(stamp.time * 1_000_000_000)
        os.utime(target, ns=(nanoseconds, nanoseconds))
