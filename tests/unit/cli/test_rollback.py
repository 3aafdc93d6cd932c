"""`slipway rollback`: the deployment that it asks for, as it begins."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from adapters.alarms.memory import MemoryAlarm
from cli import deploy as module
from domain.alarms import AlarmState
from domain.deployments import CreateDeployment, Deployment, DeploymentStatus
from domain.group_options import AlarmConfiguration
from tasks import runtime
from tasks.admitting import create_deployment
from tasks.beginning import begin
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import a_revision


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(runtime, "_world", made.world())
    monkeypatch.setattr(module, "world", made.world)
    return made


def rolled_back(engine: Engine, to: str) -> Deployment:
    """What becomes of a rollback by command to the revision of a deployment."""
    done = CliRunner().invoke(module.rollback, ["shop/web", "--to", to, "--json"], catch_exceptions=False)
    answer = json.loads(done.output)
    assert (done.exit_code, answer["rollbackTo"]) == (0, to)
    begin(answer["deploymentId"])
    deployment = engine.store.deployment(answer["deploymentId"])
    assert deployment is not None
    return deployment


def test_the_alarm_that_is_the_reason_for_it_does_not_refuse_it(engine: Engine) -> None:
    watched = AlarmConfiguration.model_validate({"enabled": True, "alarms": [{"name": "errors"}]})
    engine.store.groups.change("g-1", lambda group: group.model_copy(update={"alarm_configuration": watched}))
    alarm = engine.alarms.alarms["errors"] = MemoryAlarm()
    alarm.set(AlarmState.ALARM, "0.27 is above 0.05")
    values = {"application_name": "shop", "deployment_group_name": "web", "revision": a_revision("v1")}
    first = create_deployment(engine.world(), CreateDeployment.model_validate(values))
    begin(first)
    deployment = rolled_back(engine, first)
    assert deployment.alarm_configuration is None
    assert (deployment.status, deployment.total) == (DeploymentStatus.IN_PROGRESS, 2)
