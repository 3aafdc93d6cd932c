"""Suspends processes of Auto Scaling groups before a deployment takes its first target, and resumes them at its end."""

from __future__ import annotations

import logging

from domain import reasons
from domain.deployments import Deployment, DeploymentErrorCode, ErrorInformation
from domain.errors import AutoScalingGroupMissing, CannotBegin
from domain.groups import DeploymentGroup
from domain.moves import Change
from tasks.runtime import World
from workflows import suspension

logger = logging.getLogger(__name__)


def suspend(world: World, deployment: Deployment, group: DeploymentGroup) -> ErrorInformation | None:
    """Suspend what the deployment asks for, unless it is suspended; why that cannot be, if it cannot. Raises WorldError
    where it is to be tried again. What is suspended is written down first, so that none of it is left so."""
    names = suspension.groups_to_suspend(deployment, group, world.fleet.environments)
    try:
        if names and not deployment.suspended:
            already = {name: world.scaling().suspended(name) for name in names}
            deployment = _noted(world, deployment, already)
        for each in deployment.suspended:
            world.scaling().suspend(each.auto_scaling_group, each.processes)
    except CannotBegin as error:
        return ErrorInformation(code=DeploymentErrorCode(error.code), message=error.message)
    return None


def _noted(world: World, deployment: Deployment, already: dict[str, frozenset[str]]) -> Deployment:
    chosen = suspension.to_suspend(deployment, already)

    def edit(present: Deployment) -> Change | None:
        if present.suspended or present.status.final or not chosen:
            return None
        return Change(present.model_copy(update={"suspended": chosen}))

    changed = world.store.change(deployment.deployment_id, edit)
    present = changed.deployment if changed else world.store.deployment(deployment.deployment_id)
    return present or deployment


def resume(world: World, deployment: Deployment) -> ErrorInformation | None:
    """Resume what the deployment suspended; why that cannot be, if it cannot. Raises WorldError where it is to be tried
    again. With a group that is gone, as blue is after blue/green, all that was suspended is gone too."""
    why: ErrorInformation | None = None
    for each in deployment.suspended:
        try:
            world.scaling().resume(each.auto_scaling_group, each.processes)
        except AutoScalingGroupMissing:
            logger.info("%s is gone, and nothing of it stays suspended", each.auto_scaling_group)
        except CannotBegin as error:
            # The others are resumed all the same.
            processes = ", ".join(each.processes)
            text = reasons.STAYS_SUSPENDED.format(processes=processes, group=each.auto_scaling_group, why=error.message)
            logger.warning("%s", text)
            why = ErrorInformation(code=DeploymentErrorCode(error.code), message=text)
    return why
