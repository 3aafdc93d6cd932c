"""When work is late, and what to do about it: wait, send its message again, or give up with the true reason.

Source: AWS CodeDeploy user guide, "CodeDeploy quotas", for the five-minute and one-hour rules; the rest is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from domain import reasons
from domain.deployments import Deployment, EventRecord, Lane, Phase, PhaseKind, TargetRecord
from domain.fleet import AGENT_TAG, AgentSeen, Fate
from domain.lifecycle import BY_EVENT, Event, Runner
from domain.limits import Limits
from domain.moves import Heard
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
from workflows import agents
from workflows.names import agent_of
from workflows.silence import TRAVEL
from workflows.verdicts import Continue, GivenUp, Nudge, Reap, StartLane, Verdict, Wait, Withdraw

SOON = 0.1
"""Seconds by which a look is put off at least, for moments are rounded."""


def check_after(report: AgentReport, limits: Limits, now: Instant) -> Instant | None:
    """When the watch should look at the lane of a report again; None to leave that as it is."""
    match report:
        case EventStarted(limit=limit):
            return now + min(limit, limits.look_seconds, limits.silence_seconds)
        case EventFinished(interrupted=interrupted):
            return now if interrupted else now + limits.nudge_seconds
        case AgentHello() | LogLines():
            return None


def heard(report: AgentReport, limits: Limits, now: Instant) -> Heard:
    """A report as it is kept: with the time of the next look, and a greeting as of the moment it was heard."""
    if isinstance(report, AgentHello):
        report = agents.by_our_clock(report, now)
    return Heard(report, check_after(report, limits, now))


@dataclass(frozen=True, slots=True)
class _Look:
    """What a look at a lane knows beside its records."""

    seen: AgentSeen | None
    listening_since: Instant
    now: Instant
    limits: Limits

    @property
    def dead_at(self) -> Instant:
        """When the agent is taken for dead if it is not heard before; never, if it never said a word, for its hosts may
        answer under another name."""
        if self.seen is None:
            return math.inf
        return max(self.listening_since, self.seen.at) + agents.longest_silence(self.seen, self.limits)

    @property
    def busy(self) -> bool:
        """The agent is alive and has no room for another event."""
        return agents.is_busy(self.seen, self.now)

    def by_our_clock(self, at: Instant) -> Instant:
        """A moment that the host told, without what its clock is off."""
        return at - (self.seen.ahead if self.seen else 0.0)

    @property
    def last_seen(self) -> str:
        """The end of a reason: when the agent was last heard of."""
        return reasons.LAST_SEEN.format(ago=self._ago) if self.seen else reasons.NEVER_SEEN

    @property
    def silent(self) -> str:
        """The reason to give up a host whose agent fell silent."""
        return reasons.SILENT.format(since=agents.clock(self.seen.at if self.seen else self.now), ago=self._ago)

    @property
    def unheard(self) -> str:
        """The reason to give up a host whose agent fell silent when it may have begun an event."""
        return reasons.UNHEARD.format(since=agents.clock(self.seen.at if self.seen else self.now), ago=self._ago)

    @property
    def _ago(self) -> int:
        return max(0, round(self.now - self.seen.at)) if self.seen else 0


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
    """What to do about a lane whose time to be looked at has come. `record` is that of the lane's target.

    `control_since` says since when reports are being heard: what happened before may not have been told yet, so every
    limit leaves time for that.
    """
    if lane.retired:
        return Wait(now + limits.deployment_seconds)
    if record is None:
        return StartLane()
    look = _Look(agent_seen, control_since, now, limits)
    outcomes = _known(events, record)
    left = [event for event in events if event not in outcomes]
    if not left or _over(outcomes, record):
        return Continue(tuple(outcomes.values()))
    for event in left:
        held = record.events.get(event)
        if held is not None and held.status is EventStatus.IN_PROGRESS:
            return _judge_running(event, _begun(held, lane, look), tuple(outcomes.values()), deployment, look)
    return _judge_waiting(left[0], lane, tuple(outcomes.values()), deployment, record.target.queue, look)


def _begun(held: EventRecord, lane: Lane, look: _Look) -> Instant:
    """When the event began: not before the lane took the host, whatever the host's clock says."""
    return max(look.by_our_clock(held.start_time) if held.start_time else look.now, lane.taken_at or 0.0)


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


