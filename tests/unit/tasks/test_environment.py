"""Green hosts that are made, blue ones that are retired, and what becomes of a deployment where that fails; all in
memory."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.environments.memory import MemoryEnvironments
from adapters.load_balancers.memory import MemoryLoadBalancer, MemoryLoadBalancers
from domain.deployments import CreateDeployment, Deployment, DeploymentStatus, PhaseKind, Progress, WaitType
from domain.fleet import Instance, TargetKind
from domain.groups import DeploymentGroup
from domain.limits import Limits
from domain.moves import Change
from tasks import runtime
from tasks.admitting import create_deployment
from tasks.beginning import begin
from tasks.environment import environment
from tasks.rollout import phase_concluded
from tasks.steering import go_on, stop
from tasks.watch import look_at_deployments
from tests.unit.tasks.engine import Engine, Hosts
from tests.unit.workflows.engine_values import NOW, a_revision

BLUE = ("i-blue1", "i-blue2")


def blue_green(ending: dict[str, Any], *, action: str = "COPY_AUTO_SCALING_GROUP") -> dict[str, Any]:
    return {
        "deployment_style": {"deployment_type": "BLUE_GREEN", "deployment_option": "WITH_TRAFFIC_CONTROL"},
        "load_balancer_info": {"target_group_info_list": [{"name": "front"}]},
        "auto_scaling_groups": ("web",) if action == "COPY_AUTO_SCALING_GROUP" else (),
        "blue_green_deployment_configuration": {
            "green_fleet_provisioning_option": {"action": action},
            "deployment_ready_option": {"action_on_timeout": "STOP_DEPLOYMENT", "wait_time_in_minutes": 10},
            "terminate_blue_instances_on_deployment_success": ending,
        },
    }


TERMINATE = {"action": "TERMINATE", "termination_wait_time_in_minutes": 5}
KEEP = {"action": "KEEP_ALIVE"}


def an_instance(name: str) -> Instance:
    return Instance(
        instance_id=name, kind=TargetKind.EC2, arn=f"arn:{name}", tags={"role": "web"}, auto_scaling_groups=("web",)
    )


class Site:
    """An engine with one blue/green group, and a grip on its deployment."""

    def __init__(self, ending: dict[str, Any]) -> None:
        blue = [an_instance(name) for name in BLUE]
        self.environments = MemoryEnvironments({"web": blue}, steps=1)
        self.engine = Engine(
            hosts=Hosts(BLUE),
            balancers=MemoryLoadBalancers({"front": MemoryLoadBalancer(*BLUE)}),
            environments=self.environments,
        )
        self.change_group(**blue_green(ending))
        runtime.enter(self.engine.world())
        self.id = create_deployment(self.engine.world(), request())
        begin.run(self.id)

    def change_group(self, **members: Any) -> None:
        def edit(group: DeploymentGroup) -> DeploymentGroup:
            return DeploymentGroup.model_validate({**group.model_dump(by_alias=False), **members})

        self.engine.store.groups.change("g-1", edit)

    @property
    def group(self) -> DeploymentGroup:
        group = self.engine.store.groups.get("g-1")
        assert group is not None
        return group

    @property
    def deployment(self) -> Deployment:
        deployment = self.engine.store.deployment(self.id)
        assert deployment is not None
        return deployment

    def kind(self) -> PhaseKind | None:
        phase = self.deployment.under_way
        return phase.kind if phase else None

    def step(self) -> None:
        environment.run(self.id, self.deployment.phase)

    def hosts_done(self, *, failed: int = 0) -> None:
        """Every host of the phase went well, but for some, as its lanes would have it."""
        phase = self.deployment.under_way
        assert phase is not None
        assert phase.kind.on_hosts
        assert self.engine.store.progress(self.id, self.deployment.phase) is not None
        well = Progress(
            total=phase.count,
            taken=phase.count,
            succeeded=phase.count - failed,
            failed=failed,
            lanes=phase.lanes,
            retired=phase.lanes,
        )
        # Lanes are tested elsewhere: here the counters of a phase are simply full.
        self.engine.store._runs[self.id].progress[self.deployment.phase] = well
        phase_concluded.run(None, self.id, self.deployment.phase)

    def watch(self) -> None:
        """Look at deployments and do what the watch sends, where that is of an environment or a wait."""
        self.engine.sent.said.clear()
        look_at_deployments(self.engine.world())
        for deployment_id, phase in self.engine.sent.named("environment"):
            environment.run(deployment_id, phase)
        for deployment_id, phase in self.engine.sent.named("conclude"):
            phase_concluded.run(None, deployment_id, phase)

    def until(self, kind: PhaseKind) -> None:
        for _ in range(20):
            if self.kind() is kind:
                return
            if self.deployment.under_way and self.deployment.under_way.kind.on_hosts:
                self.hosts_done()
            elif self.kind() is PhaseKind.READY_WAIT:
                go_on(self.engine.world(), self.id, WaitType.READY_WAIT)
                self.watch()
            else:
                self.engine.now += 300 if self.kind() is PhaseKind.TERMINATION_WAIT else 0
                self.watch()
        raise AssertionError(f"it never came to {kind}, it is in {self.kind()}")


def request() -> CreateDeployment:
    return CreateDeployment(application_name="shop", deployment_group_name="web", revision=a_revision())


def test_green_is_made_laid_out_behind_blue_and_installed() -> None:
    site = Site(TERMINATE)
    assert (site.kind(), site.deployment.total, site.deployment.blue) == (PhaseKind.PROVISION, 2, 2)
    site.step()
    assert site.kind() is PhaseKind.PROVISION, "one step was not enough"
    site.step()
    assert site.kind() is PhaseKind.INSTALL
    records = site.engine.store.targets(site.id)
    assert [record.target.target_id for record in records[:2]] == list(BLUE)
    assert [site.deployment.label(record.index) for record in records] == ["Blue", "Blue", "Green", "Green"]
    assert site.engine.sent.named("open_lanes")
    site.step()
    assert site.kind() is PhaseKind.INSTALL, "a step of a phase that is over does nothing"


def test_green_takes_blues_place_in_the_group_as_soon_as_blue_gave_way() -> None:
    site = Site(TERMINATE)
    site.change_group(hooks=({"auto_scaling_group": "web", "name": "mine"},))
    site.until(PhaseKind.BLOCK)
    assert site.group.auto_scaling_groups == ("web",)
    site.until(PhaseKind.TERMINATION_WAIT)
    assert site.deployment.termination_wait_started
    assert site.group.auto_scaling_groups == (f"web-{site.id}",)
    assert [(hook.auto_scaling_group, hook.name) for hook in site.group.hooks] == [(f"web-{site.id}", "mine")]
    assert site.group.target_revision == a_revision()
    site.until(PhaseKind.RETIRE)
    assert site.environments.orders[-1].hooks == ("mine",)
    site.watch()
    site.watch()
    assert site.deployment.status is DeploymentStatus.SUCCEEDED
    assert site.deployment.status_messages == ()
    assert site.environments.terminated == set(BLUE)
    assert site.group.auto_scaling_groups == (f"web-{site.id}",)
    assert site.group.target_revision == a_revision()


def test_the_wait_before_termination_may_be_skipped() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.TERMINATION_WAIT)
    site.watch()
    assert site.kind() is PhaseKind.TERMINATION_WAIT
    go_on(site.engine.world(), site.id, WaitType.TERMINATION_WAIT)
    site.watch()
    assert site.kind() is PhaseKind.RETIRE


def test_a_blue_that_is_kept_is_only_left() -> None:
    site = Site(KEEP)
    site.until(PhaseKind.RETIRE)
    site.watch()
    site.watch()
    assert site.deployment.status is DeploymentStatus.SUCCEEDED
    assert site.environments.terminated == set()


def test_what_cannot_be_retired_is_said_and_the_deployment_has_succeeded_all_the_same() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.RETIRE)
    site.environments.away = True
    site.watch()
    assert site.kind() is PhaseKind.RETIRE
    assert not site.deployment.status.final
    site.engine.now += Limits().environment_seconds
    site.watch()
    assert site.deployment.status is DeploymentStatus.SUCCEEDED
    (message,) = site.deployment.status_messages
    assert "could not be retired" in message
    assert "do not answer" in message


def test_green_that_cannot_be_made_fails_the_deployment_once_its_rest_is_removed() -> None:
    site = Site(TERMINATE)
    site.environments.refusal = "no capacity left"
    site.watch()
    site.watch()
    assert site.kind() is PhaseKind.ABANDON
    site.watch()
    site.watch()
    over = site.deployment
    assert over.status is DeploymentStatus.FAILED
    assert over.error_information is not None
    assert (over.error_information.code, over.error_information.message) == (
        "AUTO_SCALING_CONFIGURATION",
        "no capacity left",
    )
    assert site.group.auto_scaling_groups == ("web",)


def test_green_that_is_not_there_in_time_fails_the_deployment() -> None:
    site = Site(TERMINATE)
    site.environments.away = True
    site.watch()
    assert site.kind() is PhaseKind.PROVISION
    site.engine.now += Limits().environment_seconds
    site.watch()
    assert site.kind() is PhaseKind.ABANDON
    assert site.deployment.stopping is not None
    assert "do not answer" in site.deployment.stopping.message
    site.environments.away = False
    site.watch()
    site.watch()
    assert site.deployment.status is DeploymentStatus.FAILED


@pytest.mark.parametrize("kind", [PhaseKind.PROVISION, PhaseKind.READY_WAIT])
def test_a_stop_before_green_serves_removes_it(kind: PhaseKind) -> None:
    site = Site(TERMINATE)
    site.until(kind)
    stop(site.engine.world(), site.id)
    site.watch()
    assert site.kind() is PhaseKind.ABANDON
    site.watch()
    site.watch()
    assert site.deployment.status is DeploymentStatus.STOPPED
    assert len(site.environments.hosts) == 1


def test_nobody_who_continues_stops_it_by_itself() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.READY_WAIT)
    ready = site.deployment
    assert ready.status is DeploymentStatus.READY
    site.watch()
    assert site.kind() is PhaseKind.READY_WAIT
    site.engine.now += 600
    site.watch()
    site.watch()
    site.watch()
    assert site.deployment.status is DeploymentStatus.STOPPED


def test_a_deployment_in_any_status_of_waiting_has_a_limit_as_a_whole() -> None:
    site = Site({**TERMINATE, "termination_wait_time_in_minutes": 2880})
    site.until(PhaseKind.TERMINATION_WAIT)
    limits = Limits()
    site.engine.store.change(
        site.id, lambda d: Change(d.model_copy(update={"start_time": NOW - limits.blue_green_seconds}))
    )
    for _ in range(4):
        site.watch()
    over = site.deployment
    assert over.status is DeploymentStatus.FAILED
    assert over.error_information is not None
    assert over.error_information.code == "TIMEOUT"
