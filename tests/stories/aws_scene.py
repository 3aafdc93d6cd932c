"""An installation with AWS on: real processes and agents, boto3 at our API, and moto with what it lacks before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.aws_lifecycle import HoldingAws, holding_aws
from tests.aws_states import Moves, moves_taking_time
from tests.revision_places import BUCKET, s3_client, zipped
from tests.services import free_port, wait_until
from tests.site import Site, write_revision
from tests.stories.api_process import boto, is_ready, make_key

ROLE = "arn:aws:iam::123456789012:role/deployer"


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

    def hooks(self, name: str) -> set[str]:
        found = self.client("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]
        return {hook["LifecycleHookName"] for hook in found}

    def in_target_group(self, arn: str) -> set[str]:
        told = self.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return {each["Target"]["Id"] for each in told}

    def calls(self, *names: str) -> list[str]:
        """What was asked of AWS since the last `forget`, with the instance or Auto Scaling group that it was about."""
        return [f"{call.name} {_about(call.asked)}" for call in self.aws.calls if not names or call.name in names]

    # --- our API ---

    def make_group(self, name: str, **members: Any) -> None:
        self.api.create_deployment_group(
            applicationName="app", deploymentGroupName=name, serviceRoleArn=ROLE, **members
        )

    def info(self, name: str) -> Any:
        found = self.api.get_deployment_group(applicationName="app", deploymentGroupName=name)
        return found["deploymentGroupInfo"]

    def deploy(self, group: str, version: str, hooks: Mapping[str, str] | None = None, **members: Any) -> str:
        content = zipped(write_revision(self.folder / version, hooks or {}))
        s3_client(self.aws.moto).put_object(Bucket=BUCKET, Key=f"{version}.zip", Body=content)
        where = {"bucket": BUCKET, "key": f"{version}.zip", "bundleType": "zip"}
        made = self.api.create_deployment(
            applicationName="app",
            deploymentGroupName=group,
            revision={"revisionType": "S3", "s3Location": where},
            fileExistsBehavior="OVERWRITE",
            **members,
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


@contextmanager
def aws_scene(folder: Path) -> Iterator[Scene]:
    """All of it, with the application `app` and nothing else."""
    port = free_port()
    with ExitStack() as stack:
        moves = stack.enter_context(moves_taking_time())
        aws = stack.enter_context(holding_aws())
        s3_client(aws.moto).create_bucket(Bucket=BUCKET)
        bundles = {"SLIPWAY_S3__ENDPOINT_URL": aws.moto, "SLIPWAY_S3__ADDRESSING": "path"}
        bundles |= {"SLIPWAY_S3__ACCESS_KEY_ID": "testing", "SLIPWAY_S3__SECRET_ACCESS_KEY": "testing-secret"}
        more = {"SLIPWAY_API__KEY": "a key", "SLIPWAY_API__PORT": str(port), **bundles, **aws.environment}
        site = stack.enter_context(Site(limits={}, **more))
        for process in ("control", "watch", "scaling", "api"):
            site.start(process)
        wait_until(lambda: is_ready(f"http://127.0.0.1:{port}"), "the API")
        api = stack.enter_context(boto(f"http://127.0.0.1:{port}", make_key(site)))
        api.create_application(applicationName="app")
        made = Scene(site, aws, moves, api, folder)
        yield made
        # Their end is of no interest here, and they would take a second each.
        for process in ("api", "control", *(f"agent-{instance}" for instance in made.agents)):
            site.kill(process)
