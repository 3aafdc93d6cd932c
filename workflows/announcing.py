"""What becomes of a happening that a channel did not take: when it is tried again, and when it is given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from domain.channels import ChannelState
from domain.happenings import Happening
from domain.values import Instant

FIRST_WAIT = 1.0
"""Seconds until the second try; each later one waits twice as long."""
LONGEST_WAIT = 300.0
MOST_REFUSALS = 5
"""Tries of a happening that is refused for itself, not because the other side is away."""


@dataclass(frozen=True, slots=True)
class Hold:
    """It is tried again, and nothing behind it before that."""

    tries: int
    since: Instant
    again_at: Instant


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It becomes a dead letter."""


def due(state: ChannelState, *, now: Instant) -> bool:
    """Something waits for the channel, and its time has come."""
    return state.waiting > 0 and (state.again_at or 0.0) <= now


def after_failure(state: ChannelState, *, refused: bool, now: Instant) -> Hold | GiveUp:
    """What becomes of the next happening of a channel, which it did not take at this moment."""
    tries = state.tries + 1
    if refused and tries >= MOST_REFUSALS:
        return GiveUp()
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(state.tries, 30))
    return Hold(tries, state.failing_since or now, now + wait)


def overdue(happenings: Sequence[Happening], *, patience: float | None, now: Instant) -> int:
    """How many from the first on have waited longer than the channel wants. One behind another that has not waits with
    it: a channel moves on from the front only."""
    if patience is None:
        return 0
    return len(list(takewhile(lambda happening: now - happening.at > patience, happenings)))
