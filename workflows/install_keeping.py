"""What of others an installation replaces is kept, and what a rollback gives back. Touches nothing.

A copy is due once the deployment that made it is rolled back: one that began no earlier than the deployment to whose
work the rollback returns. Of several copies of one path the oldest is what lay there at that time.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from domain.errors import InstallError
from domain.install import (
    Changed,
    CopyFile,
    Facts,
    Instruction,
    KeepCopy,
    Kept,
    Kind,
    MakeDirectory,
    MakeLink,
    RemoveFile,
    Rescue,
    RestoreCopy,
)
from domain.keeping import Keeping
from workflows.install_cleanup import Cleanup
from workflows.install_sources import Wanted, parents

_NAMED = 5
"""How many paths a message names."""


def due_back(facts: Facts, keeping: Keeping | None) -> dict[str, Kept]:
    """The copies that a rollback gives back, by path, if the revision has nothing of its own there."""
    due: dict[str, Kept] = {}
    for kept in sorted(facts.kept, key=_began):
        if _undone(kept, keeping) and kept.copy not in facts.unfit:
            due.setdefault(kept.path, kept)
    return due


def others_by_now(facts: Facts, due: Iterable[str], wanted: Wanted) -> frozenset[str]:
    """Paths of ours that would be given back and where somebody has put something since: that stays, as theirs."""
    return frozenset(path for path in due if path not in wanted.files and facts.changed.get(path) is Changed.SINCE)


def _began(kept: Kept) -> float:
    return kept.began


def _undone(kept: Kept, keeping: Keeping | None) -> bool:
    back_to = keeping.restoring.back_to if keeping else None
    return back_to is not None and kept.began >= back_to


def above(paths: Iterable[str]) -> frozenset[str]:
    """The directories that paths lie in."""
    return frozenset(parent for path in paths for parent in _above(path))


def _above(path: str) -> tuple[str, ...]:
    return tuple(parents(path.rpartition("/")[0]))


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The steps that give others their files back, those paths, and what cannot be given back and why."""

    steps: tuple[Instruction, ...]
    paths: frozenset[str]
    left: tuple[str, ...]


def plan_giving_back(
    facts: Facts, keeping: Keeping | None, due: Mapping[str, Kept], wanted: Wanted, cleanup: Cleanup
) -> GivenBack:
    """Plan what is given back once the cleanup is done. A path that the revision itself has is no matter of this;
    whatever others have put there since stays, and what they may have put there is rescued."""
    made: dict[str, MakeDirectory] = {}
    rescues: list[Rescue] = []
    back: dict[str, RestoreCopy] = {}
    left = [
        f"{each.path} ({facts.unfit[each.copy]})"
        for each in facts.kept
        if _undone(each, keeping) and each.copy in facts.unfit and each.path not in wanted.files
    ]
    for path in sorted(due.keys() - wanted.files.keys()):
        gone = [each for each in _above(path) if _gone(each, facts, cleanup)]
        obstacle = _obstacle(path, facts, wanted, cleanup) or _crossing(path, back, made)
        if obstacle:
            left.append(f"{path} ({obstacle})")
            continue
        made |= {each: MakeDirectory(each, facts.directory_mode) for each in gone if each not in wanted.directories}
        ours = facts.there.get(path)
        replaces = ours is not None and ours.kind is not Kind.DIRECTORY
        back[path] = RestoreCopy(path, due[path].copy, due[path].kind, replaces)
        if replaces and keeping is not None and path in facts.changed:
            rescues.append(Rescue(path, f"rescued-{keeping.restoring.began:.3f}/{due[path].copy}"))
    return GivenBack((*rescues, *made.values(), *back.values()), frozenset(back), tuple(left))


def removals(cleanup: Cleanup, back: GivenBack) -> Iterator[Instruction]:
    """The steps of the cleanup, without files that what is given back takes the place of."""
    return (each for each in cleanup.steps if not (isinstance(each, RemoveFile) and each.file in back.paths))


def _gone(path: str, facts: Facts, cleanup: Cleanup) -> bool:
    return path not in facts.there or path in cleanup.cleared


def _obstacle(path: str, facts: Facts, wanted: Wanted, cleanup: Cleanup) -> str | None:
    """Why nothing can be put at a path once the cleanup is done."""
    if path in wanted.directories:
        return "the revision has a directory there"
    if not _gone(path, facts, cleanup):
        return "something else lies there by now"
    for each in _above(path):
        filled = not _gone(each, facts, cleanup) and facts.there[each].kind is not Kind.DIRECTORY
        if filled or each in wanted.files:
            return f"{each} is no directory by now"
    return None


def _crossing(path: str, back: Container[str], made: Container[str]) -> str | None:
    """Two copies from different times may not fit together: a file, and one in a directory of its name."""
    crosses = path in made or any(each in back for each in _above(path))
    return "another file that is given back is in its way" if crosses else None


@dataclass(frozen=True, slots=True)
class KeptNow:
    """The steps that keep copies of what is replaced, and all copies that are kept from then on."""

    steps: tuple[KeepCopy, ...]
    kept: tuple[Kept, ...]


def plan_keeping(
    facts: Facts,
    keeping: Keeping | None,
    *,
    copies: Iterable[CopyFile | MakeLink],
    ours: Collection[str],
    holds: Collection[str],
    back: GivenBack,
) -> KeptNow:
    """Plan what to keep of the files of others that the copies replace. `holds` are the paths the revision has.

    Without a rule nothing is kept any more. Raises InstallError if it would be more than a group may keep.
    """
    if keeping is None:
        return KeptNow((), ())
    staying = tuple(_remaining(facts, keeping, holds, back))
    first = 1 + max((int(each.copy) for each in facts.kept), default=0)
    replaced = [each.destination for each in copies if each.replaces and each.destination not in ours]
    found = [(str(number), path, facts.there[path]) for number, path in enumerate(replaced, first)]
    fresh = tuple(Kept(name, path, it.kind, it.size, keeping.restoring.began) for name, path, it in found)
    _refuse_too_much(staying, fresh, keeping.limit)
    return KeptNow(tuple(KeepCopy(each.path, each.copy, each.size) for each in fresh), (*staying, *fresh))


def _remaining(facts: Facts, keeping: Keeping, holds: Collection[str], back: GivenBack) -> Iterator[Kept]:
    """Copies that stay: those under a file of ours, and for a while those whose path the group has left."""
    for kept in facts.kept:
        age = 0 if kept.path in holds else kept.age + 1
        if age <= keeping.revisions and not (kept.path in back.paths and _undone(kept, keeping)):
            yield kept._replace(age=age)


def _refuse_too_much(staying: tuple[Kept, ...], fresh: tuple[Kept, ...], limit: int) -> None:
    held, more = sum(each.size for each in staying), sum(each.size for each in fresh)
    if not fresh or held + more <= limit:
        return
    named = ", ".join(each.path for each in fresh[:_NAMED])
    rest = f" and {len(fresh) - _NAMED} more" if len(fresh) > _NAMED else ""
    raise InstallError(
        f"{len(fresh)} files of others would be replaced, with {more} bytes: {named}{rest}. Their copies do not fit: "
        f"the group may keep {limit} bytes on this host and keeps {held}. Raise agent.overwritten_limit_bytes, move "
        "the files away, or let the group do without restore_overwritten."
    )
