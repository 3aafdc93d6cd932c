"""When work is late, and what to do about it: wait, send its message again, or give up with the true reason.

Source: AWS CodeDeploy user guide, "CodeDeploy quotas", for the five-minute and one-hour rules; the rest is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain import reasons
from domain.deployments import Deployment, EventRecord, Lane, TargetRecord
from domain.fleet import AgentSeen
from domain.lifecycle import Event
from domain.limits import Limits
from domain.reports import (
    AgentHello,
    AgentReport,
    Diagnostics,
    ErrorCode,
    EventFinished,
    EventStarted,
    EventStatus,
    LogLines,
    Outcome,
)
from domain.values import Instant


@dataclass(frozen=True, slots=True)
class Wait:
    """All is well, or may still be: look again then."""

    until: Instant


@dataclass(frozen=True, slots=True)
class StartLane:
    """The lane's own message was lost: send it again."""


@dataclass(frozen=True, slots=True)
class Nudge:
    """Nothing was heard for a while: send the rest of the host's chain again, then look again."""

    until: Instant


@dataclass(frozen=True, slots=True)
class Continue:
    """The host is done but its lane did not hear of it: move the lane with these outcomes."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Reap:
    """The host is given up: move the lane with these outcomes."""

    outcomes: tuple[Outcome, ...]


Verdict = Wait | StartLane | Nudge | Continue | Reap


def check_after(report: AgentReport, limits: Limits, now: Instant) -> Instant | None:
    """When the watch should look at the lane of a report again; None to leave that as it is."""
    match report:
        case EventStarted(limit=limit):
            return now + min(limit, limits.look_seconds)
        case EventFinished(interrupted=interrupted):
            return now if interrupted else now + limits.nudge_seconds
        case AgentHello() | LogLines():
            return None


def judge(
    deployment: Deployment,
    events: Sequence[Event],
    lane: Lane,
    record: TargetRecord | None,
    *,
    agent_seen: AgentSeen | None,
    control_since: Instant,
    now: Instant,
    limits: Limits,
) -> Verdict:
    """What to do about a lane whose time to be looked at has come. `control_since`: since when reports are heard."""
    if lane.retired:
        return Wait(now + limits.deployment_seconds)
    if record is None:
        return StartLane()
    outcomes = _known(events, record)
    left = [event for event in events if event not in outcomes]
    if not left or _over(outcomes, record):
        return Continue(tuple(outcomes.values()))
    held = record.events.get(left[0], EventRecord())
    if held.status is EventStatus.IN_PROGRESS:
        silent = _silence(agent_seen, control_since, now)
        return _judge_running(deployment, left[0], held, tuple(outcomes.values()), agent_seen, silent, now, limits)
    return _judge_waiting(left[0], lane, outcomes, agent_seen, now, limits)


def _known(events: Sequence[Event], record: TargetRecord) -> dict[Event, Outcome]:
    return {
        event: outcome_of(event, held)
        for event in events
        if (held := record.events.get(event)) is not None and held.status.final
    }


def outcome_of(event: Event, held: EventRecord) -> Outcome:
    """A record of an ended event as the outcome it came from."""
    return Outcome(
        event=event,
        status=held.status,
        start_time=held.start_time,
        end_time=held.end_time,
        diagnostics=held.diagnostics,
        forgiven=held.forgiven,
    )


def _over(outcomes: dict[Event, Outcome], record: TargetRecord) -> bool:
    """Nothing carries the host's chain on, or all that is left of it is to be skipped."""
    failed = any(o.status is EventStatus.FAILED and not o.forgiven for o in outcomes.values())
    return record.interrupted or failed


def _silence(seen: AgentSeen | None, control_since: Instant, now: Instant) -> float:
    """Seconds for which the agent could have been heard and was not."""
    return now - max(control_since, seen.at if seen else control_since)


def _judge_running(
    deployment: Deployment,
    event: Event,
    held: EventRecord,
    before: tuple[Outcome, ...],
    seen: AgentSeen | None,
    silent: float,
    now: Instant,
    limits: Limits,
) -> Verdict:
    started = held.start_time or now
    # The agent ends a script at its own limit and says so; the margin lets that word arrive first.
    deadline = started + deployment.event_seconds + limits.nudge_seconds
    if now >= deadline:
        text = reasons.EVENT_TIMEOUT.format(seconds=deployment.event_seconds, seen=_last_seen(seen, now))
        return Reap((*before, _lost(event, started, now, ErrorCode.SCRIPT_TIMED_OUT, text)))
    if silent >= limits.silence_seconds:
        text = reasons.SILENT.format(ago=round(silent))
        return Reap((*before, _lost(event, started, now, ErrorCode.UNKNOWN_ERROR, text)))
    return Wait(min(deadline, now + limits.look_seconds))


def _judge_waiting(
    event: Event,
    lane: Lane,
    outcomes: dict[Event, Outcome],
    seen: AgentSeen | None,
    now: Instant,
    limits: Limits,
) -> Verdict:
    since = max([lane.taken_at or now, *(o.end_time for o in outcomes.values() if o.end_time)])
    deadline = since + limits.pickup_seconds
    if now >= deadline:
        text = reasons.NOT_PICKED_UP.format(seconds=limits.pickup_seconds, seen=_last_seen(seen, now))
        return Reap((*outcomes.values(), _lost(event, None, now, ErrorCode.UNKNOWN_ERROR, text)))
    return Nudge(min(deadline, now + 2 * limits.nudge_seconds))


def _lost(event: Event, started: Instant | None, now: Instant, code: ErrorCode, text: str) -> Outcome:
    return Outcome(
        event=event,
        status=EventStatus.FAILED,
        start_time=started,
        end_time=now,
        diagnostics=Diagnostics(error_code=code, message=text),
    )


def _last_seen(seen: AgentSeen | None, now: Instant) -> str:
    return reasons.LAST_SEEN.format(ago=round(now - seen.at)) if seen else reasons.NEVER_SEEN


def deployment_expired(deployment: Deployment, now: Instant, limits: Limits) -> bool:
    """The deployment as a whole has run too long."""
    return deployment.start_time is not None and now - deployment.start_time >= limits.deployment_seconds
