"""What a host's events may touch: the agent's own records, and the ways to fetch, install and run scripts. Wiring fills
it in; `slipway local` and the agent share it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from domain.appspec import AppSpec, FileExistsBehavior, Script
from domain.hooks import Trace
from domain.keeping import Restoring
from domain.lifecycle import Event
from domain.reports import AgentReport, BundleSource, Diagnostics, HostOrder, Outcome


class Records(Protocol):
    """Where the agent keeps revisions and pointers."""

    def group(self, group_id: str) -> Path: ...
    def deployment(self, group_id: str, deployment_id: str) -> Path: ...
    def archive(self, group_id: str, deployment_id: str) -> Path: ...
    def script_log(self, group_id: str, deployment_id: str) -> Path: ...
    def instructions(self, group_id: str) -> Path: ...
    def last_successful(self, group_id: str) -> str | None: ...
    def most_recent(self, group_id: str) -> str | None: ...
    def mark_last_successful(self, group_id: str, deployment_id: str) -> None: ...
    def mark_most_recent(self, group_id: str, deployment_id: str) -> None: ...


class OpenAttempt(Protocol):
    """One attempt of the journal."""

    @property
    def order(self) -> HostOrder: ...
    @property
    def outcomes(self) -> Mapping[Event, Outcome]: ...
    @property
    def running(self) -> Event | None: ...
    @property
    def begun_at(self) -> float | None: ...
    @property
    def script(self) -> Trace | None: ...


class Journal(Protocol):
    """Which events of which attempts were begun and how they ended; an attempt is what `open` gave."""

    def knows(self, attempt: str) -> bool: ...
    def open(self, order: HostOrder) -> OpenAttempt | None: ...
    def begin(self, attempt: Any, event: Event, *, at: float) -> Outcome | bool: ...
    def note_script(self, attempt: Any, trace: Trace) -> None: ...
    def end(self, attempt: Any, outcome: Outcome) -> None: ...
    def left(self, *, since: float) -> Iterable[OpenAttempt]: ...
    def forget(self, *, before: float) -> None: ...


class Fetch(Protocol):
    """Puts the unpacked bundle of a source at a folder that is not there yet, within so many seconds, until `stop`."""

    def __call__(self, source: BundleSource, archive: Path, *, seconds: int, stop: threading.Event) -> None: ...


class InstallArchive(Protocol):
    """Installs an unpacked revision by its AppSpec, with records in a folder; answers a line for the log."""

    def __call__(
        self,
        archive: Path,
        spec: AppSpec,
        records: Path,
        *,
        behavior: FileExistsBehavior,
        restoring: Restoring | None,
    ) -> str: ...


class RunScripts(Protocol):
    """Runs an event's scripts; None on success. `note` is given the trace of each."""

    def __call__(
        self,
        scripts: Sequence[Script],
        *,
        event: Event,
        order: HostOrder,
        archive: Path,
        log: Path,
        on_line: Callable[[str], None],
        stop: threading.Event,
        note: Callable[[Trace], None],
    ) -> Diagnostics | None: ...


class Touch(Protocol):
    """Whether control hears the agent. Moments are by a clock that goes on while the agent is stopped."""

    def now(self) -> float:
        """This moment."""

    def lost_since(self, moment: float) -> bool:
        """Control may have given the host up since then, for it did not hear the agent."""


class NobodyListens:
    """For whoever carries out events on its own: nobody gives it up."""

    def now(self) -> float:
        """Always the same."""
        return 0.0

    def lost_since(self, moment: float) -> bool:  # noqa: ARG002
        """Never."""
        return False


@dataclass(frozen=True, slots=True)
class HostWorld:
    """The world of one agent."""

    host: str
    root: Path
    records: Records
    journal: Journal
    fetch: Fetch
    install: InstallArchive
    on_disk: Callable[[Path], str]
    """Says what of the group's last Install is on disk."""
    commit: Callable[[Path], None]
    """Drops what the group's last Install put aside: its deployment succeeded on this host."""
    own: Callable[[Path], None]
    """Scripts have run since the group's last Install: what they made of files over others' is their deployment's."""
    run_scripts: RunScripts
    end_script: Callable[[Trace], bool]
    """Ends a script that outlived the agent that ran it, with all that came of it; False where something stays."""
    prune: Callable[[Path, Sequence[str]], None]
    """Drops the oldest deployments of a group's folder but for those named."""
    tell: Callable[[AgentReport], None]
    """Passes a report to the control plane; returns at once."""
    stopped: Mapping[str, threading.Event]
    """Deployments of which no further event begins on this host; looked up by id, made on demand."""
    refused: Mapping[str, threading.Event]
    """Attempts of which control was told that their message cannot be read."""
    cut: Mapping[str, threading.Event]
    """Deployments whose running script or download is ended at once."""
    now: Callable[[], float]
    touch: Touch = field(default_factory=NobodyListens)
