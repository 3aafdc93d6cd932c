"""Copies of what others had where Install put something, each under a number in a folder of the group's records.

Nobody but the agent's user may look into the folder. A link in the place of folder or copy is never followed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from adapters.host.copying import duplicate, reproduce
from adapters.host.rooted import Rooted, kind_of, lstat
from domain.errors import InstallError
from domain.install import Changed, KeepCopy, Kept, Kind, Recorded, Rescue, RestoreCopy, Stamp


def keep(folder: Path, step: KeepCopy, path: str) -> None:
    """Copy what lies at a path of the machine. Raises InstallError if it has grown since it was looked at."""
    status = _prepare(folder, path)
    if status.st_size > step.size:
        raise InstallError(
            f"{path} grew from {step.size} to {status.st_size} bytes while its copy for a rollback was made: "
            "stop what writes it, in ApplicationStop or BeforeInstall"
        )
    duplicate(path, f"{folder}/{step.copy}")


def rescue(state: Path, step: Rescue, path: str) -> None:
    """Copy what lies at a path of the machine to its place in the records. Raises InstallError for what is no file."""
    place = state / step.place
    _prepare(place.parent, path)
    duplicate(path, str(place))


def _prepare(folder: Path, path: str) -> os.stat_result:
    if not is_there(folder):
        os.mkdir(folder, 0o700)
    status = os.lstat(path)
    if kind_of(status.st_mode) not in {Kind.FILE, Kind.LINK}:
        raise InstallError(f"{path} has become something that cannot be copied")
    return status


def drop_rescued(state: Path, step: Rescue) -> None:
    """Remove it again: the file is where it was."""
    place = state / step.place
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place)
    with contextlib.suppress(OSError):
        os.rmdir(place.parent)


def stamped(kept: Iterable[Kept], record: Iterable[Recorded], host: Rooted) -> tuple[Kept, ...]:
    """The copies with what Install, which is done, has put over each."""
    ours = {each.path for each in record if each.kind is not Kind.DIRECTORY}
    return tuple(_stamped(each, _stamp(host, each.path) if each.path in ours else None) for each in kept)


def _stamped(kept: Kept, stamp: Stamp | None) -> Kept:
    return kept._replace(installed=stamp, latest=stamp)


def _stamp(host: Rooted, path: str) -> Stamp | None:
    status = lstat(host.prefix + path)
    return None if status is None else Stamp(status.st_size, status.st_mtime_ns)


def owned(kept: Iterable[Kept], host: Rooted) -> tuple[Kept, ...]:
    """The copies with what the scripts that ran since have made of what Install put over them."""
    return tuple(each._replace(latest=_stamp(host, each.path)) if each.installed else each for each in kept)


def changed(kept: Iterable[Kept], record: Iterable[Recorded], host: Rooted) -> dict[str, Changed]:
    """Paths of ours over copies where something else lies by now than Install put there."""
    ours = {each.path for each in record if each.kind is not Kind.DIRECTORY}
    return dict(_changes((each for each in kept if each.path in ours), host))


def _changes(kept: Iterable[Kept], host: Rooted) -> Iterator[tuple[str, Changed]]:
    for each in kept:
        stamp = _stamp(host, each.path)
        if stamp is None or stamp == each.installed:
            continue
        unsure = each.installed is None or stamp == each.latest
        yield each.path, Changed.MEANWHILE if unsure else Changed.SINCE


def restore(folder: Path, step: RestoreCopy, path: str) -> None:
    """Put a copy where nothing is. Raises InstallError for a copy that is none, OSError from the disk."""
    copy = f"{folder}/{step.copy}"
    if not is_there(folder) or kind_of(os.lstat(copy).st_mode) is not step.kind:
        raise InstallError(f"{copy} is not what was kept of {path}")
    reproduce(copy, path)


def is_there(folder: Path) -> bool:
    """Whether there is a folder of copies. Raises InstallError for anything else in its place."""
    status = lstat(str(folder))
    if status is not None and not stat.S_ISDIR(status.st_mode):
        raise InstallError(f"{folder} should be a directory of the agent's and is something else: move it away")
    return status is not None


def unfit(folder: Path, kept: Iterable[Kept], host: Rooted) -> dict[str, str]:
    """Copies that cannot be put back as the host is now, each with the reason."""
    present = is_there(folder)
    reasons = ((each.copy, _why_unfit(folder, each, host, present=present)) for each in kept)
    return {copy: reason for copy, reason in reasons if reason}


def _why_unfit(folder: Path, kept: Kept, host: Rooted, *, present: bool) -> str | None:
    status = lstat(f"{folder}/{kept.copy}") if present else None
    if status is None or kind_of(status.st_mode) is not kept.kind:
        return "its copy is gone"
    # A link or a `..` on the way could lead anywhere by now, out of the root too.
    above = host.prefix + kept.path.rpartition("/")[0] or "/"
    return None if os.path.realpath(above) == above else "its path leads elsewhere by now"


def sweep(folder: Path, kept: Iterable[Kept]) -> None:
    """Remove copies that are not on record; what cannot be removed is tried again next time."""
    with contextlib.suppress(OSError, InstallError):
        if is_there(folder):
            for name in set(os.listdir(folder)) - {each.copy for each in kept}:
                with contextlib.suppress(OSError):
                    os.unlink(folder / name)
            if not os.listdir(folder):
                os.rmdir(folder)