def _judge_running(
    event: Event, begun: Instant, before: tuple[Outcome, ...], deployment: Deployment, look: _Look
) -> Verdict:
    limits, now = look.limits, look.now
    # The agent ends a script at that limit and says so; the margins let that word arrive first.
    margin = limits.nudge_seconds + (look.seen.grace if look.seen else 0.0)
    deadline = max(begun + deployment.event_seconds + margin, look.listening_since + limits.silence_seconds)
    if BY_EVENT[event].runner is Runner.TRAFFIC and now < deadline:
        # Whoever looks at the balancer puts this off; nobody did.
        return Nudge(min(deadline, now + 2 * limits.nudge_seconds), deadline)
    if now >= deadline:
        text = reasons.EVENT_TIMEOUT.format(seconds=deployment.event_seconds, seen=look.last_seen)
        lost = _lost(event, begun, now, ErrorCode.SCRIPT_TIMED_OUT, text)
        return Reap((*before, lost), GivenUp.EVENT_TIMEOUT)
    if now >= look.dead_at:
        lost = _lost(event, begun, now, ErrorCode.UNKNOWN_ERROR, look.silent)
        return Reap((*before, lost), GivenUp.AGENT_SILENT)
    return Wait(min(deadline, now + limits.look_seconds, max(look.dead_at, now + SOON)))


def _not_picked_up(event: Event, queue: str, seconds: int, look: _Look) -> str:
    if BY_EVENT[event].runner is not Runner.HOST:
        return reasons.NO_CONTROL.format(seconds=seconds)
    if look.seen and look.busy:
        return reasons.AGENT_BUSY.format(seconds=seconds, slots=look.seen.slots)
    if look.seen:
        return reasons.NOT_PICKED_UP.format(seconds=seconds, seen=look.last_seen)
    agent = agent_of(queue)
    text = reasons.NOBODY_THERE.format(seconds=seconds, command=f"slipway agent --id {agent}", queue=queue)
    return text + reasons.AGENT_ELSEWHERE.format(tag=AGENT_TAG) if agent.startswith("i-") else text


def _judge_waiting(
    event: Event, lane: Lane, before: tuple[Outcome, ...], deployment: Deployment, queue: str, look: _Look
) -> Verdict:
    limits, now = look.limits, look.now
    ends = (look.by_our_clock(outcome.end_time) for outcome in before if outcome.end_time)
    known = (lane.taken_at or now, look.listening_since, *ends)
    # A host's clock that is ahead would put its end into the future.
    since = min(now, max(known))
    on_host = BY_EVENT[event].runner is Runner.HOST
    busy = on_host and look.busy
    # An agent that is at work for others takes nothing up; its time begins once it could have.
    free = max(since, look.seen.full_at or since) if look.seen and on_host else since
    patience = since + max(limits.pickup_seconds, deployment.event_seconds)
    deadline = patience if busy else min(free + limits.pickup_seconds, patience)
    if now >= deadline:
        text = _not_picked_up(event, queue, round(now - since) if busy else limits.pickup_seconds, look)
        lost = _lost(event, None, now, ErrorCode.UNKNOWN_ERROR, text)
        return Reap((*before, lost), GivenUp.AGENT_BUSY if busy else GivenUp.NOT_PICKED_UP)
    if now < since + limits.nudge_seconds:
        return Wait(min(deadline, since + limits.nudge_seconds))
    if deployment.stopping and on_host:
        taken = _if_taken(event, since, before, deployment, look)
        # What waits there proves that nobody took it, unless it may be a copy that was sent before the stop.
        original = (deployment.stopping_at or 0.0) < since + limits.nudge_seconds
        return Withdraw(Continue(before) if original else taken, taken)
    if busy:
        return _wait_for_room(since, deadline, look)
    # Each time twice as late: whoever waits behind a long queue need not be looked at so often.
    return Nudge(min(deadline, max(now + 2 * limits.nudge_seconds, now + (now - free))), deadline)


