"""When a channel that failed is tried again, and what it is spared."""

from __future__ import annotations

import pytest

from domain.channels import ChannelState
from tests.contract.store_values import NOW, a_happening
from workflows.announcing import GiveUp, Hold, after_failure, due, overdue


def test_a_channel_that_is_away_is_tried_more_and_more_seldom_and_for_ever() -> None:
    state, waits = ChannelState(name="a", waiting=1), []
    for _ in range(100):
        verdict = after_failure(state, refused=False, now=NOW)
        assert isinstance(verdict, Hold)
        waits.append(verdict.again_at - NOW)
        state = state.model_copy(update={"tries": verdict.tries, "failing_since": verdict.since})
    assert waits[:9] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert set(waits[9:]) == {300}


def test_it_is_known_since_when() -> None:
    first = after_failure(ChannelState(name="a"), refused=False, now=NOW)
    later = after_failure(ChannelState(name="a", tries=1, failing_since=NOW), refused=False, now=NOW + 9)
    assert isinstance(first, Hold)
    assert isinstance(later, Hold)
    assert (first.since, later.since) == (NOW, NOW)


def test_what_is_refused_for_itself_is_given_up_after_some_tries() -> None:
    verdicts = [after_failure(ChannelState(name="a", tries=tries), refused=True, now=NOW) for tries in range(6)]
    assert [isinstance(verdict, GiveUp) for verdict in verdicts] == [False] * 4 + [True] * 2


@pytest.mark.parametrize(
    ("patience", "ages", "count"),
    [
        (None, [1e9], 0),
        (60.0, [], 0),
        (60.0, [61.0], 1),
        (60.0, [60.0], 0),
        (60.0, [62.0, 61.0, 59.0], 2),
        (60.0, [62.0, 59.0, 61.0], 1),
        (60.0, [59.0, 61.0], 0),
    ],
)
def test_patience_ends_from_the_front(patience: float | None, ages: list[float], count: int) -> None:
    waiting = [a_happening().model_copy(update={"at": NOW - age}) for age in ages]
    assert overdue(waiting, patience=patience, now=NOW) == count


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (ChannelState(name="a"), False),
        (ChannelState(name="a", waiting=1), True),
        (ChannelState(name="a", waiting=1, again_at=NOW), True),
        (ChannelState(name="a", waiting=1, again_at=NOW + 0.1), False),
    ],
)
def test_due(state: ChannelState, answer: bool) -> None:
    assert due(state, now=NOW) is answer
