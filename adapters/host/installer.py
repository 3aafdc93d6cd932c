"""Carries install plans out on this machine: writes the plan down, notes how far it got, and takes everything back if a
step fails. Knows how, never what: that is the plan's.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from adapters.host import access, describing, disk, keeping, undo
from adapters.host.copying import Copier, move
from adapters.host.ledger import Ledger, Phase
from adapters.host.rooted import Rooted
from adapters.host.spreading import spread
from domain.errors import InstallError
from domain.install import (
    CopyFile,
    Facts,
    ForgetContext,
    InstallSummary,
    Instruction,
    KeepCopy,
    MakeDirectory,
    MakeLink,
    Place,
    Plan,
    Question,
    RemoveDirectory,
    RemoveFile,
    Rescue,
    RestoreCopy,
    SetAcl,
    SetContext,
    SetMode,
    SetOwner,
)

_BATCH = 1024
"""Steps the journal notes at once; after a crash the disk tells which of them were taken."""
_Numbered = tuple[int, Instruction]


class HostDisk:
    """The disk of this machine, for `domain.install.Disk`."""

    @contextmanager
    def claimed(self, place: Place) -> Iterator[None]:
        """Be the only process at work with these records."""
        with ExitStack() as held:
            with _told(f"Nothing was changed, for the records in {place.state} cannot be opened"):
                held.enter_context(Ledger(place.state).claimed())
            yield

    def recover(self, place: Place) -> None:
        """Undo an installation that a crash cut off, or drop what a finished one kept: its deployment is over."""
        with _told("Nothing of this revision was installed, for the last Install cannot be brought to an end"):
            if Ledger(place.state).progress().phase is Phase.BEGUN:
                undo.take_back(Ledger(place.state), Rooted(place.root))
            Ledger(place.state).settle()

    def look(self, question: Question, place: Place) -> Facts:
        """Find out what planning must know; changes nothing."""
        with _told("Nothing was changed, for planning could not look at everything"):
            ledger = Ledger(place.state)
            record, kept = ledger.record(), ledger.kept()
            unfit = keeping.unfit(ledger.copies, kept, Rooted(place.root)) if kept else {}
            also = [each.path for each in kept if each.copy not in unfit]
            facts = disk.look(question, record, place.root, also=also)
            changed = keeping.changed(kept, record, Rooted(place.root)) if kept else {}
            return facts._replace(kept=kept, unfit=unfit, changed=changed)

    def run(self, plan: Plan, place: Place) -> InstallSummary:
        """Carry a plan out, or take back what was done and raise InstallError."""
        ledger, host = Ledger(place.state), Rooted(place.root)
        with _told("Nothing was changed, for the plan cannot be written"):
            ledger.begin(plan)
        work = _Work(ledger, host)
        try:
            for batch in _batches(plan.instructions):
                ledger.note({"until": batch[-1][0] + 1})
                work.take(batch)
            ledger.finish(plan, keeping.stamped(plan.kept, plan.record, host) if plan.kept else ())
        except Exception as error:
            raise InstallError(_story(error, plan, ledger, host)) from error
        return work.summary(plan)

    def own(self, place: Place) -> None:
        """Scripts have run since Install: what they made of files over others' is the deployment's own doing."""
        with _told(f"What scripts made of the files of others in {place.state} cannot be noted"):
            ledger = Ledger(place.state)
            kept = ledger.kept() if keeping.is_there(ledger.copies) else ()
            owned = keeping.owned(kept, Rooted(place.root))
            if owned != kept:
                ledger.amend(owned)

    def undo(self, place: Place) -> tuple[str, ...]:
        """Put back what the last installation replaced or removed; gives a line for each thing that could not be."""
        with _told("The last Install cannot be undone"):
            return undo.take_back(Ledger(place.state), Rooted(place.root))

    def commit(self, place: Place) -> None:
        """Drop what is kept for undo. Raises InstallError for an installation that was cut off."""
        ledger = Ledger(place.state)
        with _told("What was kept to undo the last Install cannot be dropped"):
            if ledger.progress().phase is Phase.BEGUN:
                raise InstallError("The last Install was cut off half-way: undo it, or install again.")
            ledger.settle()

    def describe(self, place: Place) -> str:
        """Say what the last installation has left on the disk."""
        with _told(f"The records in {place.state} cannot be read"):
            return describing.describe(Ledger(place.state), Rooted(place.root))


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn the disk's errors into InstallError."""
    try:
        yield
    except OSError as error:
        raise InstallError(f"{what}: {_reason(error)}.") from error


def _batches(steps: Sequence[Instruction]) -> Iterator[list[_Numbered]]:
    """Numbered steps in order; copies do not depend on each other and share a batch with nothing else."""
    batch: list[_Numbered] = []
    for number, step in enumerate(steps):
        if batch and (len(batch) == _BATCH or _copies(batch[0][1]) is not _copies(step)):
            yield batch
            batch = []
        batch.append((number, step))
    if batch:
        yield batch


