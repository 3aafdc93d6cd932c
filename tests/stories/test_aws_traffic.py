"""Balancers and Auto Scaling groups of AWS, end to end: boto3 at our API, real processes, real agents, and moto.

What moto lacks is played: balancers that take their time (tests/aws_states.py), lifecycle actions, their notices and
notification configurations (tests/aws_lifecycle.py). What it does not have at all is not seen here: no request flows,
no listener leads to a target group, no health check looks at an application, instances are in service the moment they
are launched and gone the moment they are terminated, hooks hold none of them, and suspended processes stop nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from domain.configs import ALL_AT_ONCE, ONE_AT_A_TIME
from domain.lifecycle import TABLE
from domain.scaling import Transition
from tests.aws_states import CLASSIC, TARGET_GROUP
from tests.balancers import make_group
from tests.services import wait_until
from tests.stories.aws_scene import Scene, aws_scene
from workflows.events import BLUE, GREEN

FLEET, POOL = "fleet", "pool"
HOOK_CALLS = ("DeleteLifecycleHook", "PutLifecycleHook")
COPY: dict[str, Any] = {
    "greenFleetProvisioningOption": {"action": "COPY_AUTO_SCALING_GROUP"},
    "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
    "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 0},
}
PROCESSES = ["AZRebalance", "Terminate"]


def with_traffic_control(kind: str) -> dict[str, str]:
    return {"deploymentType": kind, "deploymentOption": "WITH_TRAFFIC_CONTROL"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with aws_scene(tmp_path_factory.mktemp("scene")) as made:
        yield made


@pytest.fixture(autouse=True)
def forgotten(scene: Scene) -> None:
    """Calls of before are none of a test's."""
    scene.aws.calls.clear()


# --- in place ---


def test_in_place_every_balancer_lets_go_before_the_next_event(scene: Scene) -> None:
    hosts = scene.aws.aws.run(2, role="front")
    scene.start_agents(hosts)
    arn = make_group(scene.aws.aws, "front")
    scene.client("elbv2").register_targets(TargetGroupArn=arn, Targets=[{"Id": each} for each in hosts])
    classic = scene.client("elb")
    classic.create_load_balancer(
        LoadBalancerName="front",
        Listeners=[{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}],
        AvailabilityZones=["us-east-1a"],
    )
    classic.register_instances_with_load_balancer(
        LoadBalancerName="front", Instances=[{"InstanceId": each} for each in hosts]
    )
    scene.make_group(
        "front",
        ec2TagFilters=[{"Key": "role", "Value": "front", "Type": "KEY_AND_VALUE"}],
        deploymentConfigName=ONE_AT_A_TIME,
        deploymentStyle=with_traffic_control("IN_PLACE"),
        loadBalancerInfo={"elbInfoList": [{"name": "front"}], "targetGroupInfoList": [{"name": "front"}]},
    )
    scene.aws.calls.clear()
    scene.moves.held |= {(CLASSIC, False), (TARGET_GROUP, True)}
    deployment = scene.deploy("front", "v1")
    first, second = sorted(hosts)

    def looks(kind: str, state: str) -> int:
        return scene.moves.seen[kind, first].count(state)

    # One has let go, the other drains.
    wait_until(lambda: looks(TARGET_GROUP, "unused") >= 3, "looks at the one that let go")
    assert scene.events(deployment, first)["BlockTraffic"] == "InProgress"
    assert scene.events(deployment, first)["AfterBlockTraffic"] == "Pending"
    scene.moves.held.remove((CLASSIC, False))
    # The other way round on the way back.
    wait_until(
        lambda: looks(CLASSIC, "InService N/A") >= 3 and looks(TARGET_GROUP, "initial") >= 3, "looks on the way back"
    )
    wait_until(lambda: scene.events(deployment, first).get("AllowTraffic") == "InProgress", "AllowTraffic")
    assert scene.events(deployment, first)["AfterAllowTraffic"] == "Pending"
    scene.moves.held.remove((TARGET_GROUP, True))

    assert scene.ended(deployment)["status"] == "Succeeded"
    assert scene.calls() == [
        f"{call} {host}"
        for host in (first, second)
        for call in (
            *("DeregisterInstancesFromLoadBalancer", "DeregisterTargets"),
            *("RegisterInstancesWithLoadBalancer", "RegisterTargets"),
        )
    ]
    for host in hosts:
        assert list(scene.events(deployment, host).items()) == [(row.event, "Succeeded") for row in TABLE]
        assert scene.moves.states(TARGET_GROUP, host) == ["healthy", "draining", "unused", "initial", "healthy"]
        assert scene.moves.states(CLASSIC, host) == [
            "InService N/A",
            "InService Instance deregistration currently in progress.",
            "OutOfService N/A",
            "OutOfService Instance registration is still in progress.",
            "InService N/A",
        ]


