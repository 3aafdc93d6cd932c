"""Channels: each way by which happenings reach the outside, how far it has come, and what it did not take."""

from __future__ import annotations

from domain.happenings import Happening
from domain.values import Instant, Value

MOST_HISTORY = 10_000
"""Happenings that are kept once every channel has told them."""
MOST_WAITING = 100_000
"""Happenings that are kept for a channel that is away; beyond them the oldest are lost to it."""
MOST_DEAD = 1_000
"""Dead letters kept of one channel; beyond them the oldest are lost."""
FORGOTTEN_AFTER = 86_400
"""Seconds after which a channel that no process serves any more is forgotten, while others are served."""


class ChannelState(Value):
    """How a channel stands. Happenings are numbered from 1, in the order in which they came about."""

    name: str
    told: int = 0
    """The number of the last one that it is done with."""
    waiting: int = 0
    """How many it is not done with."""
    tries: int = 0
    """How often the next one was tried without success."""
    failing_since: Instant | None = None
    """When the first of these tries was."""
    again_at: Instant | None = None
    """It is not tried again before then."""
    why: str = ""
    """What the last try came to."""
    dead: int = 0
    """How many dead letters are kept."""
    lost: int = 0
    """How many it will never be told, for it was away for too long or had too many dead letters."""


class DeadLetter(Value):
    """A happening that a channel did not take, and that is not tried again by itself."""

    happening: Happening
    why: str = ""
    at: Instant
    """When it was given up."""


class Refusal(Value):
    """What a part of a channel will not take, and trying again would not help: the happening for that part alone."""

    happening: Happening
    why: str


class Delivery(Value):
    """What came of telling a channel: how many happenings it is done with, and what of them was refused."""

    done: int
    left_out: int = 0
    """How many of these nobody was told of."""
    refusals: tuple[Refusal, ...] = ()