def _copies(step: Instruction) -> bool:
    return isinstance(step, CopyFile | MakeLink)


class StepFailed(Exception):
    """A step of a plan failed; its cause is the error."""

    def __init__(self, number: int, step: Instruction, error: Exception) -> None:
        super().__init__(str(error))
        self.number, self.step, self.error = number, step, error


@dataclass
class _Work:
    """One run of a plan."""

    ledger: Ledger
    host: Rooted
    bytes: int = 0
    removed: int = 0
    copied: int = 0
    linked: int = 0
    made: int = 0

    def __post_init__(self) -> None:
        self.copier = Copier()
        self.prefix = self.host.prefix
        self.aside = str(self.ledger.aside)

    def take(self, batch: list[_Numbered]) -> None:
        """Take the steps of a batch, copies on several threads."""
        if _copies(batch[0][1]):
            sizes = spread(self._take, batch)
            self.bytes += sum(sizes)
            self.linked += sum(isinstance(step, MakeLink) for _, step in batch)
            self.copied = self.copied + len(batch) - sum(isinstance(step, MakeLink) for _, step in batch)
        else:
            for numbered in batch:
                self._take(numbered)

    def summary(self, plan: Plan) -> InstallSummary:
        """What was done."""
        return InstallSummary(
            copied=self.copied,
            linked=self.linked,
            unchanged=plan.unchanged,
            retained=plan.retained,
            removed=self.removed,
            directories=self.made,
            bytes=self.bytes,
            kept=sum(isinstance(step, KeepCopy) for step in plan.instructions),
            restored=sum(isinstance(step, RestoreCopy) for step in plan.instructions),
            left=plan.left,
            rescued=tuple(
                f"{step.file} as {self.ledger.state / step.place}"
                for step in plan.instructions
                if isinstance(step, Rescue)
            ),
        )

    def _take(self, numbered: _Numbered) -> int:
        number, step = numbered
        try:
            if isinstance(step, CopyFile):
                target = self.prefix + step.destination
                if step.replaces:
                    move(target, f"{self.aside}/{number}")
                return self.copier.copy(step.source, target)
            self._take_other(number, step)
        except (OSError, InstallError) as error:
            raise StepFailed(number, step, error) from error
        return 0

    def _take_other(self, number: int, step: Instruction) -> None:
        path = self.prefix + (step.destination if isinstance(step, CopyFile | MakeLink) else step[0])
        match step:
            case MakeLink():
                if step.replaces:
                    move(path, f"{self.aside}/{number}")
                os.symlink(step.target, path)
            case KeepCopy():
                keeping.keep(self.ledger.copies, step, path)
            case Rescue():
                keeping.rescue(self.ledger.state, step, path)
            case RestoreCopy():
                if step.replaces:
                    move(path, f"{self.aside}/{number}")
                keeping.restore(self.ledger.copies, step, path)
            case RemoveFile():
                self._remove(path, number)
            case RemoveDirectory():
                self._remove_directory(path)
            case MakeDirectory():
                self._make_directory(path, step)
            case SetMode():
                access.set_mode(path, step.mode, restore=step.restore)
            case SetOwner():
                os.chown(path, step.uid, step.gid, follow_symlinks=False)
            case SetAcl():
                access.set_acl(path, step.entries)
            case SetContext():
                access.add_context(path, step.context)
            case ForgetContext():
                access.drop_context(path)

    def _remove(self, path: str, number: int) -> None:
        try:
            move(path, f"{self.aside}/{number}")
            self.removed += 1
        except FileNotFoundError:
            pass  # Gone since the look, which is what was wanted.

    def _remove_directory(self, path: str) -> None:
        try:
            os.rmdir(path)
            self.removed += 1
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOENT}:
                raise

    def _make_directory(self, path: str, step: MakeDirectory) -> None:
        os.mkdir(path, step.mode)
        self.made += 1
        if (step.uid, step.gid) != (-1, -1):
            os.chown(path, step.uid, step.gid)
        os.chmod(path, step.mode)


def _story(error: Exception, plan: Plan, ledger: Ledger, host: Rooted) -> str:
    """Undo, and tell what happened and what is on the disk now."""
    cause = error.error if isinstance(error, StepFailed) else error
    at = (
        f" at step {error.number + 1} of {len(plan.instructions)} ({describing.words_for(error.step)})"
        if isinstance(error, StepFailed)
        else ""
    )
    story = f"Install stopped{at}: {_reason(cause)}."
    try:
        left = undo.take_back(ledger, host)
    except (OSError, InstallError) as trouble:
        return f"{story} Undoing it stopped as well: {_reason(trouble)}. The next Install tries again."
    if left:
        return f"{story} What it did was undone, but for: {'; '.join(left)}. Old files are in {ledger.state}/rescued-*."
    return f"{story} What it did was undone: the files of the previous revision are back."


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f': {error.filename}' if error.filename else ''}"
    return str(error).rstrip(".") or type(error).__name__
