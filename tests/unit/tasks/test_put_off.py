"""Something that a deployment asks before it begins does not answer: people hear what, for as long as it is so."""

from __future__ import annotations

import pytest

from adapters.load_balancers.memory import MemoryLoadBalancer, MemoryLoadBalancers
from api.forms import deployment_info
from domain.deployments import CreateDeployment, Deployment, DeploymentStatus
from domain.errors import WorldError
from domain.group_options import DeploymentStyle, LoadBalancerInfo
from tasks import runtime
from tasks.admitting import create_deployment
from tasks.beginning import begin
from tasks.steering import stop
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import NOW, a_revision
from workflows.waits import waiting_for

AWAY = WorldError("EC2 does not answer: try later")
SAID = f"The deployment cannot begin yet and is tried again every few seconds: {AWAY.message}"

BALANCED = {
    "deployment_style": DeploymentStyle.model_validate({"deploymentOption": "WITH_TRAFFIC_CONTROL"}),
    "load_balancer_info": LoadBalancerInfo.model_validate({"elbInfoList": [{"name": "front"}]}),
}


def deploy(engine: Engine) -> str:
    runtime.enter(engine.world())
    request = {"application_name": "shop", "deployment_group_name": "web", "revision": a_revision()}
    return create_deployment(engine.world(), CreateDeployment.model_validate(request))


def held(engine: Engine, deployment_id: str) -> Deployment:
    found = engine.store.deployment(deployment_id)
    assert found is not None
    return found


def messages(engine: Engine, deployment_id: str) -> list[str]:
    """What the API tells of it."""
    info = deployment_info(held(engine, deployment_id), None, application_name="shop", group_name="web")
    return list(info.get("deploymentStatusMessages") or [])


@pytest.mark.parametrize("part", ["hosts", "revision"])
def test_people_hear_what_does_not_answer_until_it_does(engine: Engine, part: str) -> None:
    deployment_id = deploy(engine)
    if part == "hosts":
        engine.hosts.trouble = AWAY
    else:
        engine.links.fault = AWAY
    for _ in range(2):
        with pytest.raises(WorldError):
            begin(deployment_id)
        assert messages(engine, deployment_id) == [SAID]
    assert waiting_for(held(engine, deployment_id), NOW) == f"what it needs to begin: {AWAY.message}"
    assert held(engine, deployment_id).status is DeploymentStatus.CREATED
    engine.hosts.trouble = engine.links.fault = None
    begin(deployment_id)
    assert held(engine, deployment_id).status is DeploymentStatus.IN_PROGRESS
    assert messages(engine, deployment_id) == []
    assert waiting_for(held(engine, deployment_id), NOW) == ""


def test_nothing_is_said_of_it_once_the_deployment_is_stopped(engine: Engine) -> None:
    deployment_id = deploy(engine)
    engine.hosts.trouble = AWAY
    with pytest.raises(WorldError):
        begin(deployment_id)
    stop(engine.world(), deployment_id)
    assert messages(engine, deployment_id) == []


def test_only_what_is_true_now_is_said(engine: Engine) -> None:
    """First one thing is away, then another, then the first again."""

    class Balancers(MemoryLoadBalancers):
        away = False

        def check(self, info: LoadBalancerInfo) -> None:
            assert list(self.of(info)) == ["front"]
            if self.away:
                raise WorldError("it does not answer")

    balancers = engine.balancers = Balancers({"front": MemoryLoadBalancer()})
    engine.store.groups.change("g-1", lambda group: group.model_copy(update=BALANCED))
    deployment_id = deploy(engine)
    silence = "waits for the load balancer 'front'"
    for trouble, words in ((AWAY, [SAID]), (None, [silence]), (AWAY, [silence, SAID]), (None, [silence])):
        engine.hosts.trouble, balancers.away = trouble, trouble is None
        with pytest.raises(WorldError):
            begin(deployment_id)
        told = messages(engine, deployment_id)
        assert [text for text, expected in zip(told, words, strict=True) if expected not in text] == []


def test_a_balancer_that_is_waited_for_keeps_its_limit_whatever_else_is_away(engine: Engine) -> None:
    class Away(MemoryLoadBalancers):
        def check(self, info: LoadBalancerInfo) -> None:
            assert list(self.of(info)) == ["front"]
            raise WorldError("it does not answer")

    engine.balancers = Away({"front": MemoryLoadBalancer()})
    engine.store.groups.change("g-1", lambda group: group.model_copy(update=BALANCED))
    deployment_id = deploy(engine)
    for after, trouble in ((0, None), (3000, AWAY), (3599, None)):
        engine.now, engine.hosts.trouble = NOW + after, trouble
        with pytest.raises(WorldError):
            begin(deployment_id)
    engine.now = NOW + 3600
    begin(deployment_id)
    assert held(engine, deployment_id).status is DeploymentStatus.FAILED
