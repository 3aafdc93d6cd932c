"""The scaling process against a queue in memory: nothing is lost, and nothing stops the rest."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from adapters.scaling.memory import MemoryScaling
from adapters.scaling.memory_queue import MemoryLifecycleQueue
from domain.errors import MissingRights, WorldError
from domain.triggers import Incoming
from tests.unit.tasks.engine import Engine
from workers import scaling
from workers.scaling import run_scaling

NOTICE = {
    "LifecycleHookName": "hook",
    "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
    "AutoScalingGroupName": "fleet",
    "EC2InstanceId": "i-1234567890abcdef0",
    "LifecycleActionToken": "0" * 36,
}
BODY = json.dumps(NOTICE).encode()
TEST = b'{"Event": "autoscaling:TEST_NOTIFICATION"}'


class Queue(MemoryLifecycleQueue):
    """Ends the loop once it was found empty twice; `troubles` are raised by the first calls of receive."""

    def __init__(self, *bodies: bytes, troubles: tuple[Exception, ...] = ()) -> None:
        super().__init__()
        self.end, self.troubles, self.empty = threading.Event(), list(troubles), 0
        for body in bodies:
            self.put(body)

    def receive(self) -> Incoming | None:
        if self.troubles:
            raise self.troubles.pop(0)
        found = super().receive()
        if found is None:
            self.empty += 1
        if self.empty > 1:
            self.end.set()
        return found


def run(queue: Queue, engine: Engine | None = None) -> Engine:
    engine = engine or Engine()
    world = replace(engine.world(), scaling=lambda: MemoryScaling("fleet"))
    run_scaling(world, queue, queue.end, every=0.0, retry_wait=0.001)
    return engine


def actions(engine: Engine) -> list[str]:
    return engine.store.lifecycle_actions.names()


def test_a_notice_becomes_an_action_and_is_settled() -> None:
    queue = Queue(BODY, TEST)
    assert actions(run(queue)) == ["0" * 36]
    assert (queue.in_hand, list(queue.waiting)) == ([], [])


def test_hostile_messages_are_dropped_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    queue = Queue(b"\xff", b"[]", b'{"LifecycleTransition": "x\\ny"}', BODY)
    assert actions(run(queue)) == ["0" * 36]
    assert caplog.text.count("is dropped") == 3
    assert not [record for record in caplog.records if "\n" in record.getMessage()]


def test_a_store_that_is_away_gives_the_message_again(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, queue = Engine(), Queue(BODY)
    honest, failures = engine.store.groups.names, [WorldError("away"), WorldError("away")]

    def names(**given: Any) -> list[str]:
        if failures:
            raise failures.pop()
        return honest(**given)

    monkeypatch.setattr(engine.store.groups, "names", names)
    assert actions(run(queue, engine)) == ["0" * 36]
    assert queue.in_hand == []


@pytest.mark.parametrize("trouble", [WorldError("away"), MissingRights("no"), ZeroDivisionError()])
def test_a_queue_that_is_away_keeps_nobody_from_looking(monkeypatch: pytest.MonkeyPatch, trouble: Exception) -> None:
    looks: list[object] = []
    monkeypatch.setattr(scaling, "look_at_actions", looks.append)
    run(Queue(BODY, troubles=(trouble,) * 3))
    assert len(looks) >= 4


def test_a_look_that_fails_keeps_nobody_from_listening(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(scaling, "look_at_actions", fail)
    assert actions(run(Queue(BODY))) == ["0" * 36]
    assert "internal error" in caplog.text