# --- blue/green ---


@dataclass
class Copied:
    """A blue/green deployment that has succeeded."""

    deployment: str
    arn: str
    blue: list[str]
    green: list[str]
    name: str
    """What the copy is called."""
    calls: list[str]
    hooks: tuple[str, str]
    """Of the deployment group, for instances that come and those that go."""


@pytest.fixture(scope="module")
def copied(scene: Scene) -> Copied:
    """Two instances of an Auto Scaling group behind a target group gave way to those of a copy."""
    blue = sorted(scene.aws.aws.auto_scaling_group(FLEET, 2))
    arn = make_group(scene.aws.aws, FLEET)
    scene.client("elbv2").register_targets(TargetGroupArn=arn, Targets=[{"Id": each} for each in blue])
    scaling = scene.client("autoscaling")
    scaling.put_scaling_policy(
        AutoScalingGroupName=FLEET,
        PolicyName="out",
        PolicyType="SimpleScaling",
        AdjustmentType="ChangeInCapacity",
        ScalingAdjustment=1,
    )
    scaling.put_notification_configuration(
        AutoScalingGroupName=FLEET, TopicARN="arn:aws:sns:t", NotificationTypes=["autoscaling:EC2_INSTANCE_LAUNCH"]
    )
    scene.start_agents(blue)
    scene.make_group(
        FLEET,
        autoScalingGroups=[FLEET],
        deploymentConfigName=ALL_AT_ONCE,
        deploymentStyle=with_traffic_control("BLUE_GREEN"),
        blueGreenDeploymentConfiguration=COPY,
        loadBalancerInfo={"targetGroupInfoList": [{"name": FLEET}]},
        terminationHookEnabled=True,
        ec2DeploymentOptions={"autoScalingGroupProcessesToSuspend": ["AZRebalance"]},
    )
    (on,) = scene.info(FLEET)["autoScalingGroups"]
    hooks = on["hook"], on["terminationHook"]
    assert scene.hooks(FLEET) == set(hooks)
    scene.aws.calls.clear()
    deployment = scene.deploy(FLEET, "green")
    name = f"CodeDeploy_{FLEET}_{deployment}"
    green = wait_until(lambda: scene.members(name), "the copy's instances")
    scene.start_agents(green)
    info = scene.ended(deployment)
    assert info["status"] == "Succeeded", info["errorInformation"]
    return Copied(deployment, arn, blue, green, name, scene.calls(), hooks)


def test_a_copy_takes_the_place_of_its_original_in_the_documented_order(scene: Scene, copied: Copied) -> None:
    """As docs/environments.md has it; first the process that the deployment suspends, which goes with the original.
    Balancers are told of each instance by a call of its own."""
    name = copied.name
    making, installed, rest = copied.calls[:6], copied.calls[6:10], copied.calls[10:]
    assert making == [
        f"SuspendProcesses {FLEET}",
        f"CreateAutoScalingGroup {name}",
        f"PutScalingPolicy {name}",
        f"PutNotificationConfiguration {name}",
        f"UpdateAutoScalingGroup {name}",
        f"SuspendProcesses {name}",
    ]
    assert sorted(installed[:2]) == [f"RegisterTargets {host}" for host in copied.green]
    assert sorted(installed[2:]) == [f"DeregisterTargets {host}" for host in copied.blue]
    assert rest == [
        f"ResumeProcesses {name}",
        *2 * [f"DeleteLifecycleHook {FLEET}"],
        *2 * [f"PutLifecycleHook {name}"],
        f"DeleteAutoScalingGroup {FLEET}",
    ]


