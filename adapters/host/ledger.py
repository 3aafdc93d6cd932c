"""The files an installation keeps of itself in a group's folder: plan, journal, record, and what was put aside.

install.json       the plan, written before it runs
install-journal    JSON lines: {"begin": steps, "recorded": bool}, {"until": n} before the steps up to n are taken, and
                   {"done"}, {"undone": [...]} or {"committed"} when that is so
cleanup            the record of what the current installation made, and of the copies that are kept of others' files;
                   changes in one rename once everything is made
cleanup-before     the one it took the place of, until the deployment is over
aside/N            what step N replaced or removed
kept/N             a copy of what others had where a deployment of the group put something; those that are on no record
                   go once an installation is done or undone
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from adapters.host import keeping
from domain.errors import InstallError
from domain.install import Kept, Plan, Recorded
from domain.install_text import lines_of, plan_as_text, plan_from_text, record_as_text, record_from_text


class Phase(Enum):
    """How far the last installation of a group got."""

    NONE = "none"
    BEGUN = "begun"
    DONE = "done"
    UNDONE = "undone"
    COMMITTED = "committed"


class Progress(NamedTuple):
    """What the journal says. Steps before `sure` were taken, those from `until` on were not, those between may be."""

    phase: Phase = Phase.NONE
    sure: int = 0
    until: int = 0
    recorded: bool = False
    """There was a record before."""
    left: tuple[str, ...] = ()
    """What could not be put back."""


class Ledger:
    """The records of one group. Raises InstallError for records that cannot be read, OSError from the disk."""

    def __init__(self, state: PurePath) -> None:
        self.state = Path(state)
        self.aside = self.state / "aside"
        self.copies = self.state / "kept"
        self._journal = self.state / "install-journal"
        self._plan = self.state / "install.json"
        self._record = self.state / "cleanup"
        self._before = self.state / "cleanup-before"
        self._fresh = self.state / "cleanup-new"

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the lock of the group; raises InstallError if another process has it."""
        self.state.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.state / "install-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InstallError(f"Another installation works with {self.state}: wait until it has ended.") from None
            yield
        finally:
            os.close(lock)

    def progress(self) -> Progress:
        """How far the last installation got; a half-written last line of the journal is dropped."""
        progress = Progress()
        for line in self._lines(self._journal):
            if "begin" in line:
                progress = Progress(Phase.BEGUN, recorded=line["recorded"])
            elif "until" in line:
                progress = progress._replace(sure=progress.until, until=line["until"])
            elif "undone" in line:
                progress = progress._replace(phase=Phase.UNDONE, left=tuple(line["undone"]))
            elif "done" in line:
                progress = progress._replace(phase=Phase.DONE, sure=progress.until)
            else:
                progress = progress._replace(phase=Phase.COMMITTED)
        return progress

    def _lines(self, path: Path) -> list[Any]:
        try:
            return lines_of(path.read_text("ascii"))
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise _damaged(path) from error

    def plan(self) -> Plan:
        """The plan that was written last."""
        try:
            return plan_from_text(self._plan.read_text("ascii"))
        except (FileNotFoundError, ValueError) as error:
            raise _damaged(self._plan) from error

    def record(self) -> tuple[Recorded, ...]:
        """What the current installation made; empty before the first one."""
        return self._recorded()[0]

    def kept(self) -> tuple[Kept, ...]:
        """The copies that are kept of others' files."""
        return self._recorded()[1]

    def _recorded(self) -> tuple[tuple[Recorded, ...], tuple[Kept, ...]]:
        try:
            return record_from_text(self._record.read_text("ascii"))
        except FileNotFoundError:
            return (), ()
        except (ValueError, TypeError, IndexError) as error:
            raise _damaged(self._record) from error

    def amend(self, kept: Iterable[Kept]) -> None:
        """Keep what is known of the copies by now."""
        _write(self._record, record_as_text(self.record(), kept))

    def begin(self, plan: Plan) -> None:
        """Write a plan down, to be carried out next. What was kept to undo the one before is dropped."""
        self.settle()
        _write(self._plan, plan_as_text(plan))
        self.aside.mkdir(exist_ok=True)
        first = {"begin": len(plan.instructions), "recorded": self._record.exists()}
        _write(self._journal, json.dumps(first) + "\n")

    def note(self, line: dict[str, Any]) -> None:
        """Add a line to the journal, in one write; what is left of a half-written one goes first."""
        journal = os.open(self._journal, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        try:
            size = os.fstat(journal).st_size
            if size and os.pread(journal, 1, size - 1) != b"\n":
                os.ftruncate(journal, os.pread(journal, size, 0).rfind(b"\n") + 1)
            os.write(journal, json.dumps(line).encode("ascii") + b"\n")
        finally:
            os.close(journal)

    def finish(self, plan: Plan, kept: Iterable[Kept]) -> None:
        """Make the plan's record, and what is known of the copies, the current one and say that everything is done."""
        _write(self._fresh, record_as_text(plan.record, kept))
        if self._record.exists():
            self._record.rename(self._before)
        self._fresh.rename(self._record)
        self.note({"done": True})

    def take_back(self, recorded: bool, left: tuple[str, ...]) -> None:
        """Make the record before the current one again, once the disk is as it was."""
        if self._before.exists():
            self._before.rename(self._record)
        elif not recorded:
            self._record.unlink(missing_ok=True)
        self._fresh.unlink(missing_ok=True)
        self.note({"undone": left})
        self.clear()

    def settle(self) -> None:
        """Give up what is kept for undo, if the last installation was done."""
        if self.progress().phase is Phase.DONE:
            self.note({"committed": True})
        self.clear()

    def clear(self) -> None:
        """Drop what was put aside and is needed no more; what could not be put back is kept beside it."""
        if self.progress().left and self.aside.is_dir() and any(self.aside.iterdir()):
            self.aside.rename(tempfile.mkdtemp(prefix="rescued-", dir=self.state))
        shutil.rmtree(self.aside, ignore_errors=True)
        self._before.unlink(missing_ok=True)
        if os.path.lexists(self.copies):
            # A record that cannot be read stops the next Install; until then every copy stays.
            with contextlib.suppress(InstallError):
                self._clear_copies()

    def _clear_copies(self) -> None:
        if self._record.exists() or self.progress().phase is Phase.UNDONE:
            keeping.sweep(self.copies, self.kept())
        elif keeping.is_there(self.copies):
            # Somebody has moved the record away: what others had is not thrown away with it.
            self.copies.rename(tempfile.mkdtemp(prefix="rescued-", dir=self.state))


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, "ascii")
    part.rename(path)


def _damaged(path: Path) -> InstallError:
    return InstallError(f"{path} cannot be read: put it right, or move it away to install as if for the first time.")
