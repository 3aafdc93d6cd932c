"""`slipway rollback`: the deployment that it asks for, as it begins."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from adapters.alarms.memory import MemoryAlarm
from cli import deploy as module
from cli.main import cli
from domain.alarms import AlarmState
from domain.deployments import CreateDeployment, Deployment, DeploymentStatus
from domain.group_options import AlarmConfiguration
from domain.groups import TargetInstances
from tasks.admitting import create_deployment
from tasks.beginning import begin
from tasks.steering import stop
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import a_revision


def rolled_back(engine: Engine, to: str) -> Deployment:
    """What becomes of a rollback by command to the revision of a deployment."""
    done = CliRunner().invoke(module.rollback, ["shop/web", "--to", to, "--json"], catch_exceptions=False)
    answer = json.loads(done.stdout)
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


TO_FOUND_HOSTS = {
    "deployment_style": {"deployment_type": "BLUE_GREEN", "deployment_option": "WITH_TRAFFIC_CONTROL"},
    "load_balancer_info": {"target_group_info_list": [{"name": "web"}]},
    "blue_green_deployment_configuration": {"green_fleet_provisioning_option": {"action": "DISCOVER_EXISTING"}},
}
GREEN = {"tag_filters": [{"key": "color", "value": "green", "type": "KEY_AND_VALUE"}]}


def earlier(engine: Engine, **more: Any) -> str:
    """An earlier deployment of the group."""
    values = {"application_name": "shop", "deployment_group_name": "web", "revision": a_revision("v1"), **more}
    deployment_id = create_deployment(engine.world(), CreateDeployment.model_validate(values))
    stop(engine.world(), deployment_id)
    return deployment_id


@pytest.fixture
def found(engine: Engine) -> str:
    """An earlier deployment of the group, which is blue/green with hosts that exist."""
    engine.store.groups.change("g-1", lambda group: type(group).model_validate({**dict(group), **TO_FOUND_HOSTS}))
    return earlier(engine, target_instances=GREEN)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (("--green", "color=green"), GREEN),
        (("--green-environment", "spare"), {"auto_scaling_groups": ["spare"]}),
        (
            ("--green", "color=green", "--green", "zone=a", "--green-environment", "spare"),
            {
                "tag_filters": [*GREEN["tag_filters"], {"key": "zone", "value": "a", "type": "KEY_AND_VALUE"}],
                "auto_scaling_groups": ["spare"],
            },
        ),
    ],
    ids=["tag", "environment", "several"],
)
def test_the_hosts_that_take_over_are_named(
    engine: Engine, found: str, options: tuple[str, ...], wanted: dict[str, Any]
) -> None:
    done = CliRunner().invoke(cli, ["rollback", "shop/web", "--to", found, "--json", *options])
    assert done.exit_code == 0, done.output
    deployment = engine.store.deployment(json.loads(done.stdout)["deploymentId"])
    assert deployment is not None
    assert deployment.target_instances == TargetInstances.model_validate(wanted)


@pytest.mark.parametrize("call", [("rollback", "shop/web"), ("deploy", "s3://b/v1.zip", "--group", "shop/web")])
def test_where_they_are_not_the_error_says_by_which_options(engine: Engine, found: str, call: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, [*call, *(("--to", found) if call[0] == "rollback" else ())])
    assert done.exit_code == 2
    assert "needs targetInstances" in done.stderr
    assert "--green KEY=VALUE or --green-environment NAME" in done.stderr
    assert engine.store.running("g-1") is None


@pytest.mark.parametrize("watch", [False, True])
def test_it_says_to_which_deployment_and_revision_it_returns(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, watch: bool
) -> None:
    before = earlier(engine)
    monkeypatch.setattr(module, "follow", lambda *_, **__: 0)
    done = CliRunner().invoke(cli, ["rollback", "shop/web", "--to", before, *(["--watch"] if watch else [])])
    ((_, new),) = engine.store.recent(group_id="g-1", limit=1)
    assert done.stderr == f"it returns to the revision of {before}: s3://releases/v1.zip\n"
    assert done.stdout == ("" if watch else f"{new}\n")
