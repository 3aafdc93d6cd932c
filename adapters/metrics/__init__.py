"""Where counters are kept, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adapters.metrics.memory import MemoryCounters
from adapters.metrics.redis import RedisCounters
from domain.ports import Counters

COUNTERS: Mapping[str, Callable[..., Counters]] = {"memory": MemoryCounters, "redis": RedisCounters}
"""Every keeper of counters by the word for its store."""
