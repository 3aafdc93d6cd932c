"""Waits between attempts grow, stay below their limit, and heed what the server asks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.bundles import Retries

RETRIES = Retries(first_wait=0.5, longest_wait=30.0)


def test_waits_double_up_to_the_longest() -> None:
    assert [RETRIES.pause(attempt, 0.0) for attempt in range(1, 9)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_what_the_server_asks_is_heeded_within_reason() -> None:
    assert [RETRIES.pause(1, 0.0, asked) for asked in (0.1, 5.0, 3600.0)] == [0.5, 5.0, 30.0]


@given(attempt=st.integers(1, 10_000), jitter=st.floats(0, 1), asked=st.floats(0, 1e9))
def test_no_wait_is_shorter_than_half_or_longer_than_the_longest(attempt: int, jitter: float, asked: float) -> None:
    full = RETRIES.pause(attempt, 0.0)
    assert full / 2 <= RETRIES.pause(attempt, jitter) <= full
    assert RETRIES.pause(attempt, jitter, asked) <= 30.0
