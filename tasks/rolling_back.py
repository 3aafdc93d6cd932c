"""Makes the deployment that rolls another back, before that one is written as ended: it waits in the group's queue,
ahead of all others, and begins when the one it rolls back has ended. So a crash between the two loses neither."""

from __future__ import annotations

from domain.deployments import Deployment, RollbackInfo
from tasks.runtime import World
from workflows import admission, rollback


def prepare(world: World, ended: Deployment) -> RollbackInfo | None:
    """What a deployment that is about to end as it is given says of its rollback; None where none is wanted. However
    often it is asked, one rollback is made."""
    if not rollback.wanted(ended):
        return None
    group = world.store.groups.get(ended.deployment_group_id)
    why_not = rollback.why_not(ended, group)
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
