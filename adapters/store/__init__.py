"""Where deployments are kept: Redis, and the in-memory double that passes the same contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adapters.store.memory import MemoryStore
from adapters.store.redis import RedisStore
from domain.ports import Store

STORES: Mapping[str, Callable[..., Store]] = {"memory": MemoryStore, "redis": RedisStore}
"""Every store by the word the settings use for it."""
