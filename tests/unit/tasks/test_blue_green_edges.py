"""What comes at a bad moment for a blue/green deployment, and must leave the group with the hosts that serve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapters.load_balancers.memory import MemoryLoadBalancer, MemoryLoadBalancers
from domain.deployments import CreateDeployment, Deployment, DeploymentStatus, PhaseKind, Progress, WaitType
from domain.errors import DeploymentAlreadyCompleted, WorldError
from domain.fleet import HostRecord, Instance, InstanceHealth, TargetKind
from domain.groups import DeploymentGroup
from domain.limits import Limits
from domain.moves import Change
from tasks import runtime
from tasks.admitting import create_deployment
from tasks.beginning import begin
from tasks.phases import conclude
from tasks.rollout import phase_concluded
from tasks.steering import go_on, stop
from tasks.watch import look_at_deployments
from tests.unit.tasks.engine import Engine, Hosts
from tests.unit.tasks.test_environment import KEEP, TERMINATE, Site, blue_green, request
from tests.unit.workflows.engine_values import NOW, a_revision
from workflows import reporting


def meanwhile(site: Site, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Something happens between the decision on a phase and its write."""
    real, once = site.engine.store.groups.change, [happens]

    def change(*args: Any) -> Any:
        if once:
            once.pop()()
        return real(*args)

    monkeypatch.setattr(site.engine.store.groups, "change", change)


def test_a_stop_that_comes_while_a_phase_is_concluded_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.READY_WAIT)
    go_on(site.engine.world(), site.id, WaitType.READY_WAIT)
    meanwhile(site, monkeypatch, lambda: stop(site.engine.world(), site.id))
    phase_concluded.run(None, site.id, site.deployment.phase)
    assert site.kind() is PhaseKind.ABANDON


def until_the_end(site: Site) -> Deployment:
    for _ in range(6):
        if not site.deployment.status.final:
            site.watch()
    return site.deployment


@pytest.mark.parametrize("how", ["stop", "timeout"])
def test_once_blue_gave_way_green_is_the_groups_whatever_ends_the_deployment(how: str) -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.TERMINATION_WAIT)
    if how == "stop":
        stop(site.engine.world(), site.id)
    else:
        long_ago = NOW - Limits().blue_green_seconds
        site.engine.store.change(site.id, lambda d: Change(d.model_copy(update={"start_time": long_ago})))
    over = until_the_end(site)
    assert over.status == ("Stopped" if how == "stop" else "Failed")
    assert site.group.auto_scaling_groups == (f"web-{site.id}",)
    assert site.group.target_revision == a_revision()
    assert site.environments.terminated == set(), "whoever stopped it wants to look at blue"


def test_a_shift_that_gave_nobody_traffic_removes_what_was_made() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.SHIFT)
    site.hosts_done(failed=2)
    assert site.kind() is PhaseKind.ABANDON
    assert until_the_end(site).status is DeploymentStatus.FAILED
    assert set(site.environments.hosts) == {"web"}


def test_green_that_stays_beside_blue_is_named() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.BLOCK)
    site.hosts_done(failed=1)
    over = site.deployment
    assert over.status is DeploymentStatus.FAILED
    assert f"web-{site.id}" in over.status_messages[-1]
    assert site.group.auto_scaling_groups == ("web",)


def test_targets_and_counts_agree_after_green_was_removed() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.READY_WAIT)
    for index in (2, 3):
        run = site.engine.store._runs[site.id]
        name = run.order[index]
        run.records[name] = run.records[name].model_copy(update={"status": "Ready", "attempt": "t-1"})
    stop(site.engine.world(), site.id)
    over = until_the_end(site)
    counts = reporting.overview(over, None)
    shown = [reporting.target_view(each, over).status for each in site.engine.store.targets(site.id)]
    assert (counts.skipped, counts.succeeded, len(shown)) == (4, 0, 4)
    assert set(shown) == {"Skipped"}
    assert all(reporting.events_of(over, index) for index in range(4))


def test_a_stop_while_blue_is_being_retired_is_refused() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.RETIRE)
    with pytest.raises(DeploymentAlreadyCompleted, match="cannot be stopped any more"):
        stop(site.engine.world(), site.id)


def test_an_edit_of_the_group_during_the_deployment_survives_it() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.INSTALL)
    site.change_group(ec2_tag_filters=({"key": "new", "type": "KEY_ONLY"},))
    site.until(PhaseKind.RETIRE)
    until_the_end(site)
    assert site.group.auto_scaling_groups == (f"web-{site.id}",)
    assert [condition.key for condition in site.group.ec2_tag_filters] == ["new"]


