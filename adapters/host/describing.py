"""Says what an installation has left on the disk, step by step."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from adapters.host.ledger import Ledger, Phase, Progress
from adapters.host.rooted import Rooted, lstat
from domain.install import (
    CopyFile,
    ForgetContext,
    Instruction,
    KeepCopy,
    KeepDirectory,
    MakeDirectory,
    MakeLink,
    Plan,
    RemoveDirectory,
    RemoveFile,
    Rescue,
    RestoreCopy,
    SetAcl,
    SetContext,
    SetMode,
    SetOwner,
)

_SHOWN = 20
"""How many steps of each kind a description names."""
_DONE, _PARTLY, _OPEN = "Done", "Half done", "Not done"


def words_for(step: Instruction) -> str:
    """A step in words, in the present tense."""
    match step:
        case RemoveFile(file=path) | RemoveDirectory(directory=path):
            return f"remove {path}"
        case ForgetContext(file=path):
            return f"drop the SELinux rule of {path}"
        case MakeDirectory(directory=path):
            return f"make directory {path}"
        case KeepDirectory(directory=path):
            return f"keep directory {path}"
        case CopyFile(destination=path):
            return f"copy {path}"
        case MakeLink(destination=path, target=target):
            return f"link {path} to {target}"
        case KeepCopy(file=path):
            return f"keep a copy of {path}"
        case RestoreCopy(file=path):
            return f"give back {path}"
        case Rescue(file=path):
            return f"keep what lies at {path}"
        case SetMode(file=path, mode=mode):
            return f"set mode {mode:04o} on {path}"
        case SetAcl(file=path):
            return f"set the ACL of {path}"
        case SetContext(file=path):
            return f"set the SELinux context of {path}"
        case SetOwner(file=path, owner=owner, group=group):
            return f"give {path} to {owner}:{group}"


def describe(ledger: Ledger, host: Rooted) -> str:
    """What the last installation of a group has left on the disk; the first line is the sum of it."""
    progress = ledger.progress()
    if progress.phase is Phase.NONE:
        return "No installation has been begun here."
    plan = ledger.plan()
    title = f"Install of {plan.archive}"
    match progress.phase:
        case Phase.DONE:
            return f"{title} was carried out: all {len(plan.instructions)} steps are done and can still be undone."
        case Phase.COMMITTED:
            return f"{title} was carried out: all {len(plan.instructions)} steps are done and its deployment is over."
        case Phase.UNDONE if not progress.left:
            return f"{title} was undone: the files of the previous revision are back."
        case Phase.UNDONE:
            rest = "\n".join(f"  {line}" for line in progress.left)
            return (
                f"{title} was undone, but for {len(progress.left)} paths (old files: {ledger.state}/rescued-*):\n{rest}"
            )
        case _:
            return _describe_cut_off(title, plan, progress, ledger, host)


def _describe_cut_off(title: str, plan: Plan, progress: Progress, ledger: Ledger, host: Rooted) -> str:
    states: dict[str, list[str]] = {_DONE: [], _PARTLY: [], _OPEN: []}
    for number, step in enumerate(plan.instructions):
        states[_state(number, step, progress, ledger, host)].append(words_for(step))
    done, total = len(states[_DONE]), len(plan.instructions)
    head = f"{title} was cut off: {done} of {total} steps are done. The next Install, or an undo, puts things back."
    return "\n".join([head, *_listed(states.items(), f"{ledger.state}/install.json")])


def _listed(states: Iterable[tuple[str, Sequence[str]]], plan: str) -> Iterable[str]:
    for word, steps in states:
        if steps:
            more = f"; and {len(steps) - _SHOWN} more, see {plan}" if len(steps) > _SHOWN else ""
            yield f"{word} ({len(steps)}): {'; '.join(steps[:_SHOWN])}{more}"


def _state(number: int, step: Instruction, progress: Progress, ledger: Ledger, host: Rooted) -> str:
    """Whether a step was taken; the disk decides where the journal is not sure."""
    if number < progress.sure:
        return _DONE
    if number >= progress.until:
        return _OPEN
    path = host.prefix + (step.destination if isinstance(step, CopyFile | MakeLink) else step[0])
    status, aside = lstat(path), os.path.lexists(f"{ledger.aside}/{number}")
    if isinstance(step, CopyFile | MakeLink):
        return _state_of_copy(step, status, aside=aside)
    match step:
        case RemoveFile() | RemoveDirectory():
            return _DONE if status is None else _OPEN
        case KeepCopy():
            return _state_of(lstat(f"{ledger.copies}/{step.copy}"), status)
        case Rescue():
            return _state_of(lstat(f"{ledger.state}/{step.place}"), status)
        case RestoreCopy():
            return _OPEN if step.replaces and not aside else _state_of(status, lstat(f"{ledger.copies}/{step.copy}"))
        case MakeDirectory():
            return _OPEN if status is None else _DONE
    return _PARTLY


def _state_of_copy(step: CopyFile | MakeLink, status: os.stat_result | None, *, aside: bool) -> str:
    if status is None:
        return _PARTLY if aside else _OPEN
    if step.replaces and not aside:
        return _OPEN
    if isinstance(step, MakeLink):
        return _DONE
    return _state_of(status, lstat(step.source))


def _state_of(copy: os.stat_result | None, source: os.stat_result | None) -> str:
    if copy is None:
        return _OPEN
    same = source is not None and (copy.st_size, copy.st_mtime_ns) == (source.st_size, source.st_mtime_ns)
    return _DONE if same else _PARTLY
