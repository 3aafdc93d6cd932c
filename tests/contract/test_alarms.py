"""What every kind of alarm promises: its state as of now to whoever asks, and a word of why where that cannot be told,
which keeps no other alarm from being read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

import pytest

from domain.alarms import AlarmReading, AlarmState
from tests.alarm_places import Bounded, Checked, InCloudWatch, InMemory, LikePrometheus, Place, Server, server
from tests.aws import FakeAws, fake_aws

SERVED: Mapping[str, Callable[[Server], Place]] = {"prometheus": LikePrometheus, "bounded": Bounded, "http": Checked}
KINDS = ("memory", "metric alarm", "composite alarm", *SERVED)


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeAws]:
    with fake_aws() as account:
        yield account


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each kind of alarm, OK."""
    if request.param in SERVED:
        with server() as told:
            yield SERVED[request.param](told)
    elif request.param == "memory":
        yield InMemory()
    else:
        yield InCloudWatch(request.getfixturevalue("aws"), composite=request.param.startswith("composite"))


def read(place: Place) -> AlarmReading:
    """What a process that has just started finds."""
    return place.open().read([place.name])[place.name]


def test_it_tells_its_state_as_of_now_to_every_process(place: Place) -> None:
    alarms = place.open()
    for _ in range(2):
        assert alarms.read([place.name])[place.name].state is AlarmState.OK
        place.fire()
        fired = alarms.read([place.name])[place.name]
        assert (fired.state, fired.kind) == (AlarmState.ALARM, place.kind)
        assert fired.detail
        assert read(place) == fired
        place.calm()
        assert read(place).state is AlarmState.OK


def test_looking_changes_nothing(place: Place) -> None:
    place.fire()
    alarms = place.open()
    assert [alarms.read([place.name]) for _ in range(5)] == [alarms.read([place.name])] * 5


@pytest.mark.parametrize("place", ["memory", "metric alarm", "composite alarm", "bounded"], indirect=True)
def test_too_little_data_is_no_alarm(place: Place) -> None:
    place.starve()
    assert read(place).state is AlarmState.INSUFFICIENT_DATA


def test_a_source_that_is_away_may_come_back(place: Place) -> None:
    place.go_away()
    away = read(place)
    assert away.state is (AlarmState.ALARM if place.fails_when_away else None)
    assert away.detail
    assert not away.lasting
    place.come_back()
    assert read(place).state is AlarmState.OK


@pytest.mark.parametrize("place", [kind for kind in KINDS if kind != "http"], indirect=True)
def test_what_will_not_mend_itself_is_told_apart(place: Place) -> None:
    place.spoil()
    spoiled = read(place)
    assert (spoiled.state, spoiled.lasting, spoiled.kind) == (None, True, place.kind)
    assert spoiled.detail


def test_a_name_that_leads_nowhere_keeps_no_other_from_being_read(place: Place) -> None:
    place.fire()
    found = place.open().read(["nowhere", place.name, "nor-here"])
    assert found[place.name].state is AlarmState.ALARM
    for name in ("nowhere", "nor-here"):
        assert (found[name].state, found[name].lasting) == (None, True)
        assert name in found[name].detail


def test_no_names_are_no_question(place: Place) -> None:
    assert place.open().read([]) == {}


def test_many_names_and_odd_ones(place: Place) -> None:
    odd = ["a b", "x" * 255, "ä<b>", '"; drop', "../..", "{job}", "%00"]
    place.fire()
    found = place.open().read([*odd, *(f"none-{n}" for n in range(230)), place.name])
    assert found[place.name].state is AlarmState.ALARM
    assert len(found) == len(odd) + 231
    assert all(len(reading.detail) < 400 for reading in found.values())


def test_several_processes_at_once(place: Place) -> None:
    place.fire()
    found: list[Mapping[str, AlarmReading]] = []
    threads = [threading.Thread(target=lambda: found.append(place.open().read([place.name]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each[place.name].state for each in found] == [AlarmState.ALARM] * 4
