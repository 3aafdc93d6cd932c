"""Counts in this process and adds what came together to the installation's counters every few seconds: counting costs
no round trip. What a process counted last is lost if it is killed."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import threading
from collections import Counter
from contextlib import suppress

from domain.errors import WorldError
from domain.metrics import OTHER, Counts, Family, Series, observed
from domain.ports import Counters

logger = logging.getLogger(__name__)

EVERY = 2.0
MOST_LABELS = 500
"""Sets of labels of one family that are told apart; whatever comes after is counted as `other`."""


class Tally:
    """The Meter of a process; safe for threads, and after a fork."""

    def __init__(self, counters: Counters, *, every: float = EVERY) -> None:
        self._counters = counters
        self._every = every
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        # What was counted before a fork is the parent's to tell.
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._numbers: Counter[Series] = Counter()
        self._waiting: tuple[str, Counts] | None = None
        self._known: dict[str, set[tuple[str, ...]]] = {}
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, family: Family, *labels: str) -> None:
        """One more of a counter."""
        self._add(family, labels, None)

    def observe(self, family: Family, seconds: float, *labels: str) -> None:
        """One more of a histogram."""
        self._add(family, labels, seconds)

    def _add(self, family: Family, labels: tuple[str, ...], seconds: float | None) -> None:
        with self._lock:
            known = self._known.setdefault(family.name, set())
            if labels not in known:
                labels = labels if len(known) < MOST_LABELS else (OTHER,) * len(labels)
                known.add(labels)
            added = {Series(family.name, labels): 1.0} if seconds is None else observed(family, seconds, labels)
            for series, amount in added.items():
                self._numbers[series] += amount  # type: ignore[assignment]
            if self._thread is None:
                self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="tally", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def _run(self) -> None:
        while not self._end.wait(self._every):
            self._flush_quietly()

    def _flush_quietly(self) -> None:
        try:
            self.flush()
        except WorldError as error:
            logger.debug("what was counted waits: %s", error)

    def flush(self) -> None:
        """Add what came together to the installation's counters; raises WorldError and keeps it where that fails."""
        with self._flushing:
            while (batch := self._batch()) is not None:
                mark, counts = batch
                self._counters.add(counts, mark=mark)
                self._waiting = None

    def _batch(self) -> tuple[str, Counts] | None:
        """What is to be added next: first what may or may not have been added, under the same mark."""
        with self._lock:
            if self._waiting is None and self._numbers:
                self._waiting = (secrets.token_hex(8), dict(self._numbers))
                self._numbers.clear()
            return self._waiting

    def close(self) -> None:
        """Add what is left, once, and count no more by itself."""
        self._end.set()
        with suppress(WorldError):
            self.flush()
