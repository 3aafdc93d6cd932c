"""Since when agents' silence counts: what the watch's ears make of leases, of a store that is away, and of sleep."""

from __future__ import annotations

import threading

import pytest

from domain.errors import WorldError
from tasks.recording import LISTENING, LISTENING_SECONDS
from tests.services import wait_until
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import NOW
from workers import ears
from workers.ears import Ears


@pytest.fixture
def engine() -> Engine:
    return Engine()


def test_silence_counts_only_while_somebody_listens(engine: Engine) -> None:
    """While no recorder runs, agents seem silent; it counts from the last moment when that was so."""
    mine = Ears(engine.world())
    engine.now = NOW + 1
    mine.look()
    assert mine.since() == NOW + 1
    recorder = engine.store.peer()
    wait_until(lambda: recorder.claim(LISTENING, LISTENING_SECONDS), "the lease that the look took for a moment")
    engine.now = NOW + 2
    mine.look()
    assert mine.since() == NOW + 1


def test_a_look_that_took_long_starts_the_count_anew(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store was away and a recorder found it first; before the look ends, whoever asks is told the same."""
    mine = Ears(engine.world())
    asked: list[float] = []

    def wait_for_the_store(_: object) -> bool:
        engine.now += 9
        asked.append(mine.since())
        return False

    monkeypatch.setattr(ears, "nobody_listens", wait_for_the_store)
    mine.look()
    assert [*asked, mine.since()] == [NOW + 9, NOW + 9]
    engine.now += 1
    assert mine.since() == NOW + 9


def test_who_was_suspended_counts_from_then_on(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ears, "nobody_listens", lambda _: False)
    mine = Ears(engine.world())
    engine.now = NOW + 60
    assert mine.since() == NOW + 60
    mine.look()
    engine.now = NOW + 61
    assert mine.since() == NOW + 60


def test_a_store_that_does_not_answer_hears_nobody(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: object) -> bool:
        raise WorldError("away")

    monkeypatch.setattr(ears, "nobody_listens", away)
    mine = Ears(engine.world())
    engine.now = NOW + 1
    mine.look()
    assert mine.since() == NOW + 1


def test_it_goes_on_past_a_bug_until_it_is_ended(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []

    def broken(_: object) -> bool:
        looks.append(threading.current_thread().name)
        raise ValueError("a bug")

    monkeypatch.setattr(ears, "nobody_listens", broken)
    monkeypatch.setattr(ears, "EVERY", 0.01)
    with Ears(engine.world()):
        wait_until(lambda: len(looks) > 2, "looks")
    wait_until(lambda: "ears" not in {thread.name for thread in threading.enumerate()}, "the end of the thread")
