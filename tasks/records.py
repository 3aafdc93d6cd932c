"""The deployments of a group and the targets of a deployment, read a page at a time."""

from __future__ import annotations

from collections.abc import Iterator

from domain.deployments import Deployment, TargetRecord
from domain.groups import DeploymentGroup
from tasks.runtime import World

PAGE = 200
"""Target records read or written in one round trip."""
DEPLOYMENTS = 50
"""Deployments of a group read in one round trip."""


def records_of(world: World, deployment: Deployment) -> Iterator[TargetRecord]:
    """All of them in order, each page when it is asked for."""
    for first in range(0, deployment.total, PAGE):
        yield from world.store.targets(deployment.deployment_id, first=first, count=PAGE)


def recent(world: World, group: DeploymentGroup) -> Iterator[Deployment]:
    """The deployments of a group, newest first, without those to single instances."""
    after: tuple[float, str] | None = None
    while places := world.store.recent(group_id=group.deployment_group_id, after=after, limit=DEPLOYMENTS):
        for deployment in world.store.deployments([deployment_id for _, deployment_id in places]):
            if deployment is not None and not deployment.only:
                yield deployment
        after = places[-1]
