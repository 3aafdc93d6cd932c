"""Copies of Auto Scaling groups against moto: the order of calls, crashes between them, and what is refused."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from adapters.aws import Aws, AwsAccess
from adapters.environments.auto_scaling import AutoScalingEnvironment
from adapters.environments.auto_scaling_copy import TAG
from adapters.store.memory import MemoryStore
from domain.environments import GreenOrder, Provisioned, Retirement
from domain.errors import AutoScalingGroupMissing, CannotBegin, CannotProvision, WorldError
from tests.aws import KEYS, REGION, FakeAws, fake_aws
from tests.environment_sites import Tap, a_retirement, an_order, running, tapped
from tests.services import wait_until

HOOK = "CodeDeploy-managed-automatic-launch-deployment-hook-web-0b9f2a55-1111-4222-8333-123456789abc"
LEAVING_HOOK = HOOK.replace("launch-deployment", "termination")
OTHERS_HOOK = HOOK.replace("-web-", "-web-2-")
MAKING = ["CreateAutoScalingGroup", "PutScalingPolicy", "PutNotificationConfiguration"]
MAKING += ["PutScheduledUpdateGroupAction", "EnableMetricsCollection", "UpdateAutoScalingGroup", "SuspendProcesses"]
HELD_BACK = {"AddToLoadBalancer", "AlarmNotification", "ScheduledActions"}
"""Of green, until it has taken over: the processes that AWS is seen to suspend on a copy."""
RETIRING = ["ResumeProcesses", "DeleteLifecycleHook", "PutLifecycleHook", "DeleteAutoScalingGroup"]


class Crash(Exception):
    """The process died here."""


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeAws]:
    with fake_aws() as found:
        yield found


@dataclass
class Blue:
    """An Auto Scaling group with all that a copy has to bring along."""

    fake: FakeAws
    tap: Tap
    environment: AutoScalingEnvironment
    order: GreenOrder
    hosts: list[str]

    def group(self, name: str) -> dict[str, Any] | None:
        found = self.fake.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return next(iter(found["AutoScalingGroups"]), None)

    def hooks(self, name: str) -> set[str]:
        found = self.fake.client("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName=name)
        return {hook["LifecycleHookName"] for hook in found["LifecycleHooks"]}

    def made(self) -> Provisioned:
        return wait_until(lambda: self.environment.provision(self.order), "green", limit=10)

    def retirement(self, *, terminate: bool = True) -> Retirement:
        order = self.order.model_copy(update={"green": f"CodeDeploy_web_{self.order.deployment_id}"})
        return a_retirement(order, self.hosts, terminate=terminate)


@pytest.fixture
def blue(fake: FakeAws, request: pytest.FixtureRequest) -> Blue:
    order = an_order("")
    source = f"blue-{order.deployment_id}"
    hosts = fake.auto_scaling_group(source, 2)
    client = fake.client("autoscaling")
    client.put_scaling_policy(AutoScalingGroupName=source, PolicyName="out", AdjustmentType="ChangeInCapacity",
                              PolicyType="SimpleScaling", ScalingAdjustment=1)  # fmt: skip
    client.put_scheduled_update_group_action(
        AutoScalingGroupName=source, ScheduledActionName="night", Recurrence="0 2 * * *", DesiredCapacity=1
    )
    client.enable_metrics_collection(
        AutoScalingGroupName=source, Metrics=["GroupTotalInstances"], Granularity="1Minute"
    )
    client.create_or_update_tags(Tags=[{"Key": "role", "Value": "web", "PropagateAtLaunch": True, "ResourceId": source,
                                        "ResourceType": "auto-scaling-group"}])  # fmt: skip
    for hook in (HOOK, OTHERS_HOOK):
        client.put_lifecycle_hook(
            LifecycleHookName=hook, AutoScalingGroupName=source, HeartbeatTimeout=600,
            LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
        )  # fmt: skip
    tap = tapped(fake)
    tap.notifications.append({"TopicARN": "arn:topic", "NotificationType": "autoscaling:EC2_INSTANCE_LAUNCH"})
    environment = AutoScalingEnvironment(tap.aws, MemoryStore().environments)
    mine = {"source": source, "hooks": (HOOK, LEAVING_HOOK)}
    return Blue(fake, tap, environment, order.model_copy(update=mine), hosts)


def test_green_is_made_in_the_documented_order(blue: Blue) -> None:
    green = blue.made()
    assert blue.tap.names == MAKING
    assert green.name == f"CodeDeploy_web_{blue.order.deployment_id}"
    update = blue.tap.calls[5][1]
    assert (int(update["MinSize"]), int(update["DesiredCapacity"])) == (0, 2)
    group = blue.group(green.name)
    assert group is not None
    assert {each["ProcessName"] for each in group["SuspendedProcesses"]} == HELD_BACK
    assert {tag["Key"]: tag["Value"] for tag in group["Tags"]} == {"role": "web", TAG: blue.order.deployment_id}
    assert group["EnabledMetrics"][0]["Metric"] == "GroupTotalInstances"


def test_greens_hosts_are_told_with_their_address_and_membership(blue: Blue) -> None:
    green = blue.made()
    assert {host.auto_scaling_groups for host in green.hosts} == {(green.name,)}
    assert all(host.address and host.zone and host.arn.endswith(host.instance_id) for host in green.hosts)
    assert not {host.instance_id for host in green.hosts} & set(blue.hosts)


def test_blue_is_retired_in_the_documented_order(blue: Blue) -> None:
    green = blue.made()
    blue.tap.calls.clear()
    wait_until(lambda: blue.environment.retire(blue.retirement()), "the end of blue", limit=10)
    assert blue.tap.names == RETIRING
    assert blue.tap.calls[-1][1]["ForceDelete"] == "true"
    assert blue.hooks(green.name) == {HOOK}
    assert blue.group(blue.order.source) is None
    group = blue.group(green.name)
    assert group is not None
    assert group["SuspendedProcesses"] == []
    blue.tap.calls.clear()
    assert blue.environment.retire(blue.retirement())
    assert blue.tap.names == []


def test_blue_that_is_kept_loses_its_hook_alone(blue: Blue) -> None:
    green = blue.made()
    assert blue.environment.retire(blue.retirement(terminate=False))
    assert blue.group(blue.order.source) is not None
    assert (blue.hooks(blue.order.source), blue.hooks(green.name)) == ({OTHERS_HOOK}, {HOOK})


def test_all_hooks_of_the_deployment_group_move(blue: Blue) -> None:
    blue.fake.client("autoscaling").put_lifecycle_hook(
        LifecycleHookName=LEAVING_HOOK, AutoScalingGroupName=blue.order.source, HeartbeatTimeout=600,
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
    )  # fmt: skip
    green = blue.made()
    assert blue.environment.retire(blue.retirement(terminate=False))
    assert blue.hooks(blue.order.source) == {OTHERS_HOOK}
    assert blue.hooks(green.name) == {HOOK, LEAVING_HOOK}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", MAKING)
def test_a_crash_while_green_is_made_is_healed(blue: Blue, call: str, when: str) -> None:
    crash_at(blue.tap, call, when)
    with pytest.raises(Crash):
        blue.made()
    blue.tap.before = blue.tap.after = lambda _name: None
    green = blue.made()
    assert len(green.hosts) == 2
    assert len(running(blue.fake) & {host.instance_id for host in green.hosts}) == 2
    group = blue.group(green.name)
    assert group is not None
    assert {each["ProcessName"] for each in group["SuspendedProcesses"]} == HELD_BACK
    assert blue.tap.names.count("PutScalingPolicy") >= 1
    assert blue.tap.names.count("PutNotificationConfiguration") >= 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", RETIRING)
def test_a_crash_while_blue_is_retired_is_healed(blue: Blue, call: str, when: str) -> None:
    green = blue.made()
    crash_at(blue.tap, call, when)
    with pytest.raises(Crash):
        blue.environment.retire(blue.retirement())
    blue.tap.before = blue.tap.after = lambda _name: None
    wait_until(lambda: blue.environment.retire(blue.retirement()), "the end of blue", limit=10)
    assert blue.hooks(green.name) == {HOOK}
    assert blue.group(blue.order.source) is None
    assert running(blue.fake) >= {host.instance_id for host in green.hosts}


def crash_at(tap: Tap, call: str, when: str) -> None:
    def die(name: str) -> None:
        if name == call:
            raise Crash

    setattr(tap, when, die)


def test_a_group_that_came_back_under_blues_name_is_left_alone(blue: Blue) -> None:
    blue.made()
    blue.tap.more[blue.order.source] = {"AutoScalingGroupARN": "arn:of-another"}
    blue.tap.calls.clear()
    assert blue.environment.retire(blue.retirement())
    assert blue.group(blue.order.source) is not None
    assert blue.hooks(blue.order.source) == {HOOK, OTHERS_HOOK}


def test_deletion_protection_is_lifted(blue: Blue) -> None:
    blue.tap.more[blue.order.source] = {"DeletionProtection": "prevent-all-deletion"}
    blue.made()
    assert blue.tap.calls[0][1]["DeletionProtection"] == "prevent-all-deletion"
    blue.tap.calls.clear()
    wait_until(lambda: blue.environment.retire(blue.retirement()), "the end of blue", limit=10)
    assert blue.tap.names == [*RETIRING[:-1], "UpdateAutoScalingGroup", "DeleteAutoScalingGroup"]
    assert blue.tap.calls[-2][1]["DeletionProtection"] == "none"


def test_a_deletion_that_takes_its_time_is_waited_for(blue: Blue) -> None:
    blue.made()
    blue.tap.more[blue.order.source] = {"Status": "Delete in progress"}
    assert not blue.environment.retire(blue.retirement())
    assert "DeleteAutoScalingGroup" not in blue.tap.names


def test_a_group_that_another_made_is_neither_used_nor_deleted(blue: Blue) -> None:
    name = f"CodeDeploy_web_{blue.order.deployment_id}"
    blue.fake.auto_scaling_group(name, 1)
    with pytest.raises(CannotProvision, match="another made it"):
        blue.environment.provision(blue.order)
    assert blue.environment.abandon(blue.order)
    assert blue.group(name) is not None
    assert blue.tap.names == []


def test_a_copy_is_abandoned_whole(blue: Blue) -> None:
    green = blue.made()
    wait_until(lambda: blue.environment.abandon(blue.order), "the end of green", limit=10)
    assert blue.group(green.name) is None
    assert blue.group(blue.order.source) is not None


def test_green_that_is_gone_takes_nobodys_place(blue: Blue) -> None:
    with pytest.raises(CannotBegin, match="could take the place"):
        blue.environment.retire(blue.retirement())
    assert blue.tap.names == []


def test_a_group_that_is_not_there_is_named(blue: Blue) -> None:
    with pytest.raises(AutoScalingGroupMissing, match="no Auto Scaling group gone;"):
        blue.environment.provision(blue.order.model_copy(update={"source": "gone"}))


def test_a_group_without_a_healthy_instance_is_not_copied(blue: Blue) -> None:
    blue.tap.more[blue.order.source] = {"Instances": []}
    with pytest.raises(CannotProvision, match="no healthy instance"):
        blue.environment.provision(blue.order)
    assert blue.tap.names == []


def test_what_aws_refuses_for_good_ends_it(blue: Blue) -> None:
    blue.tap.more[blue.order.source] = {"AvailabilityZones": [], "VPCZoneIdentifier": ""}
    with pytest.raises(CannotProvision, match=r"autoscaling:CreateAutoScalingGroup.*ValidationError"):
        blue.environment.provision(blue.order)


def test_green_is_waited_for_until_all_its_instances_are_in_service(blue: Blue) -> None:
    green = blue.made()
    group = blue.group(green.name)
    assert group is not None
    first, second = group["Instances"]
    blue.tap.more[green.name] = {"Instances": [first, {**second, "LifecycleState": "Pending"}]}
    assert blue.environment.provision(blue.order) is None
    blue.tap.more[green.name] = {"Instances": [first, {**second, "InstanceId": "i-0123456789abcdef0"}]}
    assert blue.environment.provision(blue.order) is None, "EC2 does not know the second yet"
    blue.tap.more.clear()
    assert blue.environment.provision(blue.order) == green


def test_launches_that_fail_and_fail_end_it(blue: Blue) -> None:
    green = blue.made()
    blue.tap.more[green.name] = {"Instances": []}
    assert blue.environment.provision(blue.order) is None
    blue.tap.activities = [{"StatusCode": "Failed", "StatusMessage": "No capacity."}] * 5
    with pytest.raises(CannotProvision, match="cannot launch its instances: No capacity"):
        blue.environment.provision(blue.order)
    blue.tap.activities = [{"StatusCode": "InProgress"}, *blue.tap.activities[1:]]
    assert blue.environment.provision(blue.order) is None


def test_an_aws_that_is_away_is_the_worlds_fault() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        away = AutoScalingEnvironment(Aws(AwsAccess(REGION, url, **KEYS)), MemoryStore().environments)
        with pytest.raises(WorldError, match="does not answer autoscaling:"):
            away.provision(an_order("blue"))
