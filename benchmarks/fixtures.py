"""What the benchmarks deploy to: an application, a group and any number of simulated hosts in the store."""

from __future__ import annotations

import uuid

from benchmarks.rig import wait_until
from domain.applications import Application
from domain.configs import HALF_AT_A_TIME
from domain.deployments import CreateDeployment, Deployment
from domain.fleet import Instance, TargetKind
from domain.groups import DeploymentGroup, TagFilter
from domain.revisions import LocalLocation, RevisionLocation, RevisionType
from tasks.admitting import create_deployment
from tasks.runtime import World

APPLICATION = "bench"
APPLICATION_ID = "00000000-0000-4000-8000-000000000000"
NOWHERE = RevisionLocation(
    revision_type=RevisionType.LOCAL, local_location=LocalLocation(path="/nowhere", bundle_type="directory")
)


def make_group(world: World, *, config: str, hosts: int, queue: str | None) -> str:
    """A fresh group with so many hosts that all consume `queue` (or each its own); its name."""
    name = f"group-{uuid.uuid4().hex[:8]}"
    world.store.applications.add(
        Application(application_id=APPLICATION_ID, application_name=APPLICATION, create_time=0.0)
    )
    group = DeploymentGroup(
        application_id=APPLICATION_ID,
        deployment_group_id=str(uuid.uuid4()),
        deployment_group_name=name,
        deployment_config_name=config,
        on_premises_instance_tag_filters=(TagFilter(key="group", value=name),),
    )
    world.store.groups.add(group)
    for number in range(hosts):
        host = f"{name}-{number:05}"
        instance = Instance(
            instance_id=host,
            kind=TargetKind.ON_PREMISES,
            arn=f"arn:aws:codedeploy:us-east-1:000000000000:instance/{host}",
            tags={"group": name},
            queue=queue,
        )
        world.store.instances.add(host, instance)
    return name


def forget_hosts(world: World, group: str, hosts: int) -> None:
    """Take the hosts of a group out of the registry again."""
    for number in range(hosts):
        world.store.instances.remove(f"{group}-{number:05}")


def deploy(world: World, group: str, revision: RevisionLocation = NOWHERE, *, config: str | None = None) -> str:
    """Start a deployment, at the group's speed or another; its id."""
    request = CreateDeployment(
        application_name=APPLICATION,
        deployment_group_name=group,
        revision=revision,
        deployment_config_name=config,
        file_exists_behavior="OVERWRITE",
    )
    return create_deployment(world, request)


def ended(world: World, deployment_id: str) -> Deployment | None:
    """The deployment if it has ended."""
    deployment = world.store.deployment(deployment_id)
    return deployment if deployment and deployment.status.final else None


def warm_up(world: World, queue: str) -> None:
    """One deployment that does not count, so that every process has started."""
    deployment_id = deploy(world, make_group(world, config=HALF_AT_A_TIME, hosts=2, queue=queue))
    wait_for_end(world, deployment_id)


def wait_for_end(world: World, deployment_id: str, *, limit: float = 3600.0, every: float = 0.01) -> Deployment:
    """The deployment once it has ended."""
    return wait_until(lambda: ended(world, deployment_id), f"the end of {deployment_id}", limit=limit, every=every)
