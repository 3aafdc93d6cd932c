"""What an agent knows of when control heard it last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from workflows import silence

_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def host_clock() -> float:
    """Seconds by a clock that goes on while this process is stopped and, where the system has one, while the machine
    sleeps; nobody sets it."""
    return time.clock_gettime(_CLOCK)


class Touch:
    """Keeps when words arrived at the broker; safe for threads."""

    def __init__(self, *, every: float, clock: Callable[[], float] = host_clock) -> None:
        self._every, self._clock = every, clock
        self._spoken = silence.Spoken(clock())
        self._lock = threading.Lock()

    def now(self) -> float:
        """This moment."""
        return self._clock()

    def spoke(self, began: float) -> None:
        """A word has arrived that was begun at that moment."""
        with self._lock:
            self._spoken = silence.spoke(self._spoken, began=began, now=self._clock(), every=self._every)

    def lost_since(self, moment: float) -> bool:
        """Control may have given the host up since then, for it did not hear the agent."""
        with self._lock:
            return silence.may_be_given_up(self._spoken, since=moment, now=self._clock(), every=self._every)
