"""What becomes of a lifecycle action: which groups it concerns, when Auto Scaling is told of it, and which instances
were launched while a deployment ran and missed its revision.

Source: AWS CodeDeploy user guide, "Integrating CodeDeploy with Amazon EC2 Auto Scaling".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from domain.deployments import Deployment, DeploymentStatus
from domain.fleet import HostRecord
from domain.group_options import OutdatedInstancesStrategy
from domain.groups import DeploymentGroup
from domain.scaling import ActionResult, LifecycleAction, OpenAction, Transition
from domain.values import Instant
from workflows.scaling_hooks import hook_named

HEARTBEAT = 300.0
"""Seconds between heartbeats: half of what a hook holds an instance for without one."""
AGAIN = 15.0
"""Seconds until Auto Scaling is told again what it did not take."""
KEPT = 600.0
"""Seconds for which an instance that went on is looked after: a deployment that begins in that time may not have found
it in service yet."""


def groups_of(action: LifecycleAction, groups: Iterable[DeploymentGroup]) -> list[DeploymentGroup]:
    """The deployment groups that an action concerns.

    A hook that was installed for a group is that group's. Any other hook is for all that have the Auto Scaling group
    and no hook of their own there, for those have an action of their own. An instance on its way into a warm pool
    concerns none: it is told of again when it goes into service.
    """
    every = [group for group in groups if _wants(action, group)]
    names = [hook_named(group.hooks, action.auto_scaling_group, action.transition) for group in every]
    owners = [group for group, name in zip(every, names, strict=True) if name == action.hook]
    return owners or [group for group, name in zip(every, names, strict=True) if name is None]


def _wants(action: LifecycleAction, group: DeploymentGroup) -> bool:
    if action.warm or action.auto_scaling_group not in group.auto_scaling_groups:
        return False
    return action.transition is Transition.LAUNCHING or bool(group.termination_hook_enabled)


@dataclass(frozen=True, slots=True)
class Complete:
    """All deployments have ended: the instance is let go."""

    result: ActionResult


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A deployment runs: the instance is to be held for longer."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be said yet."""


Word = Complete | Heartbeat | Wait


def decide(open_action: OpenAction, deployments: Sequence[Deployment | None], *, now: Instant) -> Word:
    """What Auto Scaling is told of an action whose deployments stand so.

    One that failed abandons a launched instance and never keeps one from being terminated; where there is no deployment
    the instance goes on.
    """
    if now < open_action.again_at:
        return Wait()
    if any(deployment is not None and not deployment.status.final for deployment in deployments):
        return Heartbeat() if now >= open_action.heartbeat_at else Wait()
    launching = open_action.action.transition is Transition.LAUNCHING
    succeeded = all(deployment and deployment.status is DeploymentStatus.SUCCEEDED for deployment in deployments)
    return Complete(ActionResult.CONTINUE if succeeded or not launching else ActionResult.ABANDON)


class Revision(Enum):
    """How an instance that was launched stands to its group's revision."""

    LEVEL = auto()
    UNDER_WAY = auto()
    """A deployment runs that may bring a new one, here or elsewhere in the group."""
    OUTDATED = auto()


def standing(group: DeploymentGroup | None, record: HostRecord, *, busy: bool) -> Revision:
    """How an instance stands to its group, which is busy with a deployment or is not. Where the deployment that brought
    the revision tried the instance and failed, nothing is tried again."""
    if group is None or group.outdated_instances_strategy is OutdatedInstancesStrategy.IGNORE:
        return Revision.LEVEL
    if busy:
        return Revision.UNDER_WAY
    target, last = group.target_revision, group.last_successful_deployment
    if target is None or last is None or record.revision == target.identity:
        return Revision.LEVEL
    return Revision.LEVEL if record.deployment_id == last.deployment_id else Revision.OUTDATED


def looked_after(open_action: OpenAction, standings: Iterable[Revision], *, now: Instant) -> bool:
    """Whether an instance that went on is to be looked at again."""
    since = open_action.completed_at if open_action.completed_at is not None else now
    return now - since < KEPT or any(each is not Revision.LEVEL for each in standings)
