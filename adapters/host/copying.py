"""Copies files with the fastest means a pair of filesystems has: a reflink, a copy inside the kernel, or plain reads.

A hard link from the archive is never used: it shares the bytes, the mode and the owner with the archive, so an edit or
a permission of the installed file would change the revision that a rollback goes back to.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable

_FICLONE = 0x40049409
_CHUNK = 1024 * 1024
_UNSUPPORTED = frozenset(
    {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.ENOTTY, errno.EPERM, errno.ETXTBSY, errno.EBADF}
)


def _clone(source: int, target: int, size: int) -> bool:
    fcntl.ioctl(target, _FICLONE, source)
    return size >= 0


def _copy_in_kernel(source: int, target: int, size: int) -> bool:
    """Some filesystems answer 0 for files that have content; nothing was copied then."""
    left = size
    while left > 0 and (count := os.copy_file_range(source, target, left)):
        left -= count
    return left < size


def _copy_by_reading(source: int, target: int, _size: int) -> bool:
    os.lseek(source, 0, os.SEEK_SET)
    while chunk := os.read(source, _CHUNK):
        view = memoryview(chunk)
        while view:
            view = view[os.write(target, view) :]
    return True


Means = Callable[[int, int, int], bool]
_MEANS: tuple[Means, ...] = (_clone, _copy_in_kernel, _copy_by_reading)


class Copier:
    """Copies files; remembers what worked for each pair of filesystems. Safe to share between threads."""

    def __init__(self) -> None:
        self._best: dict[tuple[int, int], int] = {}
        self._devices: dict[str, int] = {}
        self._give_away = os.geteuid() == 0

    def copy(self, source: str, target: str) -> int:
        """Copy a regular file to a place where nothing is, with mode and times, as root with its owner too.

        Answers the bytes. Never follows a link at either end; leaves nothing behind on an error, which is an OSError.
        """
        # A pipe that has taken the place of the file must not keep the agent waiting.
        origin = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            status = os.fstat(origin)
            copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                self._fill(origin, copy, status, target)
            except Exception:
                with contextlib.suppress(OSError):
                    os.unlink(target)
                raise
            finally:
                os.close(copy)
        finally:
            os.close(origin)
        return status.st_size

    def _fill(self, origin: int, copy: int, status: os.stat_result, target: str) -> None:
        if status.st_size:
            self._copy_bytes(origin, copy, status, target)
        if self._give_away:
            os.fchown(copy, status.st_uid, status.st_gid)
        # The mode comes last: closed to others, a file is known as one that was cut off.
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fchmod(copy, stat.S_IMODE(status.st_mode))

    def _copy_bytes(self, origin: int, copy: int, status: os.stat_result, target: str) -> None:
        pair = (status.st_dev, self._device(target.rpartition("/")[0]))
        for rank in range(self._best.get(pair, 0), len(_MEANS)):
            try:
                done = _MEANS[rank](origin, copy, status.st_size)
            except OSError as error:
                if error.errno not in _UNSUPPORTED or rank + 1 == len(_MEANS):
                    raise
                continue
            if done:
                self._best[pair] = rank
                return

    def _device(self, folder: str) -> int:
        if folder not in self._devices:
            self._devices[folder] = os.stat(folder or "/").st_dev
        return self._devices[folder]


def move(path: str, place: str) -> None:
    """Move a file or link, across filesystems too: `place` appears whole, and only then `path` goes."""
    try:
        os.rename(path, place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        part = place + ".part"
        duplicate(path, part)
        os.rename(part, place)
        os.unlink(path)


def duplicate(path: str, place: str) -> None:
    """Copy a file or link with mode, times, owner and extended attributes, over what an earlier try left."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place)
    reproduce(path, place)


def reproduce(path: str, place: str) -> None:
    """Copy a file or link with mode, times, owner and extended attributes to a place where nothing is."""
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(path), place)
        os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
    else:
        Copier().copy(path, place)
        _copy_attributes(path, place)
    if os.geteuid() == 0 and stat.S_ISLNK(status.st_mode):
        os.lchown(place, status.st_uid, status.st_gid)


def _copy_attributes(path: str, place: str) -> None:
    with contextlib.suppress(OSError):
        for name in os.listxattr(path):
            with contextlib.suppress(OSError):
                os.setxattr(place, name, os.getxattr(path, name))
