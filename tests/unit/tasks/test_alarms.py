"""Alarms in the engine: looked at when a deployment begins and while it is under way, whatever happens on the way."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.alarms.memory import MemoryAlarm
from domain import metrics
from domain.alarms import AlarmState
from domain.api_errors import AlarmsLimitExceeded, InvalidAlarmConfig
from domain.deployments import (
    CreateDeployment,
    Deployment,
    DeploymentErrorCode,
    DeploymentStatus,
    Phase,
    PhaseKind,
)
from domain.errors import WorldError
from domain.group_options import AlarmConfiguration
from domain.happenings import HappeningType
from domain.moves import Change
from tasks import runtime
from tasks.admitting import create_deployment
from tasks.alarms import look_at_alarms
from tasks.beginning import begin
from tasks.rollout import phase_concluded
from tasks.steering import stop
from tasks.watch import look_at_deployments, round_of_watch
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import NOW, a_revision

ERRORS = {"enabled": True, "alarms": [{"name": "errors"}]}


@pytest.fixture
def alarm(engine: Engine) -> MemoryAlarm:
    """The alarm that the group watches."""
    made = MemoryAlarm()
    engine.alarms.alarms["errors"] = made
    watched = AlarmConfiguration.model_validate(ERRORS)
    engine.store.groups.change("g-1", lambda group: group.model_copy(update={"alarm_configuration": watched}))
    return made


def created(_: Engine, **more: Any) -> str:
    values = {"application_name": "shop", "deployment_group_name": "web", "revision": a_revision(), **more}
    return create_deployment(runtime.current(), CreateDeployment.model_validate(values))


def begun(engine: Engine, **more: Any) -> str:
    deployment_id = created(engine, **more)
    begin(deployment_id)
    return deployment_id


def held(engine: Engine, deployment_id: str) -> Deployment:
    deployment = engine.store.deployment(deployment_id)
    assert deployment is not None
    return deployment


class Counted:
    """A meter that keeps what was counted."""

    def __init__(self) -> None:
        self.counts: list[tuple[str, ...]] = []

    def count(self, family: metrics.Family, *labels: str) -> None:
        self.counts.append((family.name, *labels))

    def observe(self, family: metrics.Family, seconds: float, *labels: str) -> None:
        """Nothing."""


def test_an_active_alarm_ends_a_deployment_before_a_target_is_laid_out(engine: Engine, alarm: MemoryAlarm) -> None:
    alarm.set(AlarmState.ALARM, "0.27 is above 0.05")
    ended = held(engine, begun(engine))
    assert ended.status is DeploymentStatus.STOPPED
    assert ended.error_information is not None
    assert ended.error_information.code is DeploymentErrorCode.ALARM_ACTIVE
    assert "<errors>" in ended.error_information.message
    assert ended.status_messages == ("The alarm errors is active: 0.27 is above 0.05",)
    assert (ended.total, ended.start_time, engine.store.targets(ended.deployment_id)) == (0, None, [])
    assert not engine.sent.named("open_lanes")
    told = [happening.type for _, happening in engine.store.history()]
    assert told == [HappeningType.DEPLOYMENT_START, HappeningType.DEPLOYMENT_STOP]


def test_the_next_in_the_queue_has_its_turn(engine: Engine, alarm: MemoryAlarm) -> None:
    engine.store.groups.change("g-1", lambda group: type(group).model_validate({**dict(group), "busy": "QUEUE"}))
    first, second = created(engine), created(engine)
    alarm.set(AlarmState.ALARM)
    begin(first)
    assert engine.sent.named("begin")[-1] == (second,)
    begin(second)
    assert held(engine, second).status is DeploymentStatus.STOPPED


@pytest.mark.parametrize(
    "more",
    [
        {"override_alarm_configuration": {"enabled": False}},
        {"creator": "codeDeployRollback"},
        {"override_alarm_configuration": {"enabled": True, "alarms": [{"name": "other"}]}},
    ],
)
def test_who_watches_no_active_alarm_begins(engine: Engine, alarm: MemoryAlarm, more: dict[str, Any]) -> None:
    engine.alarms.alarms["other"] = MemoryAlarm()
    alarm.set(AlarmState.ALARM)
    deployment_id = begun(engine, **more)
    assert held(engine, deployment_id).status is DeploymentStatus.IN_PROGRESS
    look_at_alarms(deployment_id)
    assert held(engine, deployment_id).stopping is None
    assert alarm.looks == 0


def test_what_the_group_watches_later_changes_nothing(engine: Engine, alarm: MemoryAlarm) -> None:
    deployment_id = begun(engine)
    engine.store.groups.change("g-1", lambda group: group.model_copy(update={"alarm_configuration": None}))
    alarm.set(AlarmState.ALARM)
    look_at_alarms(deployment_id)
    assert held(engine, deployment_id).stopping is not None


def test_an_alarm_that_fires_stops_what_is_under_way(engine: Engine, alarm: MemoryAlarm) -> None:
    deployment_id = begun(engine)
    look_at_alarms(deployment_id)
    assert held(engine, deployment_id).stopping is None
    alarm.set(AlarmState.ALARM)
    for _ in range(3):
        look_at_alarms(deployment_id)
    stopping = held(engine, deployment_id).stopping
    assert stopping is not None
    assert stopping.code is DeploymentErrorCode.ALARM_ACTIVE
    assert not held(engine, deployment_id).cutting
    assert len(engine.sent.named("stop_hosts")) == 1


@pytest.mark.parametrize("kind", [PhaseKind.READY_WAIT, PhaseKind.BAKING, PhaseKind.TERMINATION_WAIT])
def test_a_wait_is_ended_too(engine: Engine, alarm: MemoryAlarm, kind: PhaseKind) -> None:
    deployment_id = begun(engine)
    wait = {"phases": (Phase(kind=kind, seconds=60),), "until": NOW + 60}
    engine.store.change(deployment_id, lambda present: Change(present.model_copy(update=wait)))
    alarm.set(AlarmState.ALARM)
    look_at_alarms(deployment_id)
    assert engine.sent.named("conclude") == [(deployment_id, 0)]
    phase_concluded(None, deployment_id, 0)
    ended = held(engine, deployment_id)
    assert ended.status is DeploymentStatus.STOPPED
    assert ended.error_information is not None
    assert ended.error_information.code is DeploymentErrorCode.ALARM_ACTIVE


def test_a_stop_by_request_is_not_overwritten(engine: Engine, alarm: MemoryAlarm) -> None:
    deployment_id = begun(engine)
    stop(engine.world(), deployment_id)
    alarm.set(AlarmState.ALARM)
    look_at_alarms(deployment_id)
    stopping = held(engine, deployment_id).stopping
    assert stopping is not None
    assert stopping.code is DeploymentErrorCode.MANUAL_STOP
    assert alarm.looks == 1


def test_a_source_that_is_away_at_the_begin_is_waited_for(engine: Engine, alarm: MemoryAlarm) -> None:
    alarm.go_away()
    deployment_id = created(engine)
    with pytest.raises(WorldError, match="before its alarms are known: 'errors'"):
        begin(deployment_id)
    assert held(engine, deployment_id).status is DeploymentStatus.CREATED
    alarm.come_back()
    begin(deployment_id)
    assert held(engine, deployment_id).status is DeploymentStatus.IN_PROGRESS
    assert held(engine, deployment_id).alarm_record is None


def test_and_not_for_ever(engine: Engine, alarm: MemoryAlarm) -> None:
    alarm.go_away()
    deployment_id = created(engine)
    for _ in range(6):
        with pytest.raises(WorldError):
            begin(deployment_id)
        engine.now += 10
    begin(deployment_id)
    ended = held(engine, deployment_id)
    assert ended.status is DeploymentStatus.STOPPED
    assert ended.error_information is not None
    assert "does not answer" in ended.error_information.message


def test_a_check_that_fails_is_looked_at_until_it_is_known(engine: Engine, alarm: MemoryAlarm) -> None:
    """One that needs several failures is known after as many looks, however many processes take them."""
    engine.alarms.alarms["errors"] = bad = MemoryAlarm(in_a_row=3)
    bad.set(AlarmState.ALARM)
    deployment_id = created(engine)
    for _ in range(2):
        with pytest.raises(WorldError, match="is in ALARM"):
            begin(deployment_id)
        engine.now += 10
    begin(deployment_id)
    assert held(engine, deployment_id).status is DeploymentStatus.STOPPED
    assert alarm.looks == 0


def test_no_such_alarm_ends_it_at_once(engine: Engine, alarm: MemoryAlarm) -> None:
    alarm.vanish()
    assert held(engine, begun(engine)).status is DeploymentStatus.STOPPED


@pytest.mark.parametrize("trouble", [WorldError("the line is cut"), KeyError("a bug")])
def test_no_trouble_leaves_a_deployment_unwatched(
    engine: Engine, alarm: MemoryAlarm, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    deployment_id = begun(engine)

    def broken(_: object) -> None:
        raise trouble

    monkeypatch.setattr(engine.alarms, "read", broken)
    look_at_alarms(deployment_id)
    assert held(engine, deployment_id).stopping is None
    engine.now += 60
    look_at_alarms(deployment_id)
    assert held(engine, deployment_id).stopping is not None


def test_looks_and_stops_are_counted(engine: Engine, alarm: MemoryAlarm, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Counted()
    world = engine.world()
    monkeypatch.setattr(
        runtime, "_world", type(world)(**{**{f: getattr(world, f) for f in world.__slots__}, "meter": meter})
    )
    alarm.set(AlarmState.ALARM)
    begun(engine)
    assert meter.counts == [
        ("slipway_alarm_looks_total", "memory", "alarm"),
        ("slipway_deployments_ended_total", "Stopped"),
        ("slipway_alarm_stops_total",),
    ]


def test_the_watch_sends_a_look_for_each_that_watches(engine: Engine, alarm: MemoryAlarm) -> None:
    watching = begun(engine)
    round_of_watch(engine.world(), listening_since=lambda: NOW, deployments_too=True)
    assert not engine.sent.named("look_at_alarms")
    look_at_deployments(engine.world(), alarms_too=True)
    assert engine.sent.named("look_at_alarms") == [(watching,)]
    alarm.set(AlarmState.ALARM)
    look_at_alarms(watching)
    round_of_watch(engine.world(), listening_since=lambda: NOW, deployments_too=True, alarms_too=True)
    assert len(engine.sent.named("look_at_alarms")) == 1


def test_a_request_that_names_too_many_is_refused_whoever_sends_it(engine: Engine) -> None:
    many = {"enabled": True, "alarms": [{"name": f"a-{n}"} for n in range(51)]}
    with pytest.raises(AlarmsLimitExceeded):
        created(engine, override_alarm_configuration=many)
    with pytest.raises(InvalidAlarmConfig):
        created(engine, override_alarm_configuration={"enabled": True})
