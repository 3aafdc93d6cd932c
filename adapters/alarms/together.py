"""Looks that go on side by side in threads of their own: whoever asks for one waits for nothing, and a look that is
under way is not taken twice."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Together(Generic[T]):
    """At most `most` looks at a time; those beyond wait for their turn."""

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._lock = threading.Lock()
        self._asking: dict[Hashable, list[Callable[[T], None]]] = {}
        self._waiting: deque[tuple[Hashable, Callable[[], T]]] = deque()
        self._threads = 0

    def ask(self, what: Hashable, look: Callable[[], T], tell: Callable[[T], None]) -> None:
        """Have `tell` called, in another thread, with what a look finds; `look` must not raise. Where the same was
        asked for and is not told yet, that look serves for both."""
        with self._lock:
            if what in self._asking:
                self._asking[what].append(tell)
                return
            self._asking[what] = [tell]
            self._waiting.append((what, look))
            if self._threads >= self._most:
                return
            self._threads += 1
        # Made when needed and gone when idle: nothing to stop, to leave open or to carry through a fork.
        threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def _work(self) -> None:
        while (turn := self._turn()) is not None:
            what, look = turn
            found = look()
            with self._lock:
                asking = self._asking.pop(what)
            for tell in asking:
                try:
                    tell(found)
                except Exception:
                    logger.exception("what was found cannot be told")

    def _turn(self) -> tuple[Hashable, Callable[[], T]] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._threads -= 1
            return None
