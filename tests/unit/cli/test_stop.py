"""`slipway stop`: what it asks of a deployment that is under way."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cli import deploy as module
from domain.deployments import CreateDeployment, Deployment
from tasks.admitting import create_deployment
from tasks.beginning import begin
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import a_revision


@pytest.fixture
def running(engine: Engine) -> str:
    """A deployment that is under way."""
    values = {"application_name": "shop", "deployment_group_name": "web", "revision": a_revision()}
    deployment_id = create_deployment(engine.world(), CreateDeployment.model_validate(values))
    begin(deployment_id)
    return deployment_id


def stopped(engine: Engine, deployment_id: str, *options: str) -> Deployment:
    """The deployment after the command."""
    done = CliRunner().invoke(module.stop, [deployment_id, "--json", *options], catch_exceptions=False)
    assert json.loads(done.output)["status"] == "Pending"
    deployment = engine.store.deployment(deployment_id)
    assert deployment is not None
    assert deployment.stopping is not None
    return deployment


@pytest.mark.parametrize(("options", "wish"), [((), None), (("--rollback",), True), (("--no-rollback",), False)])
def test_whoever_stops_says_whether_it_is_rolled_back(
    engine: Engine, running: str, options: tuple[str, ...], wish: bool | None
) -> None:
    assert stopped(engine, running, *options).rollback_on_stop is wish


@pytest.mark.parametrize("options", [(), ("--now",)])
def test_scripts_that_run_are_ended_if_that_is_asked_for(
    engine: Engine, running: str, options: tuple[str, ...]
) -> None:
    assert stopped(engine, running, *options).cutting is bool(options)
