"""What a lane may do next, and what the store is asked to write for it: the vocabulary between decision and effect."""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.deployments import Deployment, Lane, Progress, TargetRecord, TargetStatus
from domain.fleet import HostRecord
from domain.happenings import Happening
from domain.reports import AgentReport, Outcome
from domain.values import Instant


@dataclass(frozen=True, slots=True)
class LaneView:
    """All that the next move of a lane depends on, read at one moment."""

    deployment: Deployment
    progress: Progress
    lane: Lane
    current: TargetRecord | None
    """The target the lane works on, if any."""
    upcoming: TargetRecord | None
    """The next target in pick order, if any is left in the phase."""
    known: HostRecord = field(default_factory=HostRecord)
    """What the group remembers of the host of `current`."""


@dataclass(frozen=True, slots=True)
class Conclude:
    """The target's attempt is over: its status, its events' outcomes, and what the group remembers of the host."""

    target_id: str
    status: TargetStatus
    outcomes: tuple[Outcome, ...]
    at: Instant
    remember: HostRecord


@dataclass(frozen=True, slots=True)
class Take:
    """The lane starts on a target, with a fresh attempt token; the watch looks again at `check_at`."""

    target_id: str
    attempt: str
    at: Instant
    check_at: Instant


@dataclass(frozen=True, slots=True)
class Pass:
    """The lane passes over a target that failed in an earlier phase, and moves again at once; the watch looks again at
    `check_at`."""

    target_id: str
    check_at: Instant


@dataclass(frozen=True, slots=True)
class Stale:
    """The message is of an earlier step: its moment has passed."""


@dataclass(frozen=True, slots=True)
class Resend:
    """The step was made already but its chain may not have been sent: send it again for `current`."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a lane: conclude what it worked on, then take another target, pass over one, or retire."""

    conclude: Conclude | None
    take: Take | None
    happenings: tuple[Happening, ...] = ()
    passes: Pass | None = None

    @property
    def check_at(self) -> Instant | None:
        """When the watch looks at the lane again; None once it has retired."""
        ahead = self.take or self.passes
        return ahead.check_at if ahead else None


Move = Stale | Resend | Step


@dataclass(frozen=True, slots=True)
class Change:
    """A new version of a deployment and what is told of it."""

    deployment: Deployment
    happenings: tuple[Happening, ...] = ()


@dataclass(frozen=True, slots=True)
class Changed:
    """A deployment as written; `freed` is the queued deployment whose turn has come, if this one ended before it."""

    deployment: Deployment
    freed: str | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """What became of a request: the deployment's id, whether an earlier request made it, whether it waits."""

    deployment_id: str
    repeated: bool = False
    queued: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """A report of an agent, and when the watch should look at its lane again (None: leave that as it is)."""

    report: AgentReport
    check_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A lane whose time to be looked at has come."""

    deployment_id: str
    phase: int
    lane: int
    check_at: Instant


@dataclass(frozen=True, slots=True)
class Shown:
    """A deployment with what is told beside it, read at one moment."""

    deployment: Deployment
    progress: Progress | None
    """The counters of its present phase, None before that opened."""
    application_name: str | None
    """Today's name; None if the application was deleted."""
    group_name: str | None
    """Today's name; None if the group was deleted."""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Consecutive lines of an event's log: `first` counts from 0, `dropped` bytes were left out before it."""

    event: str
    first: int
    lines: tuple[str, ...]
    dropped: int = 0