def _if_taken(
    event: Event, since: Instant, before: tuple[Outcome, ...], deployment: Deployment, look: _Look
) -> Wait | Continue | Reap:
    """What becomes of a host in a stop whose agent may have taken the message of its next event, and told nothing."""
    stopped_at = deployment.stopping_at or 0.0
    if look.seen is None or agents.has_missed_words(look.seen, since) or look.seen.at > stopped_at + TRAVEL:
        # It was away before there was anything to take; or it knew of the stop when it was heard, and would have told
        # first of an event that it had begun.
        return Continue(before)
    if look.now < look.dead_at:
        return Wait(min(look.dead_at, look.now + look.limits.nudge_seconds))
    # It may have begun the event in the moment before it fell silent: the host counts as touched.
    lost = _lost(event, since, look.now, ErrorCode.UNKNOWN_ERROR, look.unheard)
    return Reap((*before, lost), GivenUp.AGENT_SILENT)


def _wait_for_room(since: Instant, deadline: Instant, look: _Look) -> Verdict:
    """Let the host wait while its agent is at work for others, and send its message again each time one has expired: a
    queue that is not empty may hold those of others alone."""
    lives, every = look.limits.pickup_seconds, look.limits.look_seconds
    age = look.now - since
    ended = math.floor(age / lives)
    until = min(deadline, look.now + every, since + (ended + 1) * lives)
    # The first look after the end of one sees to the next.
    return Nudge(max(until, look.now + SOON), deadline, expired=ended > 0 and age - ended * lives < every)


def vanished(phase: Phase, record: TargetRecord, fate: Fate, *, now: Instant) -> Reap | None:
    """What becomes of a host at work that is no more; None if its events are over, for its lane hears of that."""
    known = _known(phase.events, record)
    left = [event for event in phase.events if event not in known]
    if not left or _over(known, record):
        return None
    if phase.kind is PhaseKind.BLOCK:
        # It has no traffic any more, as it was to be: nothing has failed, the events are skipped.
        return Reap((), GivenUp(fate))
    begun = {event: held for event, held in record.events.items() if held.status is EventStatus.IN_PROGRESS}
    event = next((event for event in left if event in begun), left[0])
    text = reasons.GONE_IN_EVENT if event in begun else reasons.GONE_BEFORE_EVENT
    started = begun[event].start_time if event in begun else None
    lost = _lost(event, started, now, ErrorCode.UNKNOWN_ERROR, text.format(fate=fate))
    return Reap((*known.values(), lost), GivenUp(fate))


def unfetchable(events: Sequence[Event], record: TargetRecord, why: str, *, now: Instant) -> Reap:
    """What becomes of a host whose chain cannot be sent again, because there is no way to its revision any more."""
    known = _known(events, record)
    left = [event for event in events if event not in known]
    lost = (_lost(event, None, now, ErrorCode.UNKNOWN_ERROR, why) for event in left[:1])
    return Reap((*known.values(), *lost), GivenUp.REVISION)


def _lost(event: Event, started: Instant | None, now: Instant, code: ErrorCode, text: str) -> Outcome:
    return Outcome(
        event=event,
        status=EventStatus.FAILED,
        start_time=started,
        end_time=now,
        diagnostics=Diagnostics(error_code=code, message=text),
    )


def deployment_limit(deployment: Deployment, limits: Limits) -> int:
    """Seconds that the deployment as a whole may take."""
    return limits.blue_green_seconds if deployment.blue_green else limits.deployment_seconds


def deployment_expired(deployment: Deployment, now: Instant, limits: Limits) -> bool:
    """The deployment as a whole has run too long. One whose blue hosts are being retired is left to its end."""
    start = deployment.start_time
    if deployment.under_way and deployment.under_way.kind is PhaseKind.RETIRE:
        return False
    return start is not None and now - start >= deployment_limit(deployment, limits)
