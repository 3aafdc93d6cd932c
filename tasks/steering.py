"""What people and limits ask of a deployment that is under way: stop, go on, be done by now."""

from __future__ import annotations

from domain import reasons
from domain.deployments import Deployment, DeploymentErrorCode, ErrorInformation, WaitType
from domain.errors import DeploymentDoesNotExist
from tasks.phases import after_end, change_and_remember
from tasks.runtime import World
from workflows import admission, timeouts, waits


def stop(world: World, deployment_id: str, *, now: bool = False, rollback: bool | None = None) -> Deployment:
    """Ask a deployment to stop: nothing new starts, hosts skip the events they have not begun; with `now` the scripts
    that run are ended too. `rollback`: whether it is rolled back then; None leaves that to its configuration.

    Raises DeploymentDoesNotExist or DeploymentAlreadyCompleted.
    """
    if changed := halt(world, deployment_id, admission.MANUAL_STOP, cut=now, rollback=rollback):
        return changed
    present = world.store.deployment(deployment_id)
    if present is None or present.status.final or not present.stopping:
        raise admission.not_stoppable(deployment_id, present)
    _tell_of_stop(world, present, now=now)
    return present


def halt(
    world: World, deployment_id: str, why: ErrorInformation, *, cut: bool = False, rollback: bool | None = None
) -> Deployment | None:
    """Have a deployment end early for a reason; with `cut` the scripts that run are ended. The deployment after that;
    None where there is none, or it has ended, is ending already or cannot turn back any more."""
    now = world.now()
    before = world.store.deployment(deployment_id)
    if before is None:
        return None
    # Of one that had not begun, the group remembers nothing.
    changed = change_and_remember(
        world,
        before,
        lambda present: admission.stop(present, now=now, why=why, cut=cut, rollback=rollback),
        lambda group, _: group,
    )
    if changed is None:
        return None
    if changed.deployment.status.final:
        after_end(world, changed)
    else:
        _tell_of_stop(world, changed.deployment, now=cut)
    return changed.deployment


def _tell_of_stop(world: World, deployment: Deployment, *, now: bool) -> None:
    phase = deployment.under_way
    if phase is None or phase.kind.on_hosts:
        world.dispatch.stop_hosts(deployment.deployment_id, now=now)
    else:
        world.dispatch.conclude(deployment.deployment_id, deployment.phase)


def go_on(world: World, deployment_id: str, wait: WaitType) -> None:
    """End a wait of a blue/green deployment.

    Raises DeploymentDoesNotExist and what `waits.continued` raises.
    """
    changed = world.store.change(deployment_id, lambda present: waits.continued(present, wait))
    present = changed.deployment if changed else world.store.deployment(deployment_id)
    if present is None:
        raise DeploymentDoesNotExist(f"No deployment has the id {deployment_id}.")
    world.dispatch.conclude(deployment_id, present.phase)


def expire(world: World, deployment: Deployment) -> None:
    """End a deployment that ran too long: what runs may finish its event, nothing new starts."""
    seconds = timeouts.deployment_limit(deployment, world.limits)
    why = ErrorInformation(code=DeploymentErrorCode.TIMEOUT, message=reasons.DEPLOYMENT_TIMEOUT.format(seconds=seconds))
    halt(world, deployment.deployment_id, why)
