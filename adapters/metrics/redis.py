"""Counters in Redis: one hash, a field for each number. What is added in one go is one script."""

from __future__ import annotations

import json

from adapters.store.connection import Answer, Connection
from adapters.store.keys import Keys
from domain.metrics import Counts, Series

MARK_SECONDS = 600
"""How long what was added is remembered, so that it is not added twice when an answer was lost."""


class RedisCounters:
    """Numbers that all processes of an installation add to; `url` and `prefix` are those of its store."""

    def __init__(self, url: str, *, prefix: str = "slipway") -> None:
        self._connection = Connection(url, prefix)
        self._keys = Keys(prefix)

    def add(self, counts: Counts, *, mark: str) -> None:
        """Add to the numbers; once for each mark."""
        fields = [[json.dumps([s.family, s.labels, s.part]), repr(float(amount))] for s, amount in counts.items()]
        if fields:
            self._connection.run("count", {"mark": mark, "seconds": MARK_SECONDS, "fields": fields})

    def read(self) -> Counts:
        """All numbers."""
        held: Answer = self._connection.ask(lambda redis: redis.hgetall(self._keys("metrics")))
        return {_series(field): float(number) for field, number in held.items()}

    def close(self) -> None:
        """Give the connections back."""
        self._connection.close()


def _series(field: str) -> Series:
    family, labels, part = json.loads(field)
    return Series(family, tuple(labels), part)
