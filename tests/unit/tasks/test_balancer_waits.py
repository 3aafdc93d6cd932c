"""A load balancer that does not answer when a deployment is to begin: people hear of it, and the group is not held for
half a day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.load_balancers.memory import MemoryLoadBalancer, MemoryLoadBalancers
from domain.deployments import CreateDeployment, Deployment, DeploymentErrorCode, DeploymentStatus
from domain.errors import WorldError
from domain.group_options import DeploymentStyle, LoadBalancerInfo
from tasks import runtime
from tasks.admitting import create_deployment
from tasks.beginning import begin
from tasks.steering import stop
from tasks.watch import look_at_deployments
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import NOW, a_revision
from workflows.agents import clock

EVENT_SECONDS = 600
FRONT, BACK = "front", "back"


class Balancers(MemoryLoadBalancers):
    """Two, some of which do not answer."""

    def __init__(self) -> None:
        super().__init__({FRONT: MemoryLoadBalancer(), BACK: MemoryLoadBalancer()})
        self.away: set[str] = set()
        self.asked = 0

    def check(self, info: LoadBalancerInfo) -> None:
        self.asked += 1
        for name in self.of(info):
            if name in self.away:
                raise WorldError(f"{name} does not answer: try {self.asked}")


@dataclass
class Scene:
    """A deployment that begins when the watch says so."""

    engine: Engine
    balancers: Balancers = field(default_factory=Balancers)
    deployment_id: str = ""

    def held(self) -> Deployment:
        found = self.engine.store.deployment(self.deployment_id)
        assert found is not None
        return found

    def deploy(self) -> str:
        request = {"application_name": "shop", "deployment_group_name": "web", "revision": a_revision()}
        return create_deployment(self.engine.world(), CreateDeployment.model_validate(request))

    def begin(self, *, at: float) -> bool:
        """One try; whether it did not have to be put off."""
        self.engine.now = NOW + at
        try:
            begin(self.deployment_id)
        except WorldError:
            return False
        return True


@pytest.fixture
def scene(engine: Engine) -> Scene:
    made = Scene(engine)
    engine.balancers = made.balancers
    runtime.enter(engine.world())
    members: dict[str, Any] = {
        "deployment_style": DeploymentStyle.model_validate({"deploymentOption": "WITH_TRAFFIC_CONTROL"}),
        "load_balancer_info": LoadBalancerInfo.model_validate(
            {"elbInfoList": [{"name": FRONT}], "targetGroupInfoList": [{"name": BACK}]}
        ),
        "event_seconds": EVENT_SECONDS,
    }
    engine.store.groups.change("g-1", lambda group: group.model_copy(update=members))
    made.deployment_id = made.deploy()
    return made


def test_it_says_which_balancer_it_waits_for_and_begins_once_that_answers(scene: Scene) -> None:
    scene.balancers.away = {BACK}
    assert not scene.begin(at=10)
    (told,) = scene.held().status_messages
    assert f"'{BACK}', which has not answered since {clock(NOW + 10)}: {BACK} does not answer" in told
    assert scene.held().status is DeploymentStatus.CREATED
    for at in (25, 40, 599):
        assert not scene.begin(at=at)
        assert scene.held().status_messages == (told,)
    scene.balancers.away.clear()
    assert scene.begin(at=599.5)
    assert (scene.held().status, scene.held().status_messages) == (DeploymentStatus.IN_PROGRESS, ())
    assert scene.held().balancer_silence is None


def test_it_is_not_waited_for_longer_than_an_event_may_take(scene: Scene) -> None:
    scene.engine.store.groups.change("g-1", lambda group: type(group).model_validate({**dict(group), "busy": "QUEUE"}))
    second = scene.deploy()
    scene.balancers.away = {FRONT, BACK}
    assert not scene.begin(at=15)
    assert not scene.begin(at=EVENT_SECONDS + 14.9)
    assert scene.begin(at=EVENT_SECONDS + 15)
    ended = scene.held()
    assert (ended.status, ended.status_messages) == (DeploymentStatus.FAILED, ())
    assert ended.error_information is not None
    assert ended.error_information.code is DeploymentErrorCode.ELASTIC_LOAD_BALANCING_INVALID
    assert f"'{FRONT}' has not answered since {clock(NOW + 15)}: {FRONT} does" in ended.error_information.message
    assert scene.engine.store.targets(ended.deployment_id) == []
    # The group is free, and the next one waits from its own turn on.
    scene.deployment_id = second
    assert scene.engine.sent.named("begin")[-1] == (second,)
    assert not scene.begin(at=EVENT_SECONDS + 20)
    assert scene.held().status is DeploymentStatus.CREATED
    assert not scene.begin(at=2 * EVENT_SECONDS + 19)
    assert scene.begin(at=2 * EVENT_SECONDS + 20)
    assert scene.held().status is DeploymentStatus.FAILED


def test_the_watch_has_it_tried_again(scene: Scene) -> None:
    scene.balancers.away = {FRONT}
    assert not scene.begin(at=0)
    tries = len(scene.engine.sent.named("begin"))
    scene.engine.now = NOW + 20
    look_at_deployments(scene.engine.world())
    assert scene.engine.sent.named("begin")[tries:] == [(scene.deployment_id,)]


def test_the_one_that_answers_again_is_not_named_for_the_next(scene: Scene) -> None:
    scene.balancers.away = {FRONT}
    assert not scene.begin(at=0)
    scene.balancers.away = {BACK}
    assert not scene.begin(at=30)
    (told,) = scene.held().status_messages
    assert f"'{BACK}', which has not answered since {clock(NOW + 30)}" in told


def test_a_balancer_that_is_not_there_is_not_waited_for(scene: Scene) -> None:
    scene.balancers._balancers.pop(FRONT)
    scene.balancers.away = {BACK}
    assert scene.begin(at=0)
    why = scene.held().error_information
    assert why is not None
    assert why.code is DeploymentErrorCode.ELASTIC_LOAD_BALANCING_INVALID
    assert "There is no load balancer front" in why.message


def test_a_stop_ends_the_wait(scene: Scene) -> None:
    scene.balancers.away = {FRONT}
    assert not scene.begin(at=0)
    stop(scene.engine.world(), scene.deployment_id)
    assert (scene.held().status, scene.held().status_messages) == (DeploymentStatus.STOPPED, ())
