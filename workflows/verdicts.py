"""What is to be done about a lane that was looked at: wait, send its message again, or move it on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.reports import Outcome
from domain.values import Instant


class GivenUp(StrEnum):
    """Why a host was given up."""

    NOT_PICKED_UP = "not_picked_up"
    AGENT_BUSY = "agent_busy"
    AGENT_SILENT = "agent_silent"
    EVENT_TIMEOUT = "event_timeout"
    REVISION = "revision"
    TERMINATED = "terminated"
    DEREGISTERED = "deregistered"


@dataclass(frozen=True, slots=True)
class Wait:
    """All is well, or may still be: look again then."""

    until: Instant


@dataclass(frozen=True, slots=True)
class StartLane:
    """The lane's own message was lost: send it again."""


@dataclass(frozen=True, slots=True)
class Nudge:
    """Nothing was heard for a while: send the rest of the host's chain again if its queue is empty, then look again."""

    until: Instant
    deadline: Instant
    """When the host is given up if it does not begin; what is sent is not to be taken after that."""
    expired: bool = False
    """What was sent has expired, whatever waits in the queue."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The host is done but its lane did not hear of it: move the lane with these outcomes."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Reap:
    """The host is given up: move the lane with these outcomes, of which the last says why."""

    outcomes: tuple[Outcome, ...]
    why: GivenUp


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The deployment is being stopped and nothing was heard of what is next on the host: take back what waits there for
    it, and go by whether there was anything. Where there was nothing, the agent has it."""

    found: Wait | Continue | Reap
    otherwise: Wait | Continue | Reap


Verdict = Wait | StartLane | Nudge | Continue | Reap | Withdraw
