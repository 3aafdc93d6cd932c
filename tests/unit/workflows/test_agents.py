"""What people are told of the agents of hosts at work."""

from __future__ import annotations

from typing import Any

import pytest

from domain.deployments import EventRecord
from domain.fleet import AgentSeen
from domain.lifecycle import Event
from domain.limits import Limits
from domain.reports import EventStatus
from tests.unit.workflows.engine_values import EVENTS, NOW, a_record, held, taken
from workflows.agents import FORGOTTEN, forgotten_before, has_missed_words, is_busy, longest_silence, word_on
from workflows.events import events_for

STOP = EVENTS[0]
RUNNING = {STOP: held(EventStatus.IN_PROGRESS, start=NOW - 60)}


def seen(ago: float, **more: Any) -> AgentSeen:
    return AgentSeen(host="web-1", at=NOW - ago, **more)


def word(events: dict[Event, EventRecord], last: AgentSeen | None) -> str:
    return word_on(taken(events=events, last_updated_at=NOW - 60), EVENTS, last, NOW)


@pytest.mark.parametrize("events", [RUNNING, {}])
def test_an_agent_that_missed_two_words_is_said_not_to_answer(events: dict[Event, EventRecord]) -> None:
    assert word(events, seen(4, every=1)) == ""
    assert word(events, seen(5, every=1)) == "agent not answering since 2023-11-14 22:13:15 UTC (5 seconds)"
    assert word(events, seen(21)) == ""
    assert "(23 seconds)" in word(events, seen(23))


def test_an_event_that_waits_for_a_busy_agent_says_so() -> None:
    busy = seen(1, running=2, slots=2, every=10)
    assert word({}, busy) == "ApplicationStop waits for the agent, which runs 2 of 2 events for other deployments"
    assert word(RUNNING, busy) == ""
    assert word({}, seen(1, running=1, slots=2, every=10)) == ""
    # Just begun: its own event may be what the agent runs.
    assert word_on(taken(last_updated_at=NOW - 1), EVENTS, busy, NOW) == ""


def test_nothing_is_said_where_nobody_waits_for_an_agent() -> None:
    gone = seen(1000)
    behind = events_for(load_balancer=True)
    assert word({}, None) == ""
    assert word_on(a_record(), EVENTS, gone, NOW) == ""
    assert word_on(taken(), behind[1:], gone, NOW) == ""
    assert word({event: held(EventStatus.SUCCEEDED, start=NOW, end=NOW) for event in EVENTS}, gone) == ""


def test_an_agent_is_busy_only_while_it_is_heard_and_only_if_it_says_so() -> None:
    assert is_busy(seen(1, running=1, slots=1), NOW)
    assert not is_busy(seen(1, running=0, slots=1), NOW)
    assert not is_busy(seen(1, running=1), NOW)
    assert not is_busy(seen(100, running=1, slots=1), NOW)
    assert not is_busy(None, NOW)


def test_how_often_an_agent_speaks_says_when_it_is_silent() -> None:
    limits = Limits(silence_seconds=5)
    assert longest_silence(seen(0, every=1), limits) == 5
    assert longest_silence(seen(0, every=10), limits) == 22
    assert longest_silence(seen(0), limits) == 5
    assert has_missed_words(seen(23), NOW)
    assert not has_missed_words(seen(23, every=60), NOW)


@pytest.mark.parametrize(("pickup", "expected"), [(300, FORGOTTEN), (100_000, 200_000)])
def test_what_an_agent_may_still_begin_is_not_forgotten(pickup: int, expected: float) -> None:
    assert NOW - forgotten_before(NOW, Limits(pickup_seconds=pickup)) == expected
