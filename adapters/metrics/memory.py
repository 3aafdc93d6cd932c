"""Counters in memory: for tests and for trying things out."""

from __future__ import annotations

from collections import Counter
from threading import Lock

from domain.metrics import Counts, Series


class MemoryCounters:
    """Numbers that this process forgets when it ends."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._numbers: Counter[Series] = Counter()
        self._marks: set[str] = set()

    def add(self, counts: Counts, *, mark: str) -> None:
        """Add to the numbers; once for each mark."""
        with self._lock:
            if mark not in self._marks:
                self._marks.add(mark)
                for series, amount in counts.items():
                    self._numbers[series] += amount  # type: ignore[assignment]

    def read(self) -> Counts:
        """All numbers."""
        with self._lock:
            return dict(self._numbers)
