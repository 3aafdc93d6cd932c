"""`slipway status` without --watch: what a deployment ends with, why it stops, what it waits for before it begins."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from adapters.alarms.memory import MemoryAlarm
from cli import status as module
from domain.alarms import AlarmState
from domain.deployments import BalancerSilence, CreateDeployment
from domain.errors import WorldError
from domain.group_options import AlarmConfiguration
from domain.moves import Change
from tasks.admitting import create_deployment
from tasks.alarms import look_at_alarms
from tasks.beginning import begin
from tasks.steering import stop
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import NOW, a_revision

NO_INSTANCES = "NO_INSTANCES: The deployment failed because no instances were found for the deployment group."


@pytest.fixture
def alarm(engine: Engine) -> MemoryAlarm:
    """The alarm that the group watches; three looks in a row make it active."""
    made = engine.alarms.alarms["errors"] = MemoryAlarm(in_a_row=3)
    watched = AlarmConfiguration.model_validate({"enabled": True, "alarms": [{"name": "errors"}]})
    engine.store.groups.change("g-1", lambda group: group.model_copy(update={"alarm_configuration": watched}))
    return made


def created(engine: Engine) -> str:
    values = {"application_name": "shop", "deployment_group_name": "web", "revision": a_revision()}
    return create_deployment(engine.world(), CreateDeployment.model_validate(values))


def begun(engine: Engine) -> str:
    deployment_id = created(engine)
    begin(deployment_id)
    return deployment_id


def shown(deployment_id: str, *options: str) -> str:
    """What the command prints; lines that were folded are whole again."""
    done = CliRunner().invoke(module.status, [deployment_id, *options], catch_exceptions=False)
    assert done.exit_code == (1 if "--watch" in options else 0)
    return done.output if "--json" in options else " ".join(done.output.split())


def test_a_deployment_without_hosts_says_why_it_failed(engine: Engine) -> None:
    engine.hosts.names = ()
    deployment_id = begun(engine)
    assert "0 succeeded" in shown(deployment_id)
    assert NO_INSTANCES in shown(deployment_id)


def test_with_watch_the_reason_is_not_said_twice(engine: Engine) -> None:
    engine.hosts.names = ()
    deployment_id = begun(engine)
    text = shown(deployment_id, "--watch")
    assert text.count(NO_INSTANCES) == 1
    assert text.endswith(f"{deployment_id} failed")


def test_while_a_stop_waits_for_running_events_it_says_so(engine: Engine) -> None:
    deployment_id = begun(engine)
    assert "stop" not in shown(deployment_id)
    stop(engine.world(), deployment_id)
    text = shown(deployment_id)
    assert "InProgress" in text
    assert "stopping: MANUAL_STOP: The deployment was stopped by request." in text
    assert f"waits for the events that run; `slipway stop {deployment_id} --now` ends them" in text
    stop(engine.world(), deployment_id, now=True)
    assert "waits for the events that run, which are being ended" in shown(deployment_id)


def test_an_alarm_that_stops_it_is_named_while_events_run(engine: Engine, alarm: MemoryAlarm) -> None:
    deployment_id = begun(engine)
    alarm.set(AlarmState.ALARM)
    for _ in range(3):
        look_at_alarms(deployment_id)
        engine.now += 10
    assert "stopping: ALARM_ACTIVE: One or more alarms are active" in shown(deployment_id)


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (lambda alarm: alarm.go_away(), "'errors': the source of the alarm does not answer."),
        (lambda alarm: alarm.set(AlarmState.ALARM, "503 was answered"), "'errors': 503 was answered."),
    ],
    ids=["away", "not failed often enough"],
)
def test_while_alarms_are_waited_for_it_says_which_and_why(
    engine: Engine, alarm: MemoryAlarm, trouble: Callable[[MemoryAlarm], None], why: str
) -> None:
    trouble(alarm)
    deployment_id = created(engine)
    assert "waits for" not in shown(deployment_id)
    with pytest.raises(WorldError):
        begin(deployment_id)
    assert f"waits for its alarms to be known before it begins: {why}" in shown(deployment_id)
    alarm.come_back()
    alarm.set(AlarmState.OK)
    begin(deployment_id)
    text = shown(deployment_id)
    assert "InProgress" in text
    assert "waits for" not in text


def test_json_holds_what_it_held(engine: Engine, alarm: MemoryAlarm) -> None:
    alarm.go_away()
    deployment_id = created(engine)
    before = json.loads(shown(deployment_id, "--json"))["deploymentInfo"]
    with pytest.raises(WorldError):
        begin(deployment_id)
    waiting = json.loads(shown(deployment_id, "--json"))["deploymentInfo"]
    assert waiting.keys() - before.keys() == {"alarmRecord"}
    assert (waiting["statusMessages"], "alarmsAwaited" in waiting) == ([], False)


def test_json_holds_nothing_of_what_the_engine_notes_for_itself(engine: Engine) -> None:
    deployment_id = created(engine)
    noted = {
        "stopping_at": NOW,
        "green_leaves_since": NOW,
        "balancer_silence": BalancerSilence(balancer="web", since=NOW, told="it waits"),
    }
    engine.store.change(deployment_id, lambda present: Change(present.model_copy(update=noted)))
    assert (
        json.loads(shown(deployment_id, "--json"))["deploymentInfo"]
        .keys()
        .isdisjoint({"stoppingAt", "greenLeavesSince", "balancerSilence"})
    )
