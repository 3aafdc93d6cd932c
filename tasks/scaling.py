"""What Auto Scaling brings about: deployments for the instances it holds, its answer once they have ended, and those
that bring instances level which were launched while a deployment ran.

Each function loads, decides, stores, then acts; each is harmless when repeated and may be cut off anywhere.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence

from domain.deployments import Deployment
from domain.errors import CannotBegin, DeploymentLimitExceeded, WorldError
from domain.groups import DeploymentGroup
from domain.moves import Change
from domain.scaling import ActionResult, LifecycleAction, OpenAction, Transition
from domain.work import working_on
from tasks.admitting import put_in_motion
from tasks.runtime import World
from workflows import admission, instance_deployments, scaling, targeting
from workflows.scaling import Complete, Heartbeat, Revision

logger = logging.getLogger(__name__)

LEASE = 15.0
"""Seconds after which another process takes over from one that died."""
PAGE = 200


def take_action(world: World, action: LifecycleAction) -> None:
    """Start the deployments that an action asks for, and keep it until they have ended. Once this returns, all of that
    is in the store. Raises WorldError where it is to be tried again."""
    if world.store.lifecycle_actions.get(action.token) is not None:
        return
    groups = scaling.groups_of(action, _groups(world))
    made = [_deploy(world, action, group) for group in groups]
    kept = OpenAction(
        action=action,
        groups=tuple(group.deployment_group_id for group in groups),
        deployments=tuple(deployment_id for deployment_id in made if deployment_id),
        heartbeat_at=world.now(),
    )
    world.store.lifecycle_actions.add(action.token, kept)
    if not groups and not action.warm:
        logger.warning("no deployment group knows the hook %s of %s", action.hook, action.auto_scaling_group)


def _groups(world: World) -> Iterator[DeploymentGroup]:
    after = ""
    while names := world.store.groups.names(after=after, limit=PAGE):
        yield from filter(None, world.store.groups.many_named(names))
        after = names[-1]


def _deploy(world: World, action: LifecycleAction, group: DeploymentGroup) -> str | None:
    """The deployment of a group for an action; None where it has nothing to deploy."""
    last = group.last_successful_deployment
    deployment = instance_deployments.admit_instance(
        action,
        application=world.store.applications.get(group.application_id),
        group=group,
        last=world.store.deployment(last.deployment_id) if last else None,
        deployment_id=world.new_id(),
        now=world.now(),
        limits=world.limits,
    )
    if deployment is None:
        return None
    token = instance_deployments.token_of(action, group.deployment_group_id)
    with working_on(application=deployment.application_name, target_id=action.instance_id):
        return _admitted(world, deployment, token=token)


def _admitted(world: World, deployment: Deployment, *, token: str | None) -> str:
    try:
        admitted = world.store.admit(
            deployment,
            token=token,
            # What an instance was launched for and what it is terminated for wait for each other.
            queue=deployment.claims is not None,
            happenings=(admission.started(deployment),),
            most=world.quotas.running_deployments,
        )
    except DeploymentLimitExceeded as error:
        raise WorldError(error.message) from error
    with working_on(deployment_id=admitted.deployment_id):
        logger.info("deployment %s by %s", admitted.deployment_id, deployment.creator)
    put_in_motion(world, admitted)
    return admitted.deployment_id


def look_at_actions(world: World) -> None:
    """Tell Auto Scaling of every action what there is to tell, and bring level what is outdated; one process at a time
    does the looking."""
    if not world.store.claim("scaling", LEASE):
        return
    completed = []
    for opened in _open_actions(world):
        if opened.completed_at is not None:
            completed.append(opened)
            continue
        with working_on(target_id=opened.action.instance_id):
            _look_at(world, opened)
    _look_after(world, completed)


def _open_actions(world: World) -> Iterator[OpenAction]:
    after = ""
    while names := world.store.lifecycle_actions.names(after=after, limit=PAGE):
        world.store.claim("scaling", LEASE)
        yield from filter(None, world.store.lifecycle_actions.many(names))
        after = names[-1]


def _look_at(world: World, opened: OpenAction) -> None:
    deployments = world.store.deployments(opened.deployments)
    word, now = scaling.decide(opened, deployments, now=world.now()), world.now()
    try:
        match word:
            case Complete(result=result):
                _complete(world, opened, result)
            case Heartbeat():
                _beat(world, opened)
    except (WorldError, CannotBegin) as error:
        logger.warning("Auto Scaling is told later: %s", error.message)
        _edit(world, opened, again_at=now + scaling.AGAIN)


def _complete(world: World, opened: OpenAction, result: ActionResult) -> None:
    held = world.scaling().complete(opened.action, result)
    logger.info("%s: %s", result if held else "nothing holds it any more", opened.action.instance_id)
    if result is ActionResult.CONTINUE and opened.action.transition is Transition.LAUNCHING:
        _edit(world, opened, completed_at=world.now())
    else:
        world.store.lifecycle_actions.remove(opened.action.token)


def _beat(world: World, opened: OpenAction) -> None:
    if not world.scaling().heartbeat(opened.action):
        logger.warning("nothing holds %s any more while it is deployed to", opened.action.instance_id)
    _edit(world, opened, heartbeat_at=world.now() + scaling.HEARTBEAT)


def _edit(world: World, opened: OpenAction, **changes: float) -> None:
    world.store.lifecycle_actions.change(opened.action.token, lambda present: present.model_copy(update=changes))


def _look_after(world: World, actions: Sequence[OpenAction]) -> None:
    """Bring level the instances that went on and missed their group's revision; those that are level for a while are
    forgotten."""
    instances: dict[str, list[OpenAction]] = defaultdict(list)
    for opened in actions:
        for group_id in opened.groups:
            instances[group_id].append(opened)
    found: dict[str, list[Revision]] = defaultdict(list)
    for group_id, mine in instances.items():
        standings = _standings(world, group_id, [opened.action.instance_id for opened in mine])
        for opened, standing in zip(mine, standings, strict=True):
            found[opened.action.token].append(standing)
        outdated = [opened for opened, each in zip(mine, standings, strict=True) if each is Revision.OUTDATED]
        if outdated:
            _bring_level(world, group_id, outdated)
    for opened in actions:
        if not scaling.looked_after(opened, found[opened.action.token], now=world.now()):
            world.store.lifecycle_actions.remove(opened.action.token)


def _standings(world: World, group_id: str, instances: Sequence[str]) -> Sequence[Revision]:
    # Who runs is asked first: a deployment tells its group of its end before it ends.
    running = world.store.running(group_id)
    if running is not None:
        _relate(world, world.store.deployment(running))
    group, records = world.store.groups.get(group_id), world.store.host_records(group_id, instances)
    return [scaling.standing(group, record, busy=running is not None) for record in records]


def _bring_level(world: World, group_id: str, actions: Sequence[OpenAction]) -> None:
    """Deploy the group's revision to the instances that are still there. They are tried once."""
    try:
        _update(world, group_id, [opened.action.instance_id for opened in actions])
    except (WorldError, CannotBegin) as error:
        logger.warning("instances that were launched during a deployment are brought level later: %s", error.message)
        return
    for opened in actions:
        world.store.lifecycle_actions.change(opened.action.token, lambda present: _settled(present, group_id))


