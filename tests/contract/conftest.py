"""Fixtures of the contract suites: each adapter of a port in turn."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from adapters.store import STORES
from adapters.store.memory import MemoryStore
from adapters.store.redis import RedisStore
from domain.ports import Store
from tests.contract.redis_server import RedisServer, find_redis, serving
from tests.services import require

_prefixes = itertools.count()

Peers = Callable[[], Store]


@pytest.fixture(scope="session")
def redis_binary() -> str:
    """A Redis server to start; where there is none the test is skipped, or fails with SLIPWAY_REQUIRE=all."""
    return require(find_redis(), "redis-server or valkey-server")


@pytest.fixture(scope="session")
def redis_server(redis_binary: str) -> Iterator[RedisServer]:
    """A server for all tests; each uses a prefix of its own."""
    with serving(redis_binary) as server:
        yield server


def repeating(store: RedisStore) -> RedisStore:
    """A store whose every script runs twice, as it does when an answer is lost and the script is sent again."""
    run = store._connection.run

    def run_twice(name: str, given: Mapping[str, object]) -> Any:
        run(name, given)
        return run(name, given)

    store._connection.run = run_twice  # type: ignore[method-assign]
    return store


@pytest.fixture(params=[*STORES, "redis, every answer lost once"])
def open_store(request: pytest.FixtureRequest) -> Iterator[Callable[..., tuple[Store, Peers]]]:
    """Opens a fresh store; also gives what opens it once more, as another process would."""
    opened: list[RedisStore] = []

    def memory(**options: int) -> tuple[Store, Peers]:
        store = MemoryStore(**options)
        return store, store.peer

    def redis(**options: int) -> tuple[Store, Peers]:
        server: RedisServer = request.getfixturevalue("redis_server")
        prefix = f"test{next(_prefixes)}"

        def peer() -> RedisStore:
            opened.append(RedisStore(server.url, prefix=prefix, **options))
            return opened[-1] if request.param == "redis" else repeating(opened[-1])

        return peer(), peer

    yield memory if request.param == "memory" else redis
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[..., tuple[Store, Peers]]) -> Store:
    """A fresh store of each kind."""
    return open_store()[0]
