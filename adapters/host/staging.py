"""Builds a directory out of sight and puts it in its place whole; what a killed process left is swept up next time."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SUFFIX = ".fresh"


@contextmanager
def staged(into: Path) -> Iterator[Path]:
    """An empty directory of our own beside `into`, which is gone afterwards, with all that is still in it.

    The lock on it tells a directory in use from one whose process died.
    """
    _sweep(into)
    work = tempfile.mkdtemp(prefix=f".{into.name}.", suffix=_SUFFIX, dir=into.parent)
    try:
        lock = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(work)
        finally:
            os.close(lock)
    finally:
        remove_tree(work)


def put_in_place(fresh: str, into: Path, work: Path) -> None:
    """Make `fresh` (below `work`) be `into`; what was there is only gone once it is."""
    old = work / "old"
    with suppress(FileNotFoundError):
        into.rename(old)
    try:
        os.rename(fresh, into)
    except OSError:
        with suppress(FileNotFoundError):
            old.rename(into)
        raise


def remove_tree(path: str | Path) -> None:
    """Remove a directory with all that is in it, directories without permissions included; links are not followed."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        if os.path.lexists(path):
            shutil.rmtree(path)
    except PermissionError:
        _open_up(path)
        shutil.rmtree(path)


def _open_up(path: str | Path) -> None:
    os.chmod(path, stat.S_IRWXU)
    for folder, inside, _ in os.walk(path):
        for name in inside:
            below = os.path.join(folder, name)
            if not os.path.islink(below):
                os.chmod(below, stat.S_IRWXU)


def _sweep(into: Path) -> None:
    for name in os.listdir(into.parent):
        if name.startswith(f".{into.name}.") and name.endswith(_SUFFIX):
            with suppress(OSError):
                _remove_if_left(into.parent / name)


def _remove_if_left(work: Path) -> None:
    lock = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_tree(work)
    finally:
        os.close(lock)