def _settled(opened: OpenAction, group_id: str) -> OpenAction:
    return opened.model_copy(update={"groups": tuple(each for each in opened.groups if each != group_id)})


def _update(world: World, group_id: str, instances: Sequence[str]) -> None:
    group = world.store.groups.get(group_id)
    last = group.last_successful_deployment if group else None
    root = world.store.deployment(last.deployment_id) if last else None
    if group is None or root is None:
        return
    there = {instance.instance_id for instance in targeting.choose(world.fleet.instances(group), group)}
    update = instance_deployments.admit_update(
        root,
        sorted(there.intersection(instances)),
        application=world.store.applications.get(group.application_id),
        group=group,
        deployment_id=world.new_id(),
        now=world.now(),
        limits=world.limits,
    )
    if update is not None and update.only:
        with working_on(application=update.application_name):
            _admitted(world, update, token=None)
        _relate(world, update)


def _relate(world: World, update: Deployment | None) -> None:
    """Have the root of a deployment name it, if it has one that does not yet."""
    if update is None or update.auto_update_root is None:
        return
    deployment_id = update.deployment_id

    def edit(root: Deployment) -> Change | None:
        if deployment_id in root.auto_updates:
            return None
        return Change(root.model_copy(update={"auto_updates": (*root.auto_updates, deployment_id)}))

    world.store.change(update.auto_update_root, edit)
