"""What becomes of a lifecycle action, which hooks a group has, and which deployments Auto Scaling brings about."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.applications import Application
from domain.appspec import FileExistsBehavior
from domain.deployments import Deployment, DeploymentStatus, PhaseKind
from domain.fleet import HostRecord, Instance, TargetKind
from domain.group_options import (
    AlarmConfiguration,
    AutoRollbackConfiguration,
    AutoRollbackEvent,
    BlueGreenDeploymentConfiguration,
    DeploymentOption,
    DeploymentStyle,
    DeploymentType,
    Ec2DeploymentOptions,
    GreenFleetProvisioningAction,
    GreenFleetProvisioningOption,
    LoadBalancerInfo,
    NamedBalancer,
    OutdatedInstancesStrategy,
    TriggerConfig,
)
from domain.groups import DeploymentGroup, LastDeployment
from domain.happenings import HappeningType, Topic
from domain.lifecycle import Event
from domain.limits import Limits
from domain.scaling import ActionResult, LifecycleAction, OpenAction, ScalingHook, SuspendedProcesses, Transition
from tests.unit.workflows.engine_values import NOW, a_deployment, a_group, a_revision
from workflows import admission, group_memory, scaling, suspension, targeting
from workflows.events import GREEN, TERMINATION, events_for
from workflows.instance_deployments import admit_instance, admit_update, events_of_instance, token_of
from workflows.scaling import Complete, Heartbeat, Revision, Wait
from workflows.scaling_hooks import hook_name, hook_named, hooks_for, without
from workflows.telling import deployment_happening

APPLICATION = Application(application_id="a-1", application_name="shop", create_time=NOW)
LAUNCHING, TERMINATING = Transition.LAUNCHING, Transition.TERMINATING


def an_action(transition: Transition = LAUNCHING, *, hook: str = "hook") -> LifecycleAction:
    return LifecycleAction(
        token="t" * 36, hook=hook, auto_scaling_group="fleet", instance_id="i-1", transition=transition
    )


def opened(transition: Transition = LAUNCHING, **more: Any) -> OpenAction:
    values = {"action": an_action(transition), "groups": ("g-1",), "deployments": ("d-1",), "heartbeat_at": NOW, **more}
    return OpenAction.model_validate(values)


def a_hook(name: str = "hook", *, on: str = "fleet", transition: Transition = LAUNCHING) -> ScalingHook:
    return ScalingHook(auto_scaling_group=on, name=name, transition=transition)


def scaled(name: str = "g-1", **more: Any) -> DeploymentGroup:
    return a_group(deployment_group_id=name, auto_scaling_groups=("fleet",), **more)


def successful(**more: Any) -> DeploymentGroup:
    """A group with version 2."""
    last = LastDeployment(deployment_id="d-LAST", status="Succeeded", create_time=NOW)
    return scaled(target_revision=a_revision("v2"), last_successful_deployment=last, **more)


# --- which groups ---


def found(action: LifecycleAction, *groups: DeploymentGroup) -> list[str]:
    return [group.deployment_group_id for group in scaling.groups_of(action, groups)]


def test_a_hook_of_a_group_is_that_groups_alone() -> None:
    groups = scaled("g-1", hooks=(a_hook("one"),)), scaled("g-2", hooks=(a_hook("two"),)), scaled("g-3")
    assert found(an_action(hook="two"), *groups) == ["g-2"]


def test_any_other_hook_is_for_all_that_have_none_of_their_own() -> None:
    groups = scaled("g-1", hooks=(a_hook("one"),)), scaled("g-2"), scaled("g-3"), a_group(deployment_group_id="g-4")
    assert found(an_action(hook="theirs"), *groups) == ["g-2", "g-3"]


def test_termination_is_for_those_that_asked_for_it() -> None:
    groups = scaled("g-1"), scaled("g-2", termination_hook_enabled=True)
    assert found(an_action(TERMINATING), *groups) == ["g-2"]


def test_an_instance_in_a_warm_pool_concerns_nobody() -> None:
    assert found(an_action().model_copy(update={"warm": True}), scaled("g-1"), scaled("g-2", hooks=(a_hook(),))) == []


# --- what Auto Scaling is told ---

ENDED = st.sampled_from([DeploymentStatus.SUCCEEDED, DeploymentStatus.FAILED, DeploymentStatus.STOPPED])
ANY = st.sampled_from(DeploymentStatus)


def with_statuses(statuses: list[DeploymentStatus]) -> list[Deployment | None]:
    return [a_deployment(status=status) for status in statuses]


@given(st.lists(ANY), st.sampled_from(Transition))
def test_nothing_is_completed_while_a_deployment_runs(statuses: list[DeploymentStatus], transition: Transition) -> None:
    running = any(not status.final for status in statuses)
    word = scaling.decide(opened(transition), with_statuses(statuses), now=NOW)
    assert isinstance(word, Complete) != running
    assert isinstance(word, Heartbeat) == running


@given(st.lists(ENDED))
def test_a_launched_instance_goes_on_only_if_all_succeeded(statuses: list[DeploymentStatus]) -> None:
    well = set(statuses) <= {DeploymentStatus.SUCCEEDED}
    word = scaling.decide(opened(), with_statuses(statuses), now=NOW)
    assert word == Complete(ActionResult.CONTINUE if well else ActionResult.ABANDON)


@given(st.lists(ENDED))
def test_no_outcome_keeps_an_instance_from_being_terminated(statuses: list[DeploymentStatus]) -> None:
    word = scaling.decide(opened(TERMINATING), with_statuses(statuses), now=NOW)
    assert word == Complete(ActionResult.CONTINUE)


def test_a_deployment_that_is_lost_counts_as_failed() -> None:
    assert scaling.decide(opened(), [None], now=NOW) == Complete(ActionResult.ABANDON)


def test_heartbeats_come_in_time() -> None:
    running = with_statuses([DeploymentStatus.IN_PROGRESS])
    later = opened(heartbeat_at=NOW + scaling.HEARTBEAT)
    assert scaling.decide(later, running, now=NOW + 299) == Wait()
    assert scaling.decide(later, running, now=NOW + 300) == Heartbeat()


def test_what_was_not_taken_is_told_later() -> None:
    refused = opened(again_at=NOW + 15)
    assert scaling.decide(refused, [], now=NOW + 14) == Wait()
    assert scaling.decide(refused, [], now=NOW + 15) == Complete(ActionResult.CONTINUE)


# --- who is outdated ---

OLD = HostRecord(revision=a_revision("v1").identity, deployment_id="d-LAUNCH")


@pytest.mark.parametrize(
    ("group", "record", "busy", "expected"),
    [
        (successful(), OLD, False, Revision.OUTDATED),
        (successful(), HostRecord(), False, Revision.OUTDATED),
        (successful(), OLD, True, Revision.UNDER_WAY),
        (successful(), HostRecord(revision=a_revision("v2").identity), False, Revision.LEVEL),
        (successful(), OLD.model_copy(update={"deployment_id": "d-LAST"}), False, Revision.LEVEL),
        (successful(outdated_instances_strategy=OutdatedInstancesStrategy.IGNORE), OLD, True, Revision.LEVEL),
        (successful(outdated_instances_strategy=OutdatedInstancesStrategy.UPDATE), OLD, False, Revision.OUTDATED),
        (scaled(), OLD, False, Revision.LEVEL),
        (None, OLD, True, Revision.LEVEL),
    ],
)
def test_how_an_instance_stands(
    group: DeploymentGroup | None, record: HostRecord, busy: bool, expected: Revision
) -> None:
    assert scaling.standing(group, record, busy=busy) is expected


def test_an_instance_is_looked_after_for_a_while() -> None:
    done = opened(completed_at=NOW)
    assert scaling.looked_after(done, [Revision.LEVEL], now=NOW + scaling.KEPT - 1)
    assert not scaling.looked_after(done, [Revision.LEVEL], now=NOW + scaling.KEPT)
    assert scaling.looked_after(done, [Revision.LEVEL, Revision.UNDER_WAY], now=NOW + scaling.KEPT)
    assert scaling.looked_after(done, [Revision.OUTDATED], now=NOW + scaling.KEPT)


# --- deployments ---


def made(transition: Transition = LAUNCHING, group: DeploymentGroup | None = None, **more: Any) -> Deployment | None:
    values: dict[str, Any] = {"application": APPLICATION, "last": None, **more}
    return admit_instance(
        an_action(transition),
        group=group or successful(),
        deployment_id="d-NEW",
        now=NOW,
        limits=Limits(),
        **values,
    )


@pytest.mark.parametrize(
    ("transition", "creator"), [(LAUNCHING, "autoscaling"), (TERMINATING, "autoscalingTermination")]
)
def test_one_instance_gets_the_last_successful_revision(transition: Transition, creator: str) -> None:
    deployment = made(transition)
    assert deployment is not None
    assert (deployment.creator, deployment.only, deployment.claimed) == (creator, ("i-1",), "g-1/i-1")
    assert deployment.revision == a_revision("v2")
    started = admission.start(deployment, 1, group=successful(), now=NOW)
    assert started is not None
    assert (started.deployment.floor, started.deployment.phases[0].lanes) == (0, 1)
    assert started.deployment.phases[0].events == events_of_instance(deployment)


def test_without_a_successful_revision_there_is_nothing_to_deploy() -> None:
    assert made(group=scaled()) is None
    assert made(application=None) is None


def test_it_is_deployed_as_it_was_the_last_time() -> None:
    last = a_deployment(file_exists_behavior=FileExistsBehavior.OVERWRITE, ignore_application_stop_failures=True)
    deployment = made(last=last)
    assert deployment is not None
    assert deployment.file_exists_behavior is FileExistsBehavior.OVERWRITE
    assert deployment.ignore_application_stop_failures
    by_group = made(group=successful(file_exists_behavior=FileExistsBehavior.RETAIN))
    assert by_group is not None
    assert by_group.file_exists_behavior is FileExistsBehavior.RETAIN


TRAFFIC = DeploymentStyle(
    deployment_type=DeploymentType.BLUE_GREEN, deployment_option=DeploymentOption.WITH_TRAFFIC_CONTROL
)


@pytest.mark.parametrize(
    ("transition", "style", "events"),
    [
        (LAUNCHING, None, events_for()),
        (LAUNCHING, TRAFFIC, GREEN),
        (TERMINATING, None, (Event.APPLICATION_STOP,)),
        (TERMINATING, TRAFFIC, TERMINATION),
    ],
)
def test_the_events_of_one_instance(
    transition: Transition, style: DeploymentStyle | None, events: tuple[Event, ...]
) -> None:
    deployment = made(transition, successful(deployment_style=style))
    assert deployment is not None
    assert events_of_instance(deployment) == events
    assert deployment.deployment_style is not None
    assert deployment.deployment_style.deployment_type is DeploymentType.IN_PLACE


@pytest.mark.parametrize("transition", Transition)
def test_one_instance_of_a_blue_green_group_is_deployed_to_where_it_stands(transition: Transition) -> None:
    """No green is made and nothing is called blue, whatever the group says; its balancers are asked all the same."""
    balancers = LoadBalancerInfo(target_group_info_list=(NamedBalancer(name="front"),))
    copies = BlueGreenDeploymentConfiguration(
        green_fleet_provisioning_option=GreenFleetProvisioningOption(
            action=GreenFleetProvisioningAction.COPY_AUTO_SCALING_GROUP
        )
    )
    more = {"load_balancer_info": balancers, "blue_green_deployment_configuration": copies}
    group = successful(deployment_style=TRAFFIC, **more)
    deployment = made(transition, group)
    assert deployment is not None
    started = admission.start(deployment, 1, group=group, now=NOW)
    assert started is not None
    (phase,) = started.deployment.phases
    assert (phase.kind, phase.count, phase.events) == (PhaseKind.ROLLOUT, 1, events_of_instance(deployment))
    assert started.deployment.label(0) is None
    assert started.deployment.source_environment is None
    assert started.deployment.traffic_control
    assert started.deployment.load_balancer_info == balancers


def test_all_others_go_through_the_events_of_any_deployment() -> None:
    assert events_of_instance(a_deployment()) is None
    assert events_of_instance(a_deployment(creator="CodeDeployAutoUpdate")) is None


def test_one_token_for_each_group_of_an_action() -> None:
    assert token_of(an_action(), "g-1") == token_of(an_action(), "g-1") != token_of(an_action(), "g-2")


def test_what_follows_a_deployment_names_it_and_its_hosts() -> None:
    root = a_deployment(deployment_id="d-LAST", file_exists_behavior=FileExistsBehavior.OVERWRITE)
    values = {"group": successful(), "deployment_id": "d-NEW", "now": NOW, "limits": Limits()}
    update = admit_update(root, ["i-2", "i-1"], application=APPLICATION, **values)  # type: ignore[arg-type]
    assert update is not None
    assert (update.creator, update.only) == ("CodeDeployAutoUpdate", ("i-1", "i-2"))
    assert (update.auto_update_root, update.claimed) == ("d-LAST", "g-1")
    assert update.file_exists_behavior is FileExistsBehavior.OVERWRITE
    for total in (1, 2, 50):
        started = admission.start(update, total, group=successful(), now=NOW)
        assert started is not None
        assert started.deployment.phases[0].lanes == 1


def test_a_fleet_can_grow_while_an_alarm_is_active_and_is_brought_level_with_care() -> None:
    alarms = AlarmConfiguration.model_validate({"enabled": True, "alarms": [{"name": "errors"}]})
    group = successful().model_copy(update={"alarm_configuration": alarms})
    for transition in (LAUNCHING, TERMINATING):
        deployment = made(transition, group)
        assert deployment is not None
        assert deployment.alarm_configuration is None
    values = {"group": group, "deployment_id": "d-NEW", "now": NOW, "limits": Limits()}
    update = admit_update(a_deployment(), ["i-1"], application=APPLICATION, **values)  # type: ignore[arg-type]
    assert update is not None
    assert update.alarm_configuration == alarms


def by_creator(group: DeploymentGroup) -> dict[str, Deployment | None]:
    values = {"group": group, "deployment_id": "d-NEW", "now": NOW, "limits": Limits()}
    return {
        "autoscaling": made(LAUNCHING, group),
        "autoscalingTermination": made(TERMINATING, group),
        "CodeDeployAutoUpdate": admit_update(a_deployment(), ["i-1"], application=APPLICATION, **values),  # type: ignore[arg-type]
    }


@pytest.mark.parametrize("creator", ["autoscaling", "autoscalingTermination", "CodeDeployAutoUpdate"])
def test_the_triggers_of_the_group_hear_of_it_and_nothing_is_promised_that_is_for_whole_groups(creator: str) -> None:
    """Deployments to single instances are never rolled back and suspend nothing."""
    trigger = TriggerConfig(trigger_name="t", trigger_target_arn="arn:sns:t", trigger_events=("DeploymentFailure",))
    rollback = AutoRollbackConfiguration(enabled=True, events=(AutoRollbackEvent.DEPLOYMENT_FAILURE,))
    options = Ec2DeploymentOptions(auto_scaling_group_processes_to_suspend=("Launch",))
    group = successful(
        trigger_configurations=(trigger,), auto_rollback_configuration=rollback, ec2_deployment_options=options
    )
    deployment = by_creator(group)[creator]
    assert deployment is not None
    assert deployment.creator == creator
    told = deployment_happening(deployment, HappeningType.DEPLOYMENT_FAILURE, at=NOW)
    assert told.topics == (Topic(trigger="t", arn="arn:sns:t"),)
    assert (deployment.auto_rollback_configuration, deployment.ec2_deployment_options) == (None, None)


def test_the_group_does_not_remember_a_deployment_of_some_hosts() -> None:
    group, deployment = successful(), made()
    assert deployment is not None
    begun = group_memory.begun(group, deployment)
    ended = group_memory.ended(begun, deployment.model_copy(update={"status": DeploymentStatus.SUCCEEDED}))
    assert begun == ended == group


# --- targets ---


def member(name: str, **more: Any) -> Instance:
    return Instance(instance_id=name, kind=TargetKind.EC2, arn=f"arn:{name}", **more)


IN = member("i-in", auto_scaling_groups=("fleet",))
COMING = member("i-coming", auto_scaling_groups=("fleet",), launching=("fleet",))
LEAVING = member("i-leaving", leaving=("fleet",))
STRANGER = member("i-stranger", leaving=("other",))
EVERYONE = (IN, COMING, LEAVING, STRANGER)


def chosen(*names: str, group: DeploymentGroup | None = None) -> list[str]:
    deployment = a_deployment(only=names)
    return [each.instance_id for each in targeting.only(EVERYONE, group or scaled(), deployment)]


def test_a_deployment_of_the_group_leaves_out_whom_a_hook_of_the_group_holds() -> None:
    assert chosen() == ["i-coming", "i-in"]
    assert chosen(group=scaled(hooks=(a_hook(),))) == ["i-in"]
    assert chosen(group=scaled(hooks=(a_hook(transition=TERMINATING),))) == ["i-coming", "i-in"]


@pytest.mark.parametrize("name", ["i-in", "i-coming", "i-leaving"])
def test_one_that_names_hosts_is_for_those_alone(name: str) -> None:
    assert chosen(name, group=scaled(hooks=(a_hook(),))) == [name]


def test_a_host_of_another_group_is_never_chosen() -> None:
    assert chosen("i-stranger", "i-unknown") == []


# --- hooks ---


def plan(group: DeploymentGroup, *known: ScalingHook) -> list[tuple[str, str, str]]:
    numbers = itertools.count(1)
    hooks = hooks_for(group, known, lambda: f"u{next(numbers)}")
    return [(hook.auto_scaling_group, hook.name, hook.transition.name) for hook in hooks]


LAUNCH = "CodeDeploy-managed-automatic-launch-deployment-hook-web"
TERMINATION_HOOK = "CodeDeploy-managed-automatic-termination-hook-web"


def test_each_auto_scaling_group_gets_a_hook_and_another_for_termination() -> None:
    assert plan(a_group(auto_scaling_groups=("a", "b"))) == [
        ("a", f"{LAUNCH}-u1", "LAUNCHING"),
        ("b", f"{LAUNCH}-u2", "LAUNCHING"),
    ]
    assert plan(a_group(auto_scaling_groups=("a",), termination_hook_enabled=True)) == [
        ("a", f"{LAUNCH}-u1", "LAUNCHING"),
        ("a", f"{TERMINATION_HOOK}-u2", "TERMINATING"),
    ]
    assert plan(a_group()) == []


def test_an_environment_of_the_settings_takes_no_hook() -> None:
    hooks = hooks_for(a_group(auto_scaling_groups=("shop-vms", "a")), (), lambda: "u1", {"shop-vms"})
    assert [hook.auto_scaling_group for hook in hooks] == ["a"]


def test_hooks_that_are_known_keep_their_names() -> None:
    group = a_group(auto_scaling_groups=("fleet",), deployment_group_name="renamed", termination_hook_enabled=True)
    known = a_hook("kept"), a_hook("gone", on="other")
    assert plan(group, *known)[0][1] == "kept"
    assert without(known, hooks_for(group, known, lambda: "u")) == (known[1],)


@given(st.text(alphabet="abcXYZ019+=,.@_-", min_size=1, max_size=100))
def test_any_groups_name_makes_a_name_that_auto_scaling_takes(name: str) -> None:
    for transition in Transition:
        hook = hook_name(name, transition, "00000000-0000-4000-8000-000000000001")
        assert len(hook) <= 255
        assert set(hook) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/")


def test_a_hook_is_found_by_its_place() -> None:
    hooks = a_hook("in"), a_hook("out", transition=TERMINATING)
    assert hook_named(hooks, "fleet", TERMINATING) == "out"
    assert hook_named(hooks, "other", LAUNCHING) is None


# --- processes ---


def suspending(*processes: str, **more: Any) -> Deployment:
    options = Ec2DeploymentOptions(auto_scaling_group_processes_to_suspend=processes)
    return a_deployment(ec2_deployment_options=options, **more)


def test_what_somebody_else_suspended_is_left_alone() -> None:
    deployment = suspending("Terminate", "AZRebalance", "Terminate")
    already = {"a": frozenset({"AZRebalance"}), "b": frozenset({"Terminate", "AZRebalance"}), "c": frozenset[str]()}
    assert suspension.to_suspend(deployment, already) == (
        SuspendedProcesses(auto_scaling_group="a", processes=("Terminate",)),
        SuspendedProcesses(auto_scaling_group="c", processes=("Terminate", "AZRebalance")),
    )


def test_only_a_deployment_of_the_group_that_asks_for_it_suspends() -> None:
    group = a_group(auto_scaling_groups=("a", "b"))
    nowhere = frozenset[str]()
    assert suspension.groups_to_suspend(suspending("Terminate"), group, nowhere) == ("a", "b")
    assert suspension.groups_to_suspend(suspending("Terminate"), group, {"b", "c"}) == ("a",)
    assert suspension.groups_to_suspend(suspending("Terminate", only=("i-1",)), group, nowhere) == ()
    assert suspension.groups_to_suspend(suspending(), group, nowhere) == ()
    assert suspension.groups_to_suspend(a_deployment(), group, nowhere) == ()
