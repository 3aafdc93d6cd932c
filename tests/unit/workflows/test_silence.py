"""An agent knows at least as well as control does when it was not heard."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.fleet import AgentSeen
from domain.limits import Limits
from workflows.agents import longest_silence
from workflows.silence import LAPSE, Hearing, Spoken, counts_from, looked, may_be_given_up, patience, spoke

EVERY = 10.0


def after(*words: tuple[float, float]) -> Spoken:
    """What an agent knows that started at 0 and began these words, which arrived then."""
    spoken = Spoken(0.0)
    for began, arrived in words:
        spoken = spoke(spoken, began=began, now=arrived, every=EVERY)
    return spoken


def lost(spoken: Spoken, *, since: float, now: float) -> bool:
    return may_be_given_up(spoken, since=since, now=now, every=EVERY)


def test_an_agent_that_speaks_as_it_should_is_not_given_up() -> None:
    assert patience(EVERY) == 22
    spoken = after((0, 0.1), (10, 10.1), (31, 31.5))
    assert not lost(spoken, since=0, now=52)


def test_words_that_do_not_arrive_are_missed_while_it_lasts() -> None:
    spoken = after((0, 0.1), (10, 10.1))
    assert not lost(spoken, since=5, now=31.9)
    assert lost(spoken, since=5, now=32)


def test_a_silence_that_is_over_counts_for_what_began_before_its_end() -> None:
    spoken = after((0, 0.1), (40, 40.1), (50, 50.1))
    assert lost(spoken, since=5, now=55)
    assert lost(spoken, since=40.1, now=55)
    assert not lost(spoken, since=41, now=55)


def test_a_word_that_took_long_to_arrive_was_not_heard_meanwhile() -> None:
    """The agent was stopped in the middle of saying it."""
    spoken = after((0, 0.1), (10, 100))
    assert lost(spoken, since=5, now=100)
    assert lost(after((0, 0.1), (10, 15)), since=5, now=32)


def test_an_agent_that_never_got_a_word_out_counts_from_its_start() -> None:
    assert not lost(Spoken(0.0), since=0, now=21)
    assert lost(Spoken(0.0), since=0, now=22)


pauses = st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60)), min_size=1, max_size=8)


@given(pauses, st.floats(0.5, 60), st.integers(1, 60), st.floats(0, 400), st.floats(0, 400), st.floats(0, 400))
def test_whoever_is_given_up_for_silence_knows_that_it_may_be(
    words: list[tuple[float, float]], every: float, silence: int, began: float, given_up: float, later: float
) -> None:
    """Whatever words there are and however long each takes, and whenever the event ends after that."""
    moments = list(accumulate(each for word in words for each in word))
    said = list(zip(moments[::2], moments[1::2], strict=True))
    given_up += began
    heard = [arrived for _, arrived in said if arrived <= given_up]
    if not heard:
        return
    seen = AgentSeen(host="web-1", at=heard[-1], every=every)
    if given_up - seen.at < longest_silence(seen, Limits(silence_seconds=silence)):
        return
    now, spoken = given_up + later, Spoken(0.0)
    for start, arrived in said:
        if arrived <= now:
            spoken = spoke(spoken, began=start, now=arrived, every=every)
    assert may_be_given_up(spoken, since=began, now=now, every=every)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(100 + LAPSE, 0, id="known to be heard"),
        pytest.param(100.1 + LAPSE, 100.1 + LAPSE, id="nobody has known for a while"),
    ],
)
def test_silence_counts_only_while_it_is_known_that_agents_are_heard(now: float, expected: float) -> None:
    hearing = Hearing(since=0, known_at=100)
    assert counts_from(hearing, now=now) == expected
    assert looked(hearing, heard=True, now=now) == Hearing(since=expected, known_at=now)


def test_what_nobody_listened_to_counts_from_the_end_of_that() -> None:
    deaf = looked(Hearing(since=0, known_at=100), heard=False, now=101)
    assert deaf == Hearing(since=101, known_at=101)
    again = looked(deaf, heard=True, now=102)
    assert counts_from(again, now=103) == 101
