"""What comes at a bad moment for a blue/green deployment, and must leave the group with the hosts that serve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapters.load_balancers.memory import MemoryLoadBalancer, MemoryLoadBalancers
from domain import reasons
from domain.deployments import (
    CreateDeployment,
    Deployment,
    DeploymentStatus,
    PhaseKind,
    Progress,
    TargetStatus,
    WaitType,
)
from domain.errors import DeploymentAlreadyCompleted, WorldError
from domain.fleet import Fate, HostRecord, Instance, InstanceHealth, TargetKind
from domain.group_options import AutoRollbackConfiguration, AutoRollbackEvent, LoadBalancerInfo
from domain.groups import DeploymentGroup
from domain.lifecycle import Event
from domain.limits import Limits
from domain.moves import Change
from domain.reports import EventStatus
from tasks import runtime
from tasks.admitting import create_deployment
from tasks.beginning import begin
from tasks.orders import write_report
from tasks.phases import conclude
from tasks.rollout import phase_concluded
from tasks.steering import go_on, stop
from tasks.watch import look_at_deployments
from tests.unit.tasks.engine import Engine, Hosts
from tests.unit.tasks.test_environment import BLUE, KEEP, TERMINATE, Site, blue_green, request
from tests.unit.workflows.engine_values import NOW, a_revision, held
from workflows import reporting, waits


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


def test_hosts_that_the_group_selects_only_since_are_none_of_its_hosts() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.READY_WAIT)
    site.engine.hosts.names = (*site.engine.hosts.names, "i-other")
    site.engine.hosts.tags["i-other"] = {"role": "db"}
    site.change_group(on_premises_instance_tag_filters=({"key": "role", "value": "db"},))
    site.until(PhaseKind.RETIRE)
    over = until_the_end(site)
    assert over.status is DeploymentStatus.SUCCEEDED
    assert site.engine.store.target(site.id, "i-other") is None
    assert "i-other" not in site.environments.terminated
    assert site.group.auto_scaling_groups == (f"web-{site.id}",)
    assert [condition.value for condition in site.group.on_premises_instance_tag_filters] == ["db"]


def test_green_whose_hook_failed_behind_the_shift_is_named_and_not_removed() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.SHIFT)
    run = site.engine.store._runs[site.id]
    name = run.order[2]
    events = {Event.ALLOW_TRAFFIC: held(EventStatus.SUCCEEDED), Event.AFTER_ALLOW_TRAFFIC: held(EventStatus.FAILED)}
    run.records[name] = run.records[name].model_copy(update={"events": events, "status": TargetStatus.FAILED})
    site.hosts_done(failed=2)
    over = site.deployment
    assert over.status is DeploymentStatus.FAILED
    assert reasons.GREEN_STAYS in over.status_messages
    assert set(site.environments.hosts) == {"web", f"web-{site.id}"}


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


def front(engine: Engine) -> MemoryLoadBalancer:
    info = LoadBalancerInfo.model_validate({"targetGroupInfoList": [{"name": "front"}]})
    balancer = engine.balancers.of(info)["front"]
    assert isinstance(balancer, MemoryLoadBalancer)
    return balancer


def left_in_traffic(engine: Engine, made: str) -> MemoryLoadBalancer:
    """The balancer, after a deployment that failed with a request on its way to green."""
    run, green = engine.store._runs[made], "green-1"
    served = {Event.ALLOW_TRAFFIC: held(EventStatus.SUCCEEDED, start=NOW)}
    run.records[green] = run.records[green].model_copy(update={"events": served, "attempt": "t-1"})
    shift = next(at for at, phase in enumerate(present(engine, made).phases) if phase.kind is PhaseKind.SHIFT)
    over = {"status": DeploymentStatus.FAILED, "phase": shift}
    engine.store.change(made, lambda before: Change(before.model_copy(update=over)))
    balancer = front(engine)
    balancer.allow(engine.store._runs[made].records[green].target, waited=0)
    assert balancer.begin(green)
    return balancer


def begun_again(engine: Engine) -> str:
    wanted = {"tag_filters": [{"key": "color", "value": "green"}]}
    values = {"application_name": "shop", "deployment_group_name": "web", "revision": a_revision("v2")}
    return create_deployment(engine.world(), CreateDeployment.model_validate({**values, "target_instances": wanted}))


def test_green_that_was_left_in_traffic_is_out_of_it_before_it_is_installed_on() -> None:
    engine, made = found("green")
    balancer = left_in_traffic(engine, made)
    runtime.enter(engine.world())
    again = begun_again(engine)
    with pytest.raises(WorldError, match=r"before it is installed on: green-1 at front \(draining, 1 requests left\)"):
        begin.run(again)
    assert present(engine, again).phases == ()
    assert "replacement hosts to leave traffic" in waits.waiting_for(present(engine, again), engine.now)
    balancer.end("green-1")
    begin.run(again)
    assert present(engine, again).status is DeploymentStatus.IN_PROGRESS
    assert balancer.serving == {"blue-1", "blue-2"}


def test_requests_to_green_are_given_up_on_by_the_balancers_limit_alone() -> None:
    engine, made = found("green")
    balancer = left_in_traffic(engine, made)
    runtime.enter(engine.world())
    again = begun_again(engine)
    # It may have waited for long for other things before.
    engine.now += 10_000
    for later in (0, 299):
        engine.now += later
        runtime.enter(engine.world())
        with pytest.raises(WorldError, match="draining, 1 requests left"):
            begin.run(again)
    engine.now += 1
    runtime.enter(engine.world())
    begin.run(again)
    assert present(engine, again).status is DeploymentStatus.IN_PROGRESS
    assert balancer.serving == {"blue-1", "blue-2"}


def test_green_is_in_traffic_by_what_moved_it_last() -> None:
    engine, made = found("green")
    left_in_traffic(engine, made)
    blocked = {Event.BLOCK_TRAFFIC: held(EventStatus.SUCCEEDED, start=NOW)}
    run = engine.store._runs[made]
    run.records["green-2"] = run.records["green-2"].model_copy(update={"events": blocked, "attempt": "t-1"})
    front(engine).refuse("green-2")
    # A success elsewhere says nothing of them.
    elsewhere = {"status": DeploymentStatus.SUCCEEDED, "create_time": NOW + 1, "deployment_id": "d-ELSEWHERE"}
    other = present(engine, made).model_copy(update=elsewhere)
    engine.store.admit(other.model_copy(update={"status": DeploymentStatus.CREATED}), token=None, queue=False)
    engine.store.change("d-ELSEWHERE", lambda _: Change(other))
    engine.now += 2
    runtime.enter(engine.world())
    with pytest.raises(WorldError, match="green-1 at front"):
        begin.run(begun_again(engine))


def test_a_balancer_that_is_away_when_green_is_to_leave_it_is_waited_for_as_any() -> None:
    engine, made = found("green")
    left_in_traffic(engine, made).go_away()
    runtime.enter(engine.world())
    again = begun_again(engine)
    with pytest.raises(WorldError):
        begin.run(again)
    (told,) = present(engine, again).status_messages
    assert "The deployment waits for the load balancer 'front'" in told
    engine.now += present(engine, again).event_seconds
    runtime.enter(engine.world())
    begin.run(again)
    error = present(engine, again).error_information
    assert error is not None
    assert error.code == "ELASTIC_LOAD_BALANCING_INVALID"


def test_a_balancer_that_answers_again_while_green_leaves_it_is_not_called_silent_any_more() -> None:
    engine, made = found("green")
    balancer = left_in_traffic(engine, made)
    again = begun_again(engine)

    def try_at(after: float) -> tuple[str, ...]:
        engine.now = began + after
        runtime.enter(engine.world())
        with pytest.raises(WorldError):
            begin.run(again)
        return present(engine, again).status_messages

    began, limit = engine.now, present(engine, again).event_seconds
    balancer.go_away()
    assert len(try_at(0)) == 1
    balancer.come_back()
    assert try_at(10) == ()
    balancer.go_away()
    assert len(try_at(limit + 1)) == 1, "its limit counts from this silence"
    assert len(try_at(2 * limit)) == 1


def test_green_that_cannot_be_taken_out_of_traffic_is_not_touched() -> None:
    engine, made = found("green")
    left_in_traffic(engine, made).refuse("green-1", "it is pinned.")
    runtime.enter(engine.world())
    again = begun_again(engine)
    begin.run(again)
    error = present(engine, again).error_information
    assert error is not None
    assert error.code == "ELASTIC_LOAD_BALANCING_INVALID"
    assert error.message.startswith("green-1 has traffic from an earlier deployment that failed, and the load balancer")
    assert "pinned" in error.message


def test_green_that_no_earlier_deployment_left_in_traffic_is_not_asked_for() -> None:
    engine, made = found("green")
    over = {"status": DeploymentStatus.FAILED}
    engine.store.change(made, lambda before: Change(before.model_copy(update=over)))
    front(engine).refuse("green-1")
    again = begun_again(engine)
    begin.run(again)
    assert present(engine, again).status is DeploymentStatus.IN_PROGRESS


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


def test_a_stop_that_wants_traffic_back_retires_nobody_and_gives_the_group_its_hosts_back() -> None:
    site = Site(TERMINATE)
    site.change_group(hooks=({"auto_scaling_group": "web", "name": "mine"},))
    site.until(PhaseKind.TERMINATION_WAIT)
    assert site.group.auto_scaling_groups == (f"web-{site.id}",)
    stop(site.engine.world(), site.id, rollback=True)
    over = until_the_end(site)
    assert over.status is DeploymentStatus.STOPPED
    assert over.rollback_info is not None
    back = over.rollback_info.rollback_deployment_id or ""
    assert [order.green for order in site.environments.orders if order.green] == [], "nothing was retired"
    green_got_traffic(site)
    begin.run(back)
    site.id = back
    assert [phase.kind for phase in site.deployment.phases] == [PhaseKind.SHIFT, PhaseKind.BLOCK, PhaseKind.ABANDON]
    site.hosts_done()
    site.hosts_done()
    assert until_the_end(site).status is DeploymentStatus.SUCCEEDED
    assert site.group.auto_scaling_groups == ("web",)
    assert [hook.auto_scaling_group for hook in site.group.hooks] == ["web"]
    assert set(site.environments.hosts) == {"web"}, "the copy is gone"


def green_got_traffic(site: Site) -> None:
    """The records of green hosts say so, as their lanes would have left them."""
    run = site.engine.store._runs[site.id]
    allowed = {Event.ALLOW_TRAFFIC: held(EventStatus.SUCCEEDED)}
    for target in site.engine.store.targets(site.id):
        if site.deployment.label(target.index) == "Green":
            name = target.target.target_id
            run.records[name] = run.records[name].model_copy(update={"events": allowed, "attempt": "t-1"})


def rolled_back_at_the_end(site: Site) -> None:
    """Somebody wants blue back while it waits to be terminated, and the rollback has begun; the site holds it."""
    site.until(PhaseKind.TERMINATION_WAIT)
    stop(site.engine.world(), site.id, rollback=True)
    over = until_the_end(site)
    assert over.rollback_info is not None
    green_got_traffic(site)
    site.id = over.rollback_info.rollback_deployment_id or ""


def targets(site: Site) -> dict[str, str | None]:
    return {
        record.target.target_id: site.deployment.label(record.index)
        for record in site.engine.store.targets(site.id, first=0, count=100)
    }


def test_blue_that_is_back_has_the_revision_that_it_had() -> None:
    site = Site(TERMINATE)
    good = a_revision("v1")
    site.change_group(target_revision=good)
    site.engine.store.change(site.id, lambda d: Change(d.model_copy(update={"previous_revision": good})))
    rolled_back_at_the_end(site)
    assert site.group.target_revision == a_revision(), "green is the group's"
    begin.run(site.id)
    assert site.deployment.revision == good
    site.hosts_done()
    site.hosts_done()
    assert until_the_end(site).status is DeploymentStatus.SUCCEEDED
    assert site.group.target_revision == good


def test_blue_that_is_back_and_never_was_deployed_to_has_none() -> None:
    site = Site(TERMINATE)
    rolled_back_at_the_end(site)
    begin.run(site.id)
    site.hosts_done()
    site.hosts_done()
    assert until_the_end(site).status is DeploymentStatus.SUCCEEDED
    assert site.group.target_revision is None


def test_hosts_that_joined_blue_get_traffic_back_too() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.SHIFT)
    site.engine.hosts.names = (*site.engine.hosts.names, "i-late")
    rolled_back_at_the_end(site)
    begin.run(site.id)
    assert [name for name, label in targets(site).items() if label == "Blue"] == [*BLUE, "i-late"]


def test_traffic_goes_back_although_no_bundle_can_be_fetched() -> None:
    site = Site(TERMINATE)
    rolled_back_at_the_end(site)
    site.engine.links.gone = True
    begin.run(site.id)
    assert site.deployment.error_information is None
    assert site.kind() is PhaseKind.SHIFT
    record = site.engine.store.targets(site.id)[0]
    report = write_report(site.engine.world(), site.deployment, record, lane=0, step=1)
    assert report.order.source is None
    assert report.order.whole, "the agent can begin with it"


def test_traffic_goes_back_to_those_of_blue_that_are_there() -> None:
    site = Site(TERMINATE)
    rolled_back_at_the_end(site)
    site.engine.hosts.fates = {BLUE[1]: Fate.TERMINATED}
    begin.run(site.id)
    assert BLUE[1] not in targets(site)
    site.hosts_done()
    site.hosts_done()
    assert until_the_end(site).status is DeploymentStatus.SUCCEEDED
    assert site.group.auto_scaling_groups == ("web",)


def test_a_host_that_joins_blue_during_a_rollback_keeps_its_traffic() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.BLOCK)
    stop(site.engine.world(), site.id, rollback=True)
    site.hosts_done(failed=1)
    back = until_the_end(site).rollback_info
    assert back is not None
    green_got_traffic(site)
    site.id = back.rollback_deployment_id or ""
    begin.run(site.id)
    site.engine.hosts.names = (*site.engine.hosts.names, "i-late")
    site.hosts_done()
    assert site.kind() is PhaseKind.BLOCK
    assert "i-late" not in targets(site)


def test_a_rollback_that_does_not_get_blue_back_says_who_is_the_groups() -> None:
    site = Site(TERMINATE)
    rolled_back_at_the_end(site)
    begin.run(site.id)
    green = site.group.auto_scaling_groups
    site.hosts_done(failed=1)
    over = until_the_end(site)
    assert over.status is DeploymentStatus.FAILED
    (told,) = over.status_messages
    assert "the replacement instances keep theirs, and the deployment group selects them still" in told
    assert site.group.auto_scaling_groups == green


@pytest.mark.parametrize("kind", [PhaseKind.INSTALL, PhaseKind.SHIFT])
def test_green_that_was_made_in_vain_leaves_nothing_to_roll_back(kind: PhaseKind) -> None:
    site = Site(TERMINATE)
    wanted = AutoRollbackConfiguration(enabled=True, events=(AutoRollbackEvent.DEPLOYMENT_FAILURE,))
    site.engine.store.change(site.id, lambda d: Change(d.model_copy(update={"auto_rollback_configuration": wanted})))
    site.until(kind)
    site.hosts_done(failed=2)
    over = until_the_end(site)
    assert over.status is DeploymentStatus.FAILED
    assert over.rollback_info is not None
    assert "no traffic was shifted" in (over.rollback_info.rollback_message or "")


def test_a_wish_for_a_rollback_that_comes_once_green_is_the_groups_is_told_why_not() -> None:
    site = Site(TERMINATE)
    site.until(PhaseKind.TERMINATION_WAIT)
    stop(site.engine.world(), site.id)
    site.watch()
    assert site.kind() is PhaseKind.RETIRE
    stop(site.engine.world(), site.id, rollback=True)
    over = until_the_end(site)
    assert over.rollback_info is not None
    assert "have taken the place" in (over.rollback_info.rollback_message or "")


def test_a_stop_with_rollback_that_comes_while_the_shift_is_concluded(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, made = found("green")
    ready_for_traffic(engine, made)
    site = engine.store.groups.change
    once = [made]

    def change(*args: Any) -> Any:
        if once:
            stop(engine.world(), once.pop(), rollback=True)
        return site(*args)

    monkeypatch.setattr(engine.store.groups, "change", change)
    conclude(engine.world(), present(engine, made))
    over = present(engine, made)
    assert over.status is DeploymentStatus.STOPPED
    assert over.rollback_info is not None
    assert engine.store.active() == [over.rollback_info.rollback_deployment_id]


def ready_for_traffic(engine: Engine, made: str) -> None:
    """Green is installed and has got traffic, which nobody has concluded."""

    def fill() -> None:
        deployment = present(engine, made)
        phase = deployment.under_way
        assert phase is not None
        done = {"total": phase.count, "taken": phase.count, "succeeded": phase.count, "lanes": phase.lanes}
        engine.store._runs[made].progress[deployment.phase] = Progress(**done, retired=phase.lanes)

    fill()
    conclude(engine.world(), present(engine, made))
    go_on(engine.world(), made, WaitType.READY_WAIT)
    conclude(engine.world(), present(engine, made))
    fill()
