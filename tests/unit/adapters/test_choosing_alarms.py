"""Alarms side by side: one that hangs or meets a bug holds up no other and nobody who asks, and is read once for
all."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from adapters.alarms.choosing import ChosenAlarms
from adapters.alarms.memory import MemoryAlarm, MemoryAlarms
from adapters.alarms.together import Together
from domain.alarms import AlarmReading, AlarmState
from tests.alarm_places import Hanging
from tests.services import wait_until

LIMIT = 10


class Broken(MemoryAlarm):
    """Meets a bug."""

    def read(self) -> AlarmReading:
        raise KeyError("a bug")


class Told:
    """What somebody who asked was told."""

    def __init__(self) -> None:
        self.readings: Mapping[str, AlarmReading] = {}
        self.times = 0
        self._event = threading.Event()

    def __call__(self, readings: Mapping[str, AlarmReading]) -> None:
        self.readings, self.times = readings, self.times + 1
        self._event.set()

    def waited_for(self) -> Mapping[str, AlarmReading]:
        assert self._event.wait(LIMIT)
        return self.readings


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    alarm = Hanging()
    yield alarm
    alarm.let_go.set()


def test_a_bug_in_one_leaves_the_others_readable_and_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    burning = MemoryAlarm()
    burning.set(AlarmState.ALARM)
    found = ChosenAlarms({"bad": Broken(), "burning": burning}).read(["bad", "burning"])
    assert found["burning"].state is AlarmState.ALARM
    assert (found["bad"].state, found["bad"].lasting) == (None, False)
    assert found["bad"].detail == "an internal error; the log has it"
    assert any(record.exc_info for record in caplog.records)


def test_so_does_one_in_cloudwatch() -> None:
    class Bad:
        def read(self, _: Sequence[str]) -> Any:
            raise KeyError("a bug")

    found = ChosenAlarms({"well": MemoryAlarm()}, cloudwatch=Bad()).read(["well", "there"])
    assert (found["well"].state, found["there"].state) == (AlarmState.OK, None)


def test_one_that_hangs_holds_up_nobody_and_is_read_once_for_all(hanging: Hanging) -> None:
    alarms = ChosenAlarms({"hangs": hanging, "well": MemoryAlarm()}, cloudwatch=MemoryAlarms())
    waiting = [Told() for _ in range(100)]
    for told in waiting:
        alarms.ask(["hangs", "well"], told)
    assert alarms.read(["well"])["well"].state is AlarmState.OK
    assert alarms.read(["there"])["there"].lasting
    assert hanging.asked.acquire(timeout=LIMIT)
    assert hanging.looks == 1
    assert not any(told.times for told in waiting)
    hanging.let_go.set()
    assert {told.waited_for()["hangs"].state for told in waiting} == {AlarmState.OK}
    assert {told.times for told in waiting} == {1}
    # What comes after is a look of its own.
    assert alarms.read(["hangs"])["hangs"].state is AlarmState.OK
    assert hanging.looks == 2


def test_they_are_told_in_the_order_of_the_question(hanging: Hanging) -> None:
    alarms, told = ChosenAlarms({"hangs": hanging, "well": MemoryAlarm()}), Told()
    alarms.ask(["hangs", "there", "well"], told)
    alarms.read(["well"])
    hanging.let_go.set()
    assert list(told.waited_for()) == ["hangs", "there", "well"]


def test_a_name_that_comes_twice_is_one() -> None:
    alarm = MemoryAlarm()
    assert list(ChosenAlarms({"errors": alarm}).read(["errors", "errors"])) == ["errors"]
    assert alarm.looks == 1


def test_no_more_threads_than_allowed_and_the_rest_have_their_turn() -> None:
    together = Together[str](2, "test")
    let_go, under_way = threading.Event(), threading.Semaphore(0)
    found: list[str] = []

    def look(what: str) -> str:
        under_way.release()
        assert let_go.wait(60)
        return what

    for number in range(6):
        together.ask(number, lambda what=f"look {number}": look(what), found.append)  # type: ignore[misc]
    for _ in range(2):
        assert under_way.acquire(timeout=LIMIT)
    assert not under_way.acquire(timeout=0)
    let_go.set()
    wait_until(lambda: len(found) == 6, "all looks", limit=LIMIT)
    assert sorted(found) == [f"look {number}" for number in range(6)]


def test_whoever_cannot_be_told_keeps_nobody_else_from_it(caplog: pytest.LogCaptureFixture) -> None:
    together, let_go, told = Together[str](1, "test"), threading.Event(), Told()

    def look() -> str:
        assert let_go.wait(60)
        return "found"

    def fall(_: str) -> None:
        raise KeyError("a bug")

    together.ask("it", look, fall)
    together.ask("it", look, lambda _: told({}))
    let_go.set()
    told.waited_for()
    assert any(record.exc_info for record in caplog.records)
