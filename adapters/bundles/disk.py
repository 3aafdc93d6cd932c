"""Bundles on disk by the SHA-256 of their bytes: `objects/ab/abcdef…`. An object is there whole or not at all, and what
was confirmed survives a power failure. Knows nothing of what is in them.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from domain.errors import BundleError

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Stored(NamedTuple):
    """One object: its SHA-256 (64 lower-case hex digits), size in bytes, and whether it was not there before."""

    sha256: str
    size: int
    fresh: bool = False


class Incoming:
    """An object on its way in; nothing of it stays unless it is kept."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._file, name = tempfile.mkstemp(dir=root / "incoming")
        self._path = Path(name)
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._hash.update(data)
        self.size += len(data)
        left = memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]

    def keep(self, expected: str | None = None) -> Stored:
        """Make it an object; raises BundleError if its SHA-256 is not the one expected, and nothing is left then."""
        sha256 = self._hash.hexdigest()
        if expected is not None and sha256 != expected:
            self.discard()
            raise BundleError(
                f"the bundle's SHA-256 is {sha256}, but {expected} was expected: it was damaged on its way"
            )
        place = _place(self._root, sha256)
        fresh = not place.exists()
        os.fsync(self._file)
        place.parent.mkdir(exist_ok=True)
        self._path.rename(place)
        for folder in (place.parent, place.parent.parent):
            _sync(folder)
        self.discard()
        return Stored(sha256, self.size, fresh)

    def discard(self) -> None:
        """Forget it; harmless when it was kept or forgotten already."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._path.unlink(missing_ok=True)


class BundleDisk:
    """A directory of bundles. Any number of processes may use it at once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for folder in (root / "objects", root / "incoming"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def receive(self) -> Incoming:
        """Begin to take a bundle in."""
        return Incoming(self._root)

    def put(self, chunks: Iterable[bytes], *, expected: str | None = None) -> Stored:
        """Keep a stream of bytes; raises BundleError on another SHA-256 than the one expected."""
        incoming = self.receive()
        try:
            for chunk in chunks:
                incoming.write(chunk)
            return incoming.keep(expected)
        finally:
            incoming.discard()

    def find(self, sha256: str) -> Path | None:
        """The file of an object, or None; it is to be read only."""
        if not _SHA256.fullmatch(sha256):
            return None
        place = _place(self._root, sha256)
        return place if place.is_file() else None

    def list(self) -> list[Stored]:
        """Every object, by SHA-256."""
        return sorted(
            Stored(path.name, path.stat().st_size)
            for path in (self._root / "objects").glob("??/*")
            if _SHA256.fullmatch(path.name)
        )

    def remove(self, sha256: str) -> bool:
        """Forget an object; False if there was none."""
        place = self.find(sha256)
        if place is None:
            return False
        place.unlink(missing_ok=True)
        return True

    def sweep(self, *, before: float) -> int:
        """Remove uploads nothing was written to since `before` (epoch seconds), as their process died; how many."""
        removed = 0
        for path in (self._root / "incoming").iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
        return removed


def _place(root: Path, sha256: str) -> Path:
    return root / "objects" / sha256[:2] / sha256


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
