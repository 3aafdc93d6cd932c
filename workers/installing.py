"""Installing on this machine: `tasks.installing` with its disk filled in."""

from __future__ import annotations

from pathlib import Path

from adapters.host.installer import HostDisk
from domain.appspec import AppSpec, FileExistsBehavior
from domain.install import InstallSummary, Plan
from domain.keeping import Keeping
from tasks import installing

_ROOT = Path("/")
_DISK = HostDisk()


def install(
    archive: Path,
    spec: AppSpec,
    *,
    state: Path,
    root: Path = _ROOT,
    behavior: FileExistsBehavior = FileExistsBehavior.DISALLOW,
    allow_outside_sources: bool = False,
    keeping: Keeping | None = None,
) -> InstallSummary:
    """Install an unpacked revision below `root`; see `tasks.installing.install`. Raises InstallError."""
    return installing.install(
        archive,
        spec,
        disk=_DISK,
        state=state,
        root=root,
        behavior=behavior,
        allow_outside_sources=allow_outside_sources,
        keeping=keeping,
    )


def plan_only(
    archive: Path,
    spec: AppSpec,
    *,
    state: Path,
    root: Path = _ROOT,
    behavior: FileExistsBehavior = FileExistsBehavior.DISALLOW,
    allow_outside_sources: bool = False,
    keeping: Keeping | None = None,
) -> Plan:
    """The plan that `install` would carry out now; changes nothing. Raises InstallError."""
    return installing.plan_only(
        archive,
        spec,
        disk=_DISK,
        state=state,
        root=root,
        behavior=behavior,
        allow_outside_sources=allow_outside_sources,
        keeping=keeping,
    )


def own(state: Path, root: Path = _ROOT) -> None:
    """Take what scripts made of files over others' for the deployment's own doing. Raises InstallError."""
    installing.own(state, root, disk=_DISK)


def undo(state: Path, root: Path = _ROOT) -> tuple[str, ...]:
    """Put the previous revision back; gives a line for each thing that could not be. Raises InstallError."""
    return installing.undo(state, root, disk=_DISK)


def commit(state: Path) -> None:
    """Drop what is kept for undo: the deployment is over. Raises InstallError."""
    installing.commit(state, disk=_DISK)


def describe_state(state: Path, root: Path = _ROOT) -> str:
    """Say exactly what the last Install has left on the disk. Raises InstallError."""
    return installing.describe_state(state, root, disk=_DISK)
