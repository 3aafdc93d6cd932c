"""The tellers of a control process: a channel that is slow holds up nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from adapters.publishers.memory import MemoryPublisher
from domain.channels import ChannelState, Delivery
from domain.errors import WorldError
from domain.happenings import Happening
from tasks.announce import lease_of, tell
from tests.contract.store_values import a_happening
from tests.services import wait_until
from tests.unit.tasks.engine import Engine
from workers.announcer import Announcer


class Slow(MemoryPublisher):
    """Takes until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.let_go = threading.Event(), threading.Event()

    def publish(self, happenings: Sequence[Happening]) -> Delivery:
        self.asked.set()
        assert self.let_go.wait(20)
        return super().publish(happenings)


@pytest.fixture
def engine() -> Engine:
    return Engine()


@contextmanager
def announcing(engine: Engine, **publishers: MemoryPublisher) -> Iterator[Announcer]:
    world = replace(engine.world(), publishers=publishers)
    announcer = Announcer(world, lambda channel: tell(world, channel, ending=lambda: announcer.ending), tick=0.01)
    announcer.start()
    try:
        yield announcer
    finally:
        announcer.stop()


def test_a_slow_channel_keeps_its_lease_and_holds_up_no_other(engine: Engine) -> None:
    slow, quick = Slow(), MemoryPublisher()
    engine.store.tell([a_happening(1), a_happening(2)])
    with announcing(engine, slow=slow, quick=quick):
        assert slow.asked.wait(10)
        wait_until(lambda: len(quick.heard) == 2, "the quick channel to hear all", limit=10)
        engine.store.tell([a_happening(3)])
        wait_until(lambda: len(quick.heard) == 3, "the quick channel to hear more", limit=10)
        # Renewed while it works: a lease that had ended by itself would be free.
        engine.store._claims[lease_of("slow")] = (engine.store._owner, 0.0)
        wait_until(lambda: not engine.store.peer().claim(lease_of("slow"), 0.001), "a lease that is renewed", limit=10)
        slow.let_go.set()
        wait_until(lambda: len(slow.heard) == 3, "the slow channel to hear all", limit=10)


def test_a_store_that_is_away_for_a_while_is_borne(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, failures = MemoryPublisher(), iter(range(5))
    serve = engine.store.serve

    def sometimes(channels: Sequence[str], *, now: float) -> list[ChannelState]:
        if next(failures, None) is not None:
            raise WorldError("the store is away")
        return serve(channels, now=now)

    monkeypatch.setattr(engine.store, "serve", sometimes)
    engine.store.tell([a_happening(1)])
    with announcing(engine, quick=quick):
        wait_until(lambda: quick.heard, "it to be told after all", limit=10)


def test_what_a_channel_lost_is_said_loudly_and_once(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    engine.store.serve(["quick"], now=engine.now)
    engine.store._channels["quick"] = engine.store._channels["quick"].model_copy(update={"lost": 7})
    quick = MemoryPublisher()
    with announcing(engine, quick=quick):
        engine.store.tell([a_happening(1)])
        wait_until(lambda: quick.heard, "it to be told", limit=10)
    assert [record.message for record in caplog.records if "NEVER TOLD" in record.message] == [
        "quick IS NEVER TOLD OF 7 EVENTS in all: more came about than are kept"
    ]
