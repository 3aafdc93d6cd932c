"""Numbers that all processes add to: every keeper of them promises the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from adapters.metrics import COUNTERS
from adapters.metrics.memory import MemoryCounters
from adapters.metrics.redis import RedisCounters
from domain.metrics import Series
from domain.ports import Counters
from tests.contract.redis_server import RedisServer

CALLS = Series("slipway_api_calls_total", ("GetDeployment", "OK"))
ODD = Series("slipway_api_calls_total", ('a"b\\', "ä,|\n"))
SUM = Series("slipway_api_call_seconds", ("GetDeployment",), "sum")
_prefixes = itertools.count()


@pytest.fixture(params=COUNTERS)
def counters(request: pytest.FixtureRequest) -> Iterator[Counters]:
    if request.param == "memory":
        yield MemoryCounters()
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    opened = RedisCounters(server.url, prefix=f"count{next(_prefixes)}")
    yield opened
    opened.close()


def test_there_is_nothing_at_first(counters: Counters) -> None:
    assert counters.read() == {}
    counters.add({}, mark="m-0")
    assert counters.read() == {}


def test_what_is_added_comes_together(counters: Counters) -> None:
    counters.add({CALLS: 2, SUM: 0.25, ODD: 1}, mark="m-1")
    counters.add({CALLS: 1, SUM: 0.5}, mark="m-2")
    assert counters.read() == {CALLS: 3.0, SUM: 0.75, ODD: 1.0}


def test_what_comes_again_is_not_added_again(counters: Counters) -> None:
    """Its answer was lost."""
    for mark in ("m-1", "m-1", "m-2", "m-1"):
        counters.add({CALLS: 1}, mark=mark)
    assert counters.read() == {CALLS: 2.0}
