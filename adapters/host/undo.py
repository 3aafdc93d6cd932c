"""Takes an installation back, from its plan, its journal and what the disk shows; may be cut off and run again.

A file that was put aside is proof that its step began, and moving it back is one rename. Where nothing had been, a file
is removed only if the journal is sure that it is ours, or it looks like a copy that was cut off.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from adapters.host import access, keeping
from adapters.host.comparing import begins_with
from adapters.host.copying import duplicate
from adapters.host.disk import acls_of
from adapters.host.ledger import Ledger, Phase
from adapters.host.rooted import Rooted, lstat
from domain.errors import InstallError
from domain.install import (
    CopyFile,
    ForgetContext,
    Instruction,
    KeepDirectory,
    Kind,
    MakeDirectory,
    MakeLink,
    RemoveDirectory,
    RemoveFile,
    Rescue,
    RestoreCopy,
    SetContext,
)


def take_back(ledger: Ledger, host: Rooted) -> tuple[str, ...]:
    """Undo the last installation unless it is undone or committed; answers what could not be put back, one a line."""
    progress = ledger.progress()
    if progress.phase is Phase.UNDONE:
        ledger.clear()
        return progress.left
    if progress.phase not in {Phase.BEGUN, Phase.DONE}:
        return ()
    steps = ledger.plan().instructions
    undoing = _Undoing(ledger, host, progress.sure)
    for number in range(min(progress.until, len(steps)) - 1, -1, -1):
        undoing.take_back(number, steps[number])
    left = tuple(undoing.left)
    ledger.take_back(progress.recorded, left)
    return left


class _Undoing:
    """One undo; collects what could not be put back."""

    def __init__(self, ledger: Ledger, host: Rooted, sure: int) -> None:
        self.ledger, self.host, self.sure = ledger, host, sure
        self.left: list[str] = []

    def take_back(self, number: int, step: Instruction) -> None:
        try:
            self._take_back(number, step)
        except (OSError, InstallError) as error:
            text = error.strerror if isinstance(error, OSError) else str(error)
            self.left.append(f"{step[1] if isinstance(step, CopyFile | MakeLink) else step[0]}: {text}")

    def _take_back(self, number: int, step: Instruction) -> None:
        aside, certain = f"{self.ledger.aside}/{number}", number < self.sure
        match step:
            case CopyFile(replaces=True) | MakeLink(replaces=True):
                _put_back(aside, self.host.prefix + step.destination)
            case CopyFile() | MakeLink():
                text = step.target if isinstance(step, MakeLink) else None
                _remove_new(step.source, text, self.host.prefix + step.destination, certain=certain)
            case RestoreCopy(replaces=True):
                _put_back(aside, self.host.prefix + step.file)
            case RestoreCopy():
                self._take_away(step, certain=certain)
            case Rescue():
                # What was to be rescued is back by now; if it is not, its copy is the last of it.
                if lstat(self.host.prefix + step.file) is not None:
                    keeping.drop_rescued(self.ledger.state, step)
            case RemoveFile():
                _put_back(aside, self.host.prefix + step.file)
            case MakeDirectory():
                _remove_directory(self.host.prefix + step.directory)
            case RemoveDirectory():
                _make_again(step, self.host.prefix + step.directory)
            case KeepDirectory():
                _give_back(step, self.host.prefix + step.directory)
            case ForgetContext() | SetContext():
                self._take_back_context(step, certain=certain)

    def _take_away(self, step: RestoreCopy, *, certain: bool) -> None:
        copy = f"{self.ledger.copies}/{step.copy}"
        text = _text(copy) if step.kind is Kind.LINK else None
        _remove_new(copy, text, self.host.prefix + step.file, certain=certain)

    def _take_back_context(self, step: ForgetContext | SetContext, *, certain: bool) -> None:
        path = self.host.prefix + step.file
        try:
            if isinstance(step, SetContext):
                access.drop_context(path)
            else:
                access.add_context(path, step.context)
        except InstallError:
            if certain:
                raise


def _text(link: str) -> str:
    status = lstat(link)
    return os.readlink(link) if status is not None and stat.S_ISLNK(status.st_mode) else ""


def _put_back(aside: str, path: str) -> None:
    if lstat(aside) is None:
        return
    try:
        os.rename(aside, path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        duplicate(aside, path)
        os.unlink(aside)


def _remove_new(source: str, text: str | None, path: str, *, certain: bool) -> None:
    """Remove what a step put where nothing had been: a copy of a file, or a link with this text."""
    status = lstat(path)
    if status is not None and not stat.S_ISDIR(status.st_mode) and (certain or _looks_ours(source, text, path, status)):
        os.unlink(path)


def _looks_ours(copied: str, text: str | None, path: str, status: os.stat_result) -> bool:
    """Whether a file can be what a copy left: closed to others or finished, and a beginning of its source."""
    if text is not None:
        return stat.S_ISLNK(status.st_mode) and os.readlink(path) == text
    source = lstat(copied)
    if not stat.S_ISREG(status.st_mode):
        return False
    if source is None:
        return stat.S_IMODE(status.st_mode) == 0o600
    finished = status.st_mtime_ns == source.st_mtime_ns
    return (finished or stat.S_IMODE(status.st_mode) & 0o077 == 0) and begins_with(path, copied)


def _remove_directory(path: str) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.rmdir(path)


def _make_again(step: RemoveDirectory, path: str) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, step.mode)
    _give_back(step, path)


def _give_back(step: RemoveDirectory | KeepDirectory, path: str) -> None:
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        return
    if (status.st_uid, status.st_gid) != (step.uid, step.gid):
        os.chown(path, step.uid, step.gid, follow_symlinks=False)
    os.chmod(path, step.mode)
    wanted = dict(step.attributes)
    for name, value in acls_of(path):
        if wanted.get(name) != value:
            os.removexattr(path, name, follow_symlinks=False)
    for name, value in wanted.items():
        os.setxattr(path, name, bytes.fromhex(value), follow_symlinks=False)
