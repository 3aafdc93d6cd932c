"""Alarms whose source does not answer: it holds up no thread that moves lanes, no other deployment, and looks do not
pile up behind it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from adapters.alarms.choosing import ChosenAlarms
from adapters.alarms.memory import MemoryAlarm
from domain.alarms import AlarmReading, AlarmState
from domain.deployments import Deployment, DeploymentStatus
from domain.errors import WorldError
from domain.group_options import AlarmConfiguration
from tasks import alarms, runtime
from tasks.alarms import look_at_alarms, why_not_begin
from tasks.beginning import begin
from tests.alarm_places import Hanging
from tests.services import wait_until
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import a_deployment
from workflows.alarms import awaited, good_for, kept

LIMIT = 10
POOL = 4
"""Threads, as a control process has them."""
MANY = 12


@pytest.fixture
def hanging(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    """An alarm that does not answer, in a world whose alarms are read as in a real one."""
    alarm = Hanging()
    world = replace(engine.world(), alarms=ChosenAlarms({"hangs": alarm, "well": MemoryAlarm()}))
    monkeypatch.setattr(runtime, "_world", world)
    monkeypatch.setattr(alarms, "GLANCE", 0.01)
    yield alarm
    alarm.let_go.set()
    wait_until(lambda: not alarms._asked, "the last look", limit=LIMIT)


def admitted(engine: Engine, number: int, *names: str, **more: Any) -> str:
    watched = AlarmConfiguration.model_validate({"enabled": True, "alarms": [{"name": name} for name in names]})
    deployment_id = f"d-{number:09}"
    deployment = a_deployment(
        deployment_id=deployment_id, claims=f"g-{number}", alarm_configuration=watched if names else None, **more
    )
    engine.store.admit(deployment, token=None, queue=False)
    return deployment_id


def created(engine: Engine, number: int, *names: str) -> str:
    fresh = {"status": DeploymentStatus.CREATED, "start_time": None, "phases": (), "total": 0, "floor": 0}
    any_floor = {"minimum_healthy_hosts": {"type": "HOST_COUNT", "value": 1}}
    return admitted(engine, number, *names, **fresh, **any_floor)


def held(engine: Engine, deployment_id: str) -> Deployment:
    deployment = engine.store.deployment(deployment_id)
    assert deployment is not None
    return deployment


def sent(pool: ThreadPoolExecutor, task: Callable[[str], None], deployment_id: str) -> Future[None]:
    def run() -> None:
        try:
            task(deployment_id)
        except WorldError:
            """The watch sends it again."""

    return pool.submit(run)


def test_no_thread_waits_for_it_and_looks_do_not_pile_up(engine: Engine, hanging: Hanging) -> None:
    under_way = [admitted(engine, number, "hangs", "well") for number in range(MANY)]
    beginning = [created(engine, MANY + number, "hangs") for number in range(MANY)]
    others = [created(engine, 2 * MANY, "well"), created(engine, 2 * MANY + 1)]
    with ThreadPoolExecutor(POOL) as pool:
        for _ in range(5):
            looks = [sent(pool, look_at_alarms, each) for each in under_way]
            looks += [sent(pool, begin, each) for each in beginning]
        begun = [sent(pool, begin, each) for each in others]
        for task in (*looks, *begun):
            task.result(LIMIT)
        # Nobody has answered yet.
        assert not hanging.let_go.is_set()
        assert hanging.looks == 1
        # What a first begin did not wait for is there, or comes.
        wait_until(lambda: _has_begun(engine, others[0]), "the one that watches what is well", limit=LIMIT)
        assert held(engine, others[1]).status is DeploymentStatus.IN_PROGRESS
        hanging.set(AlarmState.ALARM)
    hanging.let_go.set()
    wait_until(lambda: not alarms._asked, "the look", limit=LIMIT)
    assert not any(held(engine, each).stopping for each in under_way)
    for each in under_way:
        look_at_alarms(each)
    wait_until(lambda: all(held(engine, each).stopping for each in under_way), "the stops", limit=LIMIT)


def _has_begun(engine: Engine, deployment_id: str) -> bool:
    """As the watch would have it: begun again until it has begun."""
    with contextlib.suppress(WorldError):
        begin(deployment_id)
    return held(engine, deployment_id).start_time is not None


def test_what_comes_late_begins_the_deployment_wherever_that_is_asked_for(engine: Engine, hanging: Hanging) -> None:
    deployment_id = created(engine, 1, "hangs")
    for _ in range(3):
        with pytest.raises(WorldError, match="they are being read"):
            begin(deployment_id)
        assert awaited(held(engine, deployment_id)) == "they are being read."
    assert not engine.sent.named("begin")
    hanging.let_go.set()
    wait_until(lambda: engine.sent.named("begin") == [(deployment_id,)], "the second begin", limit=LIMIT)
    begin(deployment_id)
    begun = held(engine, deployment_id)
    assert (begun.status, begun.alarm_record) == (DeploymentStatus.IN_PROGRESS, None)
    assert begun.alarms_awaited == ""
    assert hanging.looks == 1


def test_an_alarm_that_comes_late_ends_it_before_a_target_is_touched(engine: Engine, hanging: Hanging) -> None:
    hanging.set(AlarmState.ALARM, "it burns")
    deployment_id = created(engine, 1, "hangs")
    with pytest.raises(WorldError):
        begin(deployment_id)
    hanging.let_go.set()
    wait_until(lambda: bool(engine.sent.named("begin")), "the second begin", limit=LIMIT)
    begin(deployment_id)
    ended = held(engine, deployment_id)
    assert (ended.status, ended.total) == (DeploymentStatus.STOPPED, 0)
    assert ended.status_messages == ("The alarm hangs is active: it burns",)


def test_what_was_found_long_ago_is_looked_at_again(engine: Engine, hanging: Hanging) -> None:
    deployment_id = created(engine, 1, "hangs")
    with pytest.raises(WorldError):
        begin(deployment_id)
    hanging.let_go.set()
    wait_until(lambda: bool(engine.sent.named("begin")), "the second begin", limit=LIMIT)
    wait_until(lambda: not alarms._asked, "the look", limit=LIMIT)
    engine.now += good_for(runtime.current().limits) + 1
    wait_until(lambda: _has_begun(engine, deployment_id), "the beginning", limit=LIMIT)
    assert hanging.looks == 2


def test_one_that_answers_at_once_is_waited_for(engine: Engine, hanging: Hanging, monkeypatch: Any) -> None:
    monkeypatch.setattr(alarms, "GLANCE", LIMIT)
    assert why_not_begin(runtime.current(), held(engine, created(engine, 1, "well"))) is None
    hanging.let_go.set()
    assert why_not_begin(runtime.current(), held(engine, created(engine, 2, "hangs", "well"))) is None


def test_nothing_is_kept_for_one_that_has_begun_or_ended(engine: Engine) -> None:
    readings = {"hangs": AlarmReading(kind="memory", state=AlarmState.OK)}
    begun = held(engine, admitted(engine, 1, "hangs"))
    assert kept(begun, readings, now=engine.now) is None
    ended = begun.model_copy(update={"status": DeploymentStatus.STOPPED})
    assert kept(ended, readings, now=engine.now) is None
