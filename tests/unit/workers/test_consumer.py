"""What a worker tells of its tasks goes out several events at once, a moment later, and outlives a connection."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from celery.utils.imports import symbol_by_name
from celery.worker import consumer
from pydantic import SecretStr

from config.sections import BrokerSettings
from config.settings import Settings
from workers.app import make_app
from workers.consumer import LINGER, LingeringConsumer


class Loop:
    """A hub that notes what it is to do."""

    def __init__(self) -> None:
        self.soon: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.later: list[tuple[float, Callable[[], object]]] = []

    def call_soon(self, act: Callable[..., object], *given: Any) -> None:
        self.soon.append((act, given))

    def call_later(self, seconds: float, act: Callable[[], object]) -> None:
        self.later.append((seconds, act))

    def turn(self) -> None:
        for act, given in self.soon:
            act(*given)
        self.soon.clear()


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def worker(loop: Loop, told: list[str]) -> Any:
    made: Any = object.__new__(LingeringConsumer)
    made.hub = loop
    made.event_dispatcher = SimpleNamespace(flush=lambda: told.append("flush"), buffer_limit=24)
    return made


def test_many_events_are_one_message(worker: Any, loop: Loop, told: list[str]) -> None:
    for _ in range(5):
        worker.on_send_event_buffered()
    loop.turn()
    [(seconds, tell)] = loop.later
    assert (seconds, told) == (LINGER, [])
    tell()
    assert told == ["flush"]


def test_the_event_after_a_message_begins_the_next(worker: Any, loop: Loop) -> None:
    worker.on_send_event_buffered()
    loop.turn()
    loop.later.pop()[1]()
    worker.on_send_event_buffered()
    loop.turn()
    assert len(loop.later) == 1


@pytest.mark.parametrize("end", ["on_close", "shutdown"])
def test_the_end_of_a_connection_leaves_nothing_untold_or_planned(
    worker: Any, loop: Loop, told: list[str], end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer.Consumer, end, lambda _self: told.append(end))
    worker.on_send_event_buffered()
    getattr(worker, end)()
    assert told == ["flush", end]
    worker.on_send_event_buffered()
    assert len(loop.soon) == 2


def test_apps_ask_for_such_a_consumer() -> None:
    app = make_app(Settings(broker=BrokerSettings(url=SecretStr("redis://localhost/0"))), "agent")
    assert symbol_by_name(app.conf.worker_consumer) is LingeringConsumer
