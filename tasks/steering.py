"""What people and limits ask of a deployment that is under way: stop, go on, be done by now."""

from __future__ import annotations

from domain import reasons
from domain.deployments import Deployment, DeploymentErrorCode, ErrorInformation, WaitType
from domain.errors import DeploymentDoesNotExist
from tasks.phases import after_end
from tasks.runtime import World
from tasks.suspending import resume
from workflows import admission, timeouts, waits


def stop(world: World, deployment_id: str, *, now: bool = False) -> Deployment:
    """Ask a deployment to stop: nothing new starts, hosts skip the events they have not begun; with `now` the scripts
    that run are ended too.

    Raises DeploymentDoesNotExist or DeploymentAlreadyCompleted.
    """
    at = world.now()
    before = world.store.deployment(deployment_id)
    if before is not None and not before.status.final and not before.phases:
        # Whoever was about to begin it may have been cut off, and nobody begins it again once it is stopped.
        resume(world, before)
    changed = world.store.change(deployment_id, lambda present: admission.stop(present, now=at, cut=now))
    present = changed.deployment if changed else world.store.deployment(deployment_id)
    if present is None or (changed is None and (present.status.final or not present.stopping)):
        raise admission.not_stoppable(deployment_id, present)
    if changed is not None and present.status.final:
        after_end(world, changed)
    else:
        _tell_of_stop(world, present, now=now)
    return present


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
    now = world.now()
    seconds = timeouts.deployment_limit(deployment, world.limits)
    why = ErrorInformation(code=DeploymentErrorCode.TIMEOUT, message=reasons.DEPLOYMENT_TIMEOUT.format(seconds=seconds))
    changed = world.store.change(deployment.deployment_id, lambda present: admission.stop(present, now=now, why=why))
    if changed is not None and changed.deployment.status.final:
        after_end(world, changed)
    elif changed is not None:
        _tell_of_stop(world, deployment, now=False)
