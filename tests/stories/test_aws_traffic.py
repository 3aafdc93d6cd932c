"""Balancers and Auto Scaling groups of AWS, end to end: boto3 at our API, real processes, real agents, and moto.

What moto lacks is played: balancers that take their time (tests/aws_states.py), lifecycle actions, their notices and
notification configurations (tests/aws_lifecycle.py). No request flows: there is nothing but moto behind the balancers.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from domain.configs import ALL_AT_ONCE, ONE_AT_A_TIME
from domain.lifecycle import TABLE, Event
from tests.aws_lifecycle import HoldingAws, holding_aws
from tests.aws_states import CLASSIC, TARGET_GROUP, Moves, moves_taking_time
from tests.balancers import make_group
from tests.revision_places import BUCKET, s3_client
from tests.services import free_port
from tests.site import Site, wait_until, write_revision
from tests.stories.api_process import boto, is_ready, make_key
from workflows.events import BLUE, GREEN

ROLE = "arn:aws:iam::123456789012:role/deployer"
FLEET, POOL = "fleet", "pool"
HOOK_CALLS = ("DeleteLifecycleHook", "PutLifecycleHook")
NAMES = {"InstanceIds": "Instances.member.1.InstanceId", "Targets": "Targets.member.1.Id"}
COPY: dict[str, Any] = {
    "greenFleetProvisioningOption": {"action": "COPY_AUTO_SCALING_GROUP"},
    "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
    "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 0},
}
PROCESSES = ["AZRebalance", "Terminate"]


def style(kind: str, option: str = "WITH_TRAFFIC_CONTROL") -> dict[str, str]:
    return {"deploymentType": kind, "deploymentOption": option}


@dataclass
class Scene:
    """An installation, AWS with its balancers, and a client of the API."""

    site: Site
    aws: HoldingAws
    moves: Moves
    api: Any
    folder: Path
    agents: list[str] = field(default_factory=list)

    def client(self, service: str) -> Any:
        return self.aws.aws.client(service)

    # --- AWS ---

    def start_agents(self, instances: Sequence[str]) -> None:
        for each in instances:
            self.site.agent(each)
            self.agents.append(each)
        wait_until(lambda: all(self.site.world.store.seen(instances)), "the agents' hello")

    def group(self, name: str) -> Mapping[str, Any] | None:
        found = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return next(iter(found["AutoScalingGroups"]), None)

    def members(self, name: str) -> list[str]:
        group = self.group(name)
        return sorted(member["InstanceId"] for member in group["Instances"]) if group else []

    def suspended(self, name: str) -> set[str]:
        group = self.group(name)
        assert group is not None
        return {each["ProcessName"] for each in group["SuspendedProcesses"]}

    def in_target_group(self, arn: str) -> set[str]:
        told = self.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return {each["Target"]["Id"] for each in told}

    def calls(self, *names: str) -> list[str]:
        """What was asked of AWS since the last `forget`, with the instance or Auto Scaling group that it was about."""
        said = [(name, _about(asked)) for name, asked in self.aws.calls if not names or name in names]
        return [f"{name} {about}" for name, about in said]

    # --- our API ---

    def make_group(self, name: str, **members: Any) -> None:
        self.api.create_deployment_group(
            applicationName="app", deploymentGroupName=name, serviceRoleArn=ROLE, **members
        )

    def info(self, name: str) -> Any:
        found = self.api.get_deployment_group(applicationName="app", deploymentGroupName=name)
        return found["deploymentGroupInfo"]

    def deploy(self, group: str, version: str, hooks: Mapping[str, str] | None = None) -> str:
        content = zipped(write_revision(self.folder / version, hooks or {}))
        s3_client(self.aws.moto).put_object(Bucket=BUCKET, Key=f"{version}.zip", Body=content)
        where = {"bucket": BUCKET, "key": f"{version}.zip", "bundleType": "zip"}
        made = self.api.create_deployment(
            applicationName="app",
            deploymentGroupName=group,
            revision={"revisionType": "S3", "s3Location": where},
            fileExistsBehavior="OVERWRITE",
        )
        return str(made["deploymentId"])

    def shown(self, deployment_id: str) -> Any:
        return self.api.get_deployment(deploymentId=deployment_id)["deploymentInfo"]

    def ended(self, deployment_id: str) -> Any:
        """The deployment as the API tells of it, once it has ended."""
        self.site.ended(deployment_id)
        return self.shown(deployment_id)

    def target(self, deployment_id: str, instance: str) -> Any:
        found = self.api.get_deployment_target(deploymentId=deployment_id, targetId=instance)
        return found["deploymentTarget"]["instanceTarget"]

    def events(self, deployment_id: str, instance: str) -> dict[str, str]:
        told = self.target(deployment_id, instance)["lifecycleEvents"]
        return {event["lifecycleEventName"]: event["status"] for event in told}

    def labels(self, deployment_id: str) -> dict[str, str]:
        ids = self.api.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        return {each: self.target(deployment_id, each).get("instanceLabel") for each in ids}

    def version(self, instance: str) -> str | None:
        path = self.site.root(instance) / "app" / "version.txt"
        return path.read_text() if path.exists() else None


def _about(asked: Mapping[str, str]) -> str:
    keys = ("Targets.member.1.Id", "Instances.member.1.InstanceId", "AutoScalingGroupName")
    return next((asked[key] for key in keys if key in asked), "")


def zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            archive.write(path, str(path.relative_to(folder)))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    port = free_port()
    with ExitStack() as stack:
        moves = stack.enter_context(moves_taking_time())
        aws = stack.enter_context(holding_aws())
        s3_client(aws.moto).create_bucket(Bucket=BUCKET)
        more = {"SLIPWAY_API__KEY": "a key", "SLIPWAY_API__PORT": str(port), "SLIPWAY_S3__ENDPOINT_URL": aws.moto}
        keys = {"SLIPWAY_S3__ACCESS_KEY_ID": "testing", "SLIPWAY_S3__SECRET_ACCESS_KEY": "testing-secret"}
        site = stack.enter_context(Site(**more, **keys, SLIPWAY_S3__ADDRESSING="path", **aws.environment))
        for process in ("control", "watch", "scaling", "api"):
            site.start(process)
        wait_until(lambda: is_ready(f"http://127.0.0.1:{port}"), "the API")
        api = stack.enter_context(boto(f"http://127.0.0.1:{port}", make_key(site)))
        api.create_application(applicationName="app")
        made = Scene(site, aws, moves, api, tmp_path_factory.mktemp("scene"))
        yield made
        # Their end is of no interest here, and they would take a second each.
        for process in ("api", "control", *(f"agent-{instance}" for instance in made.agents)):
            site.kill(process)


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
        deploymentStyle=style("IN_PLACE"),
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
    wait_until(lambda: looks(CLASSIC, "InService") >= 3 and looks(TARGET_GROUP, "initial") >= 3, "looks on the way back")
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
        assert scene.moves.states(CLASSIC, host) == ["InService", "OutOfService", "InService"]
