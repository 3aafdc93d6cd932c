"""What an agent's words say of it: since when it has not answered, whether it has room for another event, and what
people are told while a host waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from domain.deployments import TargetRecord, TargetStatus
from domain.fleet import AgentSeen
from domain.lifecycle import BY_EVENT, Event, Runner
from domain.limits import Limits
from domain.reports import AgentHello, EventStatus
from domain.values import Instant
from workflows.silence import TRAVEL, patience

FORGOTTEN = 86_400.0
"""Seconds after which a message that an agent took and never acknowledged is forgotten, at the earliest."""
USUAL = 10.0
"""Seconds between the words of an agent that does not say how often it speaks."""


def by_our_clock(hello: AgentHello, now: Instant) -> AgentHello:
    """A greeting as of the moment it was heard: whether an agent is alive is told by control's own clock, for the
    host's may be minutes off."""
    ahead = hello.at - now
    full_at = None if hello.full_at is None else min(now, hello.full_at - ahead)
    return hello.model_copy(update={"at": now, "ahead": ahead, "full_at": full_at})


def longest_silence(seen: AgentSeen, limits: Limits) -> float:
    """Seconds without a word after which the agent is taken for dead: those of the limits, where it speaks often enough
    to be known dead by then. Never before it would itself know that it was silent, for then it goes on."""
    return max(limits.silence_seconds, patience(seen.every) if seen.every else 0.0)


def forgotten_before(now: Instant, limits: Limits) -> Instant:
    """What an agent took before then and has not acknowledged is good for nothing any more: it may not begin it, by
    whichever clock, and what is still wanted of it was sent again."""
    return now - max(FORGOTTEN, 2.0 * limits.pickup_seconds)


def has_missed_words(seen: AgentSeen, now: Instant) -> bool:
    """The agent should have been heard by now."""
    return now - seen.at > patience(seen.every or USUAL)


def is_busy(seen: AgentSeen | None, now: Instant) -> bool:
    """The agent is alive, and had no room for another event when it was heard last."""
    return seen is not None and seen.full and not has_missed_words(seen, now)


def word_on(record: TargetRecord, events: Sequence[Event], seen: AgentSeen | None, now: Instant) -> str:
    """What a person should know of the agent of a host at work, which is to go through these events; nothing while all
    is well, or while the host waits for something else."""
    if record.status is not TargetStatus.IN_PROGRESS or seen is None:
        return ""
    held = {event: record.events[event].status for event in events if event in record.events}
    left = [event for event in events if event not in held or not held[event].final]
    if not left or BY_EVENT[left[0]].runner is not Runner.HOST:
        return ""
    if has_missed_words(seen, now):
        return f"agent not answering since {clock(seen.at)} ({now - seen.at:.0f} seconds)"
    waits = held.get(left[0]) is not EventStatus.IN_PROGRESS and now - (record.last_updated_at or now) > TRAVEL
    if waits and is_busy(seen, now):
        return f"{left[0]} waits for the agent, which runs {seen.running} of {seen.slots} events for other deployments"
    return ""


def clock(at: Instant) -> str:
    """A moment as people read it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
