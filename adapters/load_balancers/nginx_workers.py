"""The processes of an nginx on this machine: its workers, and which of them are on their way out. Reads /proc."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from domain.errors import WorldError

_PROC = Path("/proc")


class Worker(NamedTuple):
    """A worker process; the start tells it from a later one with the same pid."""

    pid: int
    start: int


class _Stat(NamedTuple):
    parent: int
    start: int


def workers_of(pid_file: Path) -> dict[Worker, bool]:
    """The workers of the master that the file names, and whether each is shutting down. Raises WorldError where nginx
    does not run."""
    master = _master(pid_file)
    found = dict(_children(master))
    if not found:
        raise WorldError(
            f"nginx has no workers: {pid_file} names process {master}, which is gone or none of its masters"
        )
    return found


def alive(workers: Collection[Worker]) -> list[Worker]:
    """Those that are there still."""
    return [worker for worker in workers if (stat := _stat(worker.pid)) and stat.start == worker.start]


def _master(pid_file: Path) -> int:
    try:
        return int(pid_file.read_text()[:20])
    except (OSError, ValueError) as error:
        raise WorldError(f"nginx does not run here, or not with the pid file {pid_file}: {error}") from error


def _children(master: int) -> Iterator[tuple[Worker, bool]]:
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and (stat := _stat(int(folder.name))) and stat.parent == master:
            title = _title(folder)
            if title.startswith("nginx: worker process"):
                yield Worker(int(folder.name), stat.start), "shutting down" in title


def _title(folder: Path) -> str:
    try:
        return (folder / "cmdline").read_bytes()[:200].decode(errors="replace")
    except OSError:
        return ""


def _stat(pid: int) -> _Stat | None:
    """None for a process that is gone, or dead and not fetched yet."""
    try:
        # Behind the name, which may hold spaces and brackets: state, parent, …, start time as the twentieth.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else _Stat(int(fields[1]), int(fields[19]))
