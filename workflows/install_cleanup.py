"""What of the previous revision goes away: its files that the new one does not want, then its directories if that
leaves them empty. Also says what on the host counts as ours.

Source: the cleanup record of the AWS agent, run bottom-up; here it becomes part of the plan.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from domain.install import Facts, ForgetContext, Found, Instruction, Kind, Recorded, RemoveDirectory, RemoveFile


def ours_in(facts: Facts) -> frozenset[str]:
    """Paths that the previous revision made and that are still what it made: a directory, or something else."""
    return frozenset(each.path for each in facts.record if _still(facts, each, facts.there.get(each.path)))


def _still(facts: Facts, recorded: Recorded, found: Found | None) -> bool:
    if found is None or found.kind is Kind.OTHER or recorded.path in facts.foreign:
        return False
    return (recorded.kind is Kind.DIRECTORY) == (found.kind is Kind.DIRECTORY)


@dataclass(frozen=True, slots=True)
class Cleanup:
    """The steps that take the previous revision away, and the paths they clear."""

    steps: tuple[Instruction, ...]
    cleared: frozenset[str]


def plan_cleanup(facts: Facts, *, files: Container[str], directories: Container[str]) -> Cleanup:
    """Plan what to take away for a revision that wants these files and directories.

    A file that is wanted again stays for the copy to replace or leave. A directory goes only if nothing is left in it.
    """
    steps: list[Instruction] = [
        ForgetContext(each.path, each.context) for each in reversed(facts.record) if each.context is not None
    ]
    cleared: set[str] = set()
    for recorded in reversed(facts.record):
        path, found = recorded.path, facts.there.get(recorded.path)
        if found is None or not _still(facts, recorded, found):
            continue
        if found.kind is not Kind.DIRECTORY:
            if path in files:
                continue
            steps.append(RemoveFile(path))
        elif path in directories or not _emptied(path, found, cleared):
            continue
        else:
            steps.append(RemoveDirectory(path, found.mode, found.uid, found.gid, found.attributes))
        cleared.add(path)
    return Cleanup(tuple(steps), frozenset(cleared))


def _emptied(path: str, found: Found, cleared: set[str]) -> bool:
    return all(f"{path}/{name}" in cleared for name in found.children)