def test_green_serves_alone_and_the_group_names_it(scene: Scene, copied: Copied) -> None:
    assert scene.in_target_group(copied.arn) == set(copied.green)
    assert {scene.version(host) for host in copied.green} == {"green"}
    assert scene.group(FLEET) is None
    expected = dict.fromkeys(copied.blue, "Blue") | dict.fromkeys(copied.green, "Green")
    assert scene.labels(copied.deployment) == expected
    assert list(scene.events(copied.deployment, copied.green[0])) == list(GREEN)
    assert list(scene.events(copied.deployment, copied.blue[0])) == list(BLUE)
    assert scene.moves.states(TARGET_GROUP, copied.blue[0]) == ["healthy", "draining", "unused"]
    assert scene.moves.states(TARGET_GROUP, copied.green[0]) == ["unused", "initial", "healthy"]
    (named,) = scene.info(FLEET)["autoScalingGroups"]
    assert (named["name"], named["hook"], named["terminationHook"]) == (copied.name, *copied.hooks)
    assert scene.hooks(copied.name) == set(copied.hooks)
    assert scene.suspended(copied.name) == set()


def test_a_failed_install_leaves_the_group_serving_and_removes_the_copy(scene: Scene, copied: Copied) -> None:
    before = scene.info(FLEET)
    scene.aws.calls.clear()
    deployment = scene.deploy(FLEET, "broken", {"AfterInstall": "exit 1"})
    name = f"CodeDeploy_{FLEET}_{deployment}"
    scene.start_agents(wait_until(lambda: scene.members(name), "the copy's instances"))
    info = scene.ended(deployment)
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    assert scene.group(name) is None
    assert scene.members(copied.name) == copied.green
    assert scene.in_target_group(copied.arn) == set(copied.green)
    assert scene.calls("RegisterTargets", "DeregisterTargets", *HOOK_CALLS) == []
    after = scene.info(FLEET)
    assert after["autoScalingGroups"] == before["autoScalingGroups"]
    assert after["targetRevision"] == before["targetRevision"]
    # What was suspended is resumed here too.
    assert scene.suspended(copied.name) == set()


def test_an_instance_launched_by_the_copy_goes_into_traffic_and_into_service(scene: Scene, copied: Copied) -> None:
    scaling = scene.client("autoscaling")
    scaling.set_desired_capacity(AutoScalingGroupName=copied.name, DesiredCapacity=3)
    (new,) = set(scene.members(copied.name)) - set(copied.green)
    scene.start_agents([new])
    action = scene.aws.hold(new, of=copied.name, hook=copied.hooks[0], transition=Transition.LAUNCHING)
    scene.aws.calls.clear()
    scene.aws.tell(action)
    result = wait_until(lambda: scene.aws.result_of(action), "the end of the lifecycle action", limit=30)
    assert result == "CONTINUE"
    (deployment, *_) = scene.api.list_deployments(applicationName="app", deploymentGroupName=FLEET)["deployments"]
    info = scene.shown(deployment)
    assert (info["creator"], info["status"]) == ("autoscaling", "Succeeded")
    # The group is blue/green; one instance is deployed to where it stands.
    assert info["deploymentStyle"] == with_traffic_control("IN_PLACE")
    assert scene.labels(deployment) == {new: None}
    assert scene.events(deployment, new) == dict.fromkeys(GREEN, "Succeeded")
    assert scene.calls("RegisterTargets", "DeregisterTargets") == [f"RegisterTargets {new}"]
    assert scene.moves.states(TARGET_GROUP, new) == ["unused", "initial", "healthy"]
    assert scene.in_target_group(copied.arn) == {*copied.green, new}
    assert scene.version(new) == "green"
    assert scene.group(f"CodeDeploy_{FLEET}_{deployment}") is None


# --- processes ---


