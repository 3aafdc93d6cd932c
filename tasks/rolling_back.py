"""Makes the deployment that rolls another back, before that one is written as ended: it waits in the group's queue,
ahead of all others, and begins when the one it rolls back has ended. So a crash between the two loses neither."""

from __future__ import annotations

from domain import reasons
from domain.deployments import Deployment, RollbackInfo
from domain.errors import (
    ApplicationDoesNotExist,
    DeploymentDoesNotExist,
    DeploymentGroupDoesNotExist,
    InvalidInput,
)
from domain.groups import DeploymentGroup, group_name
from tasks.records import recent, records_of
from tasks.runtime import World
from workflows import admission, rollback


def prepare(world: World, ended: Deployment) -> RollbackInfo | None:
    """What a deployment that is about to end as it is given says of its rollback; None where none is wanted. However
    often it is asked, one rollback is made."""
    if not rollback.wanted(ended):
        return None
    group = world.store.groups.get(ended.deployment_group_id)
    why_not = rollback.why_not(ended, group)
    if why_not is None and not (ended.blue_green or rollback.has_changed_anything(ended, records_of(world, ended))):
        why_not = reasons.NOTHING_TO_ROLL_BACK
    if why_not is not None or group is None:
        return RollbackInfo(rollback_message=why_not)
    last = group.last_successful_deployment
    made = rollback.rollback_of(
        ended,
        group,
        world.store.deployment(last.deployment_id) if last else None,
        deployment_id=world.new_id(),
        now=world.now(),
    )
    admitted = world.store.admit(
        made,
        token=f"rollback:{ended.deployment_id}",
        queue=True,
        first=True,
        happenings=(admission.started(made),),
    )
    rollback_id = admitted.deployment_id
    return RollbackInfo(rollback_deployment_id=rollback_id, rollback_message=rollback.message(ended, rollback_id))


def revision_to_return_to(world: World, application_name: str, name: str, *, to: str | None = None) -> Deployment:
    """The earlier deployment whose revision a group returns to: the one named or the one that `rollback.returned_to`
    finds.

    Raises ApplicationDoesNotExist, DeploymentGroupDoesNotExist, DeploymentDoesNotExist, and InvalidInput where there is
    none.
    """
    application = world.store.applications.named(application_name)
    if application is None:
        raise ApplicationDoesNotExist(f"No application is named {application_name}.")

    def has_changed(deployment: Deployment) -> bool:
        return rollback.has_changed_anything(deployment, records_of(world, deployment))

    group = world.store.groups.named(group_name(application.application_id, name))
    if group is None:
        raise DeploymentGroupDoesNotExist(f"The application {application_name} has no deployment group {name}.")
    chosen = _named(world, group, to) if to else rollback.returned_to(recent(world, group), has_changed)
    if chosen is None:
        raise InvalidInput(f"No deployment to {application_name}/{name} has succeeded with an earlier revision.")
    return chosen


def _named(world: World, group: DeploymentGroup, deployment_id: str) -> Deployment:
    found = world.store.deployment(deployment_id)
    if found is None or found.deployment_group_id != group.deployment_group_id:
        raise DeploymentDoesNotExist(f"The deployment group has no deployment {deployment_id}.")
    if found.returns_to_unknown:
        raise InvalidInput(f"What {deployment_id} returned to was brought by no deployment: name another.")
    return found
