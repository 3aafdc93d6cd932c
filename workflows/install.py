"""Turns an AppSpec, a bundle's tree and what lies on the disk into the steps of an installation.

Everything that can be known to go wrong is found here, before a step is taken. Touches nothing.
Source: AppSpec `files` and `permissions` sections, and the AWS agent's rules for files that exist.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domain.appspec import AppSpec, FileExistsBehavior, Permission
from domain.errors import InstallError
from domain.install import (
    Context,
    CopyFile,
    Entry,
    Facts,
    Found,
    Instruction,
    KeepDirectory,
    Kind,
    MakeDirectory,
    MakeLink,
    Plan,
    Recorded,
    SetAcl,
    SetContext,
    SetMode,
    SetOwner,
)
from domain.keeping import Keeping
from workflows.install_cleanup import Cleanup, ours_in, plan_cleanup
from workflows.install_keeping import above, due_back, others_by_now, plan_giving_back, plan_keeping, removals
from workflows.install_permissions import context_of, owner_of, plan_permission, reach
from workflows.install_sources import Wanted, gather

_NAMED = 5
"""How many paths a message names."""
_USABLE = 0o300
"""The bits a directory needs while files are put into it."""


@dataclass(frozen=True, slots=True)
class _Site:
    """What every part of the planning reads."""

    facts: Facts
    wanted: Wanted
    ours: frozenset[str]
    cleanup: Cleanup
    reached: Mapping[str, Permission]


def plan_install(spec: AppSpec, facts: Facts, behavior: FileExistsBehavior, keeping: Keeping | None = None) -> Plan:
    """Plan an installation: keep what is replaced of others, take away, make directories, copy, give back, set
    permissions; the order undo reverses.

    A `file_exists_behavior` in the AppSpec wins over `behavior`. Files of the previous revision never conflict and
    those that are right as they lie get no step. Links stay links, to directories too. Raises InstallError with all
    conflicts; nothing has been touched then.
    """
    behavior = spec.file_exists_behavior or behavior
    due = due_back(facts, keeping)
    wanted = gather(facts, behavior, back=due)
    facts = facts._replace(foreign=others_by_now(facts, due, wanted))
    ours = ours_in(facts)
    cleanup = plan_cleanup(facts, files=wanted.files, directories=wanted.directories.keys() | above(due))
    new = _refuse_obstacles(facts, wanted, ours, cleanup, behavior)
    reached = reach(spec.permissions, facts, files=wanted.files, directories=new)
    site = _Site(facts, wanted, ours, cleanup, reached)
    copies = list(_plan_files(site))
    back = plan_giving_back(facts, keeping, due, wanted, cleanup)
    kept = plan_keeping(facts, keeping, copies=copies, ours=ours, holds=wanted.files, back=back)
    made = (*_plan_directories(site, new), *copies, *back.steps)
    steps = (*kept.steps, *removals(cleanup, back), *made, *_plan_access(site, new, copies))
    return Plan(
        archive=facts.archive,
        instructions=steps,
        record=tuple(_record(site, new)),
        unchanged=len(wanted.files) - len(copies),
        retained=len(wanted.retained),
        kept=kept.kept,
        left=back.left,
    )


def _refuse_obstacles(
    facts: Facts, wanted: Wanted, ours: frozenset[str], cleanup: Cleanup, behavior: FileExistsBehavior
) -> dict[str, Found | None]:
    """The directories this revision makes or keeps as its own, unless something is in the way."""
    new: dict[str, Found | None] = {}
    for path in wanted.directories:
        found = facts.there.get(path)
        if found is None or path in cleanup.cleared:
            new[path] = None
        elif found.kind is Kind.DIRECTORY:
            if path in ours:
                new[path] = found
        else:
            _refuse_no_directory(path, found)
    _refuse_in_the_way(facts, wanted, ours, cleanup)
    if behavior is FileExistsBehavior.DISALLOW:
        _refuse_foreign(facts, wanted, ours)
    return new


def _refuse_no_directory(path: str, found: Found) -> None:
    if found.outside:
        raise InstallError(f"{path} is a link that leads out of this host's root: nothing is installed through it.")
    if found.leads is not Kind.DIRECTORY:
        raise InstallError(
            f"{path} is a {_word(found)} where the revision needs a directory: move it away, or change the destination."
        )


def _refuse_in_the_way(facts: Facts, wanted: Wanted, ours: frozenset[str], cleanup: Cleanup) -> None:
    for path in wanted.files:
        found = facts.there.get(path)
        if found is None or path in cleanup.cleared or found.kind in {Kind.FILE, Kind.LINK}:
            continue
        rest = " of the previous revision that holds files of others" if path in ours else ""
        raise InstallError(
            f"{path} is a {_word(found)}{rest} where the revision has a file: move it away, or change the destination."
        )


def _refuse_foreign(facts: Facts, wanted: Wanted, ours: frozenset[str]) -> None:
    conflicts = [path for path in wanted.files if path not in ours and _counts(facts.there.get(path))]
    if conflicts:
        named = ", ".join(conflicts[:_NAMED])
        more = f" and {len(conflicts) - _NAMED} more" if len(conflicts) > _NAMED else ""
        raise InstallError(
            f"{len(conflicts)} of the revision's files exist already and no deployment of this group made them: "
            f"{named}{more}. Set file_exists_behavior to OVERWRITE or RETAIN, or move them away."
        )


def _counts(found: Found | None) -> bool:
    """Whether something conflicts: a link that leads nowhere does not."""
    return found is not None and not (found.kind is Kind.LINK and found.leads is None)


def _word(found: Found) -> str:
    return "socket, pipe or device" if found.kind is Kind.OTHER else str(found.kind)


def _plan_directories(site: _Site, new: Mapping[str, Found | None]) -> Iterator[Instruction]:
    for path, found in new.items():
        if found is None:
            mode, uid, gid = _due(site, path)
            yield MakeDirectory(path, mode | _USABLE, uid, gid)


def _due(site: _Site, path: str) -> tuple[int, int, int]:
    """Mode, user and group of a directory before permissions; only root gives things away."""
    entry, facts = site.wanted.directories[path], site.facts
    if entry is None or entry.mode is None:
        return facts.directory_mode, -1, -1
    return entry.mode, *((entry.uid, entry.gid) if facts.uid == 0 else (-1, -1))


def _plan_files(site: _Site) -> Iterator[CopyFile | MakeLink]:
    forgotten = {each.path for each in site.facts.record if each.context is not None}
    there, cleared = site.facts.there, site.cleanup.cleared
    for path, (source, entry) in site.wanted.files.items():
        found = there.get(path)
        if found is not None and path in site.ours and path not in forgotten and _right(site, path, entry, found):
            continue
        replaces = found is not None and path not in cleared
        if entry.kind is Kind.LINK:
            yield MakeLink(source, path, entry.target, replaces)
        else:
            yield CopyFile(source, path, replaces)


def _right(site: _Site, path: str, entry: Entry, found: Found) -> bool:
    """Whether a file of ours needs nothing. ACLs and contexts are not compared: what has or wants one is made anew."""
    permission = site.reached.get(path)
    if not found.same or found.kind is not entry.kind or found.attributes:
        return False
    if permission is not None and (permission.acls is not None or permission.context is not None):
        return False
    uid, gid = owner_of(permission, site.facts)
    if entry.kind is Kind.LINK:
        return uid in {-1, found.uid} and gid in {-1, found.gid}
    if site.facts.uid == 0:
        uid, gid = (entry.uid if uid == -1 else uid), (entry.gid if gid == -1 else gid)
    mode = entry.mode if permission is None or permission.mode is None else permission.mode
    return mode == found.mode and uid in {-1, found.uid} and gid in {-1, found.gid}


def _plan_access(
    site: _Site, new: Mapping[str, Found | None], copies: list[CopyFile | MakeLink]
) -> Iterator[Instruction]:
    """Permissions entry by entry, then the modes of directories that none reaches."""
    copied = {each.destination: isinstance(each, MakeLink) for each in copies} if site.reached else {}
    for path, permission in site.reached.items():
        if path in new:
            yield from _plan_directory_access(site, path, new[path])
        elif path in copied:
            yield from plan_permission(path, permission, site.facts, link=copied[path])
    for path in reversed(tuple(new)):
        if path not in site.reached:
            yield from _plan_directory_access(site, path, new[path])


def _plan_directory_access(site: _Site, path: str, found: Found | None) -> Iterator[Instruction]:
    permission, (mode, _, _) = site.reached.get(path), _due(site, path)
    if found is not None:
        yield from _plan_kept_access(site, path, found)
        return
    if mode & _USABLE != _USABLE and (permission is None or permission.mode is None):
        yield SetMode(path, mode)
    if permission is not None:
        yield from plan_permission(path, permission, site.facts)


def _plan_kept_access(site: _Site, path: str, found: Found) -> Iterator[Instruction]:
    """A directory of the previous revision gets what it would have got if it were made anew, if it has not yet."""
    permission, (mode, uid, gid) = site.reached.get(path), _due(site, path)
    asked = owner_of(permission, site.facts)
    uid, gid = (given if given != -1 else due for given, due in zip(asked, (uid, gid), strict=True))
    steps: list[Instruction] = []
    if permission is not None:
        mode = mode if permission.mode is None else permission.mode
        steps += [
            each for each in plan_permission(path, permission, site.facts) if isinstance(each, SetAcl | SetContext)
        ]
    if mode != found.mode:
        steps.insert(0, SetMode(path, mode))
    if uid not in {-1, found.uid} or gid not in {-1, found.gid}:
        steps.append(SetOwner(path, uid, gid))
    if steps:
        yield KeepDirectory(path, found.mode, found.uid, found.gid, found.attributes)
        yield from steps


def _record(site: _Site, new: Mapping[str, Found | None]) -> Iterator[Recorded]:
    for path in new:
        yield Recorded(Kind.DIRECTORY, path, _context(site, path))
    for path, (_, entry) in site.wanted.files.items():
        yield Recorded(entry.kind, path, _context(site, path) if site.reached else None)


def _context(site: _Site, path: str) -> Context | None:
    permission = site.reached.get(path)
    return None if permission is None or permission.context is None else context_of(permission)