@dataclass
class Pool:
    """A group in place on an Auto Scaling group of one instance, AZRebalance of which somebody else has suspended."""

    scene: Scene
    host: str

    def begun(self, version: str, script: str = "") -> str:
        """A deployment that is in the middle of the instance's hook; it goes on once `go` is there."""
        folder = self.scene.folder / version
        hook = f"touch {folder}/begun; until test -e {folder}/go; do sleep 0.05; done; {script}"
        deployment = self.scene.deploy(POOL, version, {"AfterInstall": hook})
        wait_until((folder / "begun").exists, f"the hook of {version}")
        return deployment

    def go(self, version: str) -> None:
        (self.scene.folder / version / "go").touch()

    def suspended(self) -> set[str]:
        return self.scene.suspended(POOL)

    def suspended_before_its_targets(self, deployment: str) -> bool:
        """Whether the call was made before the first event began."""
        events = self.scene.target(deployment, self.host)["lifecycleEvents"]
        began = min(event["startTime"] for event in events if "startTime" in event)  # skipped ones have none
        (call,) = (each for each in self.scene.aws.calls if each.name == "SuspendProcesses")
        return call.at < float(began.timestamp())


@pytest.fixture(scope="module")
def pool(scene: Scene) -> Pool:
    (host,) = scene.aws.aws.auto_scaling_group(POOL, 1)
    scene.start_agents([host])
    scene.make_group(
        POOL,
        autoScalingGroups=[POOL],
        deploymentConfigName=ALL_AT_ONCE,
        ec2DeploymentOptions={"autoScalingGroupProcessesToSuspend": PROCESSES},
    )
    scene.client("autoscaling").suspend_processes(AutoScalingGroupName=POOL, ScalingProcesses=["AZRebalance"])
    return Pool(scene, host)


@pytest.mark.parametrize(("script", "status"), [("true", "Succeeded"), ("exit 1", "Failed")])
def test_processes_are_suspended_before_the_first_target_and_resumed_at_the_end(
    scene: Scene, pool: Pool, script: str, status: str
) -> None:
    deployment = pool.begun(f"p-{status}", script)
    assert pool.suspended() == {"AZRebalance", "Terminate"}
    pool.go(f"p-{status}")
    assert scene.ended(deployment)["status"] == status
    assert pool.suspended_before_its_targets(deployment)
    assert pool.suspended() == {"AZRebalance"}


def test_processes_are_resumed_when_a_deployment_is_stopped(scene: Scene, pool: Pool) -> None:
    deployment = pool.begun("p-stopped")
    scene.api.stop_deployment(deploymentId=deployment)
    assert pool.suspended() == {"AZRebalance", "Terminate"}
    pool.go("p-stopped")
    assert scene.ended(deployment)["status"] == "Stopped"
    assert pool.suspended() == {"AZRebalance"}


def test_where_processes_cannot_be_suspended_no_target_is_touched(scene: Scene, pool: Pool) -> None:
    before = scene.version(pool.host)
    scene.aws.refused.add("SuspendProcesses")
    try:
        info = scene.ended(scene.deploy(POOL, "p-never"))
    finally:
        scene.aws.refused.clear()
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "IAM_ROLE_PERMISSIONS")
    assert "autoscaling:SuspendProcesses" in info["errorInformation"]["message"]
    assert scene.site.world.store.targets(info["deploymentId"]) == []
    assert scene.version(pool.host) == before
    assert pool.suspended() == {"AZRebalance"}


def test_where_processes_cannot_be_resumed_the_deployment_fails_and_says_so(scene: Scene, pool: Pool) -> None:
    scene.aws.refused.add("ResumeProcesses")
    try:
        info = scene.ended(scene.deploy(POOL, "p-stuck"))
    finally:
        scene.aws.refused.clear()
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "IAM_ROLE_PERMISSIONS")
    assert "autoscaling:ResumeProcesses" in info["errorInformation"]["message"]
    assert "Terminate of the Auto Scaling group pool stay suspended" in info["errorInformation"]["message"]
    assert scene.target(info["deploymentId"], pool.host)["status"] == "Succeeded"
    assert pool.suspended() == {"AZRebalance", "Terminate"}
    scene.client("autoscaling").resume_processes(AutoScalingGroupName=POOL, ScalingProcesses=["Terminate"])
