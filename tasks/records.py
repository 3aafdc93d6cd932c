"""The targets of a deployment, read a page at a time."""

from __future__ import annotations

from collections.abc import Iterator

from domain.deployments import Deployment, TargetRecord
from tasks.runtime import World

PAGE = 200
"""Target records read or written in one round trip."""


def records_of(world: World, deployment: Deployment) -> Iterator[TargetRecord]:
    """All of them in order, each page when it is asked for."""
    for first in range(0, deployment.total, PAGE):
        yield from world.store.targets(deployment.deployment_id, first=first, count=PAGE)
