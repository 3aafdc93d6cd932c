"""How many events an agent carries out, how many it could, and when it last had no room for another. Until it started
it had none: what waits for it could not be taken up before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from celery import signals


class Load(NamedTuple):
    """What an agent says of its work."""

    running: int
    slots: int
    full_at: float


class Slots:
    """Counts the tasks of this process; safe for threads."""

    def __init__(self, slots: int, *, now: Callable[[], float] = time.time) -> None:
        self._slots, self._now = slots, now
        self._running = 0
        self._full_at = now()
        self._lock = threading.Lock()

    def count(self) -> None:
        """From here on: Celery tells of each task that begins and ends."""
        signals.task_prerun.connect(self.begin, weak=False)
        signals.task_postrun.connect(self.end, weak=False)

    def begin(self, **_: object) -> None:
        """A task began."""
        with self._lock:
            self._running += 1

    def end(self, **_: object) -> None:
        """A task ended."""
        with self._lock:
            self._note()
            self._running -= 1

    def load(self) -> Load:
        """As of now."""
        with self._lock:
            self._note()
            return Load(self._running, self._slots, self._full_at)

    def _note(self) -> None:
        if self._running >= self._slots:
            self._full_at = self._now()