def test_hosts_that_joined_blue_leave_traffic_after_the_rest_and_are_retired_too() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.SHIFT)
    site.engine.hosts.names = (*site.engine.hosts.names, "i-late")
    site.hosts_done()
    assert site.kind() is PhaseKind.BLOCK
    site.hosts_done()
    assert site.kind() is PhaseKind.BLOCK
    late = site.engine.store.target(site.id, "i-late")
    assert late is not None
    assert (late.index, site.deployment.label(late.index), site.deployment.total) == (4, "Blue", 5)
    site.until(PhaseKind.RETIRE)
    until_the_end(site)
    assert "i-late" in site.environments.terminated


def test_a_group_that_lost_its_auto_scaling_group_ends_the_deployment() -> None:
    engine = Engine(hosts=Hosts(("i-1",)), balancers=MemoryLoadBalancers({"front": MemoryLoadBalancer("i-1")}))
    engine.store.groups.change("g-1", lambda group: changed(group, **blue_green(TERMINATE)))
    runtime.enter(engine.world())
    made = create_deployment(engine.world(), request())
    engine.store.groups.change("g-1", lambda group: changed(group, auto_scaling_groups=()))
    begin.run(made)
    over = present(engine, made)
    assert over.error_information is not None
    assert over.error_information.code == "AUTO_SCALING_CONFIGURATION"


def changed(group: DeploymentGroup, **members: Any) -> DeploymentGroup:
    return DeploymentGroup.model_validate({**group.model_dump(by_alias=False), **members})


def present(engine: Engine, deployment_id: str) -> Deployment:
    found = engine.store.deployment(deployment_id)
    assert found is not None
    return found


class TwoColors(Hosts):
    """Blue and green hosts, by a tag."""

    def instances(self, group: DeploymentGroup) -> list[Instance]:  # noqa: ARG002
        return [
            Instance(
                instance_id=name,
                kind=TargetKind.ON_PREMISES,
                arn=f"arn:{name}",
                tags={"color": name.partition("-")[0]},
            )
            for name in self.names
        ]


def found(green: str, **more: Any) -> tuple[Engine, str]:
    """A deployment from blue hosts to those of a color; its engine and id."""
    names = ("blue-1", "blue-2", "green-1", "green-2")
    engine = Engine(hosts=TwoColors(names), balancers=MemoryLoadBalancers({"front": MemoryLoadBalancer(*names[:2])}))
    blue = ({"key": "color", "value": "blue"},)
    members = {**blue_green(KEEP, action="DISCOVER_EXISTING"), "on_premises_instance_tag_filters": blue}
    engine.store.groups.change("g-1", lambda group: changed(group, **members))
    level = HostRecord(health=InstanceHealth.HEALTHY, revision=a_revision().identity)
    engine.store._hosts["g-1", "green-1"] = level
    runtime.enter(engine.world())
    wanted = {"tag_filters": [{"key": "color", "value": green}]}
    values = {"application_name": "shop", "deployment_group_name": "web", "revision": a_revision(), **more}
    made = create_deployment(engine.world(), CreateDeployment.model_validate({**values, "target_instances": wanted}))
    begin.run(made)
    return engine, made


def test_all_of_green_gets_traffic_also_where_only_outdated_hosts_were_asked_for() -> None:
    engine, made = found("green", update_outdated_instances_only=True)
    assert present(engine, made).total == 4


def test_hosts_that_serve_are_not_installed_on_under_traffic() -> None:
    engine, made = found("blue")
    over = present(engine, made)
    assert over.status is DeploymentStatus.FAILED
    assert over.error_information is not None
    assert "blue-1, blue-2" in over.error_information.message


def test_what_cannot_begin_ends_at_some_time() -> None:
    engine = Engine()
    engine.hosts.trouble = WorldError("AWS does not answer")
    runtime.enter(engine.world())
    made = create_deployment(engine.world(), request())
    engine.now += Limits().deployment_seconds
    look_at_deployments(engine.world())
    over = present(engine, made)
    assert over.status is DeploymentStatus.FAILED
    assert over.error_information is not None
    assert over.error_information.code == "TIMEOUT"


def test_a_stop_that_wins_against_begin_is_what_the_group_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    runtime.enter(engine.world())
    made = create_deployment(engine.world(), request())
    real, once = engine.store.groups.change, [made]

    def change(*args: Any) -> Any:
        if once:
            stop(engine.world(), once.pop())
        return real(*args)

    monkeypatch.setattr(engine.store.groups, "change", change)
    begin.run(made)
    group = engine.store.groups.get("g-1")
    assert group is not None
    assert group.last_attempted_deployment is not None
    assert (present(engine, made).status, group.last_attempted_deployment.status) == ("Stopped", "Stopped")


def test_hosts_that_were_lost_before_are_not_waited_for() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.INSTALL)
    site.hosts_done(failed=1)
    site.until(PhaseKind.SHIFT)
    phase = site.deployment.under_way
    assert phase is not None
    served = Progress(total=2, taken=1, succeeded=1, lanes=1, retired=1)
    site.engine.store._runs[site.id].progress[site.deployment.phase] = served
    conclude(site.engine.world(), site.deployment)
    assert site.kind() is PhaseKind.BLOCK
