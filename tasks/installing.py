"""Installs a revision on a host: looks, plans, then acts through the disk it is given. No Celery here; `slipway local`
uses it too.
"""

from __future__ import annotations

from pathlib import Path

from domain.appspec import AppSpec, FileExistsBehavior
from domain.install import Disk, InstallSummary, Place, Plan
from domain.install_text import plan_as_json
from domain.keeping import Keeping
from workflows.install import plan_install
from workflows.install_sources import ask

__all__ = ["commit", "describe_state", "install", "own", "plan_as_json", "plan_only", "undo"]

_ROOT = Path("/")


def install(
    archive: Path,
    spec: AppSpec,
    *,
    disk: Disk,
    state: Path,
    root: Path = _ROOT,
    behavior: FileExistsBehavior = FileExistsBehavior.DISALLOW,
    allow_outside_sources: bool = False,
    keeping: Keeping | None = None,
) -> InstallSummary:
    """Install an unpacked revision below `root`, keeping the group's records in `state`.

    What a crash cut off is undone first. Raises InstallError: conflicts are found before anything is touched, and a
    step that fails has everything undone. What was replaced stays aside until `commit`, `undo` or the next install.
    With `keeping`, others' files that are replaced are copied for a rollback; without, the copies there are dropped.
    """
    place, question = Place(state, root), ask(archive, spec, allow_outside=allow_outside_sources)
    with disk.claimed(place):
        disk.recover(place)
        plan = plan_install(spec, disk.look(question, place), behavior, keeping)
        return disk.run(plan, place)


def plan_only(
    archive: Path,
    spec: AppSpec,
    *,
    disk: Disk,
    state: Path,
    root: Path = _ROOT,
    behavior: FileExistsBehavior = FileExistsBehavior.DISALLOW,
    allow_outside_sources: bool = False,
    keeping: Keeping | None = None,
) -> Plan:
    """The plan that `install` would carry out now; changes nothing."""
    question = ask(archive, spec, allow_outside=allow_outside_sources)
    return plan_install(spec, disk.look(question, Place(state, root)), behavior, keeping)


def own(state: Path, root: Path = _ROOT, *, disk: Disk) -> None:
    """Scripts have run since the Install: what they made of files over others' is the deployment's own doing."""
    place = Place(state, root)
    with disk.claimed(place):
        disk.own(place)


def undo(state: Path, root: Path = _ROOT, *, disk: Disk) -> tuple[str, ...]:
    """Put the previous revision's files and record back; gives a line for each thing that could not be.

    Nothing happens when there is nothing to undo, so it may be repeated.
    """
    place = Place(state, root)
    with disk.claimed(place):
        return disk.undo(place)


def commit(state: Path, *, disk: Disk) -> None:
    """Drop what is kept for undo: the deployment is over and its revision stays."""
    place = Place(state, _ROOT)
    with disk.claimed(place):
        disk.commit(place)


def describe_state(state: Path, root: Path = _ROOT, *, disk: Disk) -> str:
    """Say exactly what the last Install has left on the disk."""
    return disk.describe(Place(state, root))
