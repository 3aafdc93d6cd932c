"""The task that begins a deployment: its targets are chosen and laid out, and its first phase opens. Harmless when
repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice, product
from typing import TypeVar

from celery import shared_task

from domain.deployments import (
    Deployment,
    DeploymentErrorCode,
    DeploymentMode,
    DeploymentStatus,
    ErrorInformation,
    Label,
    TargetRecord,
)
from domain.errors import BalancerRefuses, CannotBegin, InvalidRevision, WorldError
from domain.fleet import Instance, Target
from domain.group_options import LoadBalancerInfo
from domain.groups import DeploymentGroup, Selection
from domain.moves import Change
from domain.work import working_on
from tasks import runtime
from tasks.alarms import why_not_begin
from tasks.leases import alone
from tasks.phases import after_end, change_and_remember, open_phase
from tasks.records import DEPLOYMENTS, PAGE, recent, records_of
from tasks.runtime import World
from tasks.suspending import resume, suspend
from workflows import (
    admission,
    agents,
    balancer_waits,
    group_memory,
    instance_deployments,
    names,
    plan,
    put_off,
    rollback,
    targeting,
)

T = TypeVar("T")


@shared_task(name=names.BEGIN, acks_late=True, ignore_result=True, throws=(WorldError,))
def begin(deployment_id: str) -> None:
    """Resolve the targets of a deployment, lay them out and open its first phase.

    Where the world does not answer, the watch has it begun again.
    """
    world = runtime.current()
    # Two that resolve its targets would mix what they found.
    with alone(world, _lease(deployment_id), world.limits.takeover_seconds) as mine:
        deployment = world.store.deployment(deployment_id) if mine else None
        if deployment is not None and not deployment.status.final:
            with working_on(deployment_id=deployment_id, application=deployment.application_name):
                _begin(world, deployment)


def _lease(deployment_id: str) -> str:
    return f"begin:{deployment_id}"


def _begin(world: World, deployment: Deployment) -> None:
    if deployment.status is DeploymentStatus.QUEUED:
        turn = world.store.change(
            deployment.deployment_id, lambda present: admission.its_turn(present, now=world.now())
        )
        deployment = turn.deployment if turn else deployment
    started = deployment if deployment.phases else _start(world, deployment)
    if started is not None:
        open_phase(world, started)


@dataclass(frozen=True, slots=True)
class _Found:
    """The hosts of a deployment, in pick order; or why they cannot be found."""

    blue: Sequence[Target] = ()
    targets: Sequence[Target] = ()
    zones: Sequence[int] = ()
    matched: int = 0
    takes_over: Selection | None = None
    refusal: ErrorInformation | None = None

    records: Sequence[TargetRecord] = field(init=False)

    def __post_init__(self) -> None:
        every = [*self.blue, *self.targets]
        object.__setattr__(self, "records", [TargetRecord(target=each, index=at) for at, each in enumerate(every)])


def _start(world: World, deployment: Deployment) -> Deployment | None:
    """The deployment InProgress with its targets laid out; None where it ended instead."""
    application = world.store.applications.get(deployment.application_id)
    if application is None:
        # It was admitted while its application was being deleted.
        world.store.forget_deployments(deployment.application_id)
    group = world.store.groups.get(deployment.deployment_group_id)
    with _telling_what_puts_it_off(world, deployment):
        found = _find(world, deployment, group) if group and application else _Found()
        _keep_lease(world, deployment)
        refusal = _why_unfetchable(world, deployment) or found.refusal
    refusal = (
        refusal
        or admission.too_many(len(found.records), world.quotas)
        or _why_no_balancer(world, deployment)
        or why_not_begin(world, deployment)
    )
    if group is not None and refusal is None:
        with _telling_what_puts_it_off(world, deployment):
            refusal = suspend(world, deployment, group)
        deployment = world.store.deployment(deployment.deployment_id) or deployment
    _keep_lease(world, deployment)
    now = world.now()

    def start(present: Deployment) -> Change | None:
        if refusal is not None:
            return admission.cannot_begin(present, refusal, now=now)
        return admission.start(
            present,
            len(found.targets),
            group=group,
            now=now,
            matched=found.matched,
            application=application is not None,
            kinds=world.fleet.kinds,
            environments=world.fleet.environments,
            zones=found.zones,
            blue=len(found.blue),
            takes_over=found.takes_over,
            limits=world.limits,
        )

    if refusal is None and not lay_out(world, deployment, found.records, lease=_lease(deployment.deployment_id)):
        return None
    changed = change_and_remember(world, deployment, start, group_memory.begun)
    if changed is None:
        _undo_suspension(world, deployment.deployment_id)
        return None
    if changed.deployment.status.final:
        after_end(world, changed)
        return None
    return changed.deployment


class _SaidAlready(WorldError):
    """Something does not answer, and the deployment says what."""


@contextmanager
def _telling_what_puts_it_off(world: World, deployment: Deployment) -> Iterator[None]:
    """People hear of what does not answer here; the watch has the deployment begun again."""
    try:
        yield
    except _SaidAlready:
        raise
    except WorldError as error:
        why = error.message
        world.store.change(deployment.deployment_id, lambda present: put_off.put_off(present, why))
        raise


def _undo_suspension(world: World, deployment_id: str) -> None:
    """Whoever ended the deployment meanwhile knew nothing of what was suspended for it."""
    present = world.store.deployment(deployment_id)
    if present is not None and present.status.final:
        resume(world, present)


def _keep_lease(world: World, deployment: Deployment) -> None:
    """Whoever was asked may have taken long to answer; if another has begun meanwhile, it lays out the targets."""
    world.store.claim(_lease(deployment.deployment_id), world.limits.takeover_seconds)


def _find(world: World, deployment: Deployment, group: DeploymentGroup) -> _Found:
    try:
        if deployment.rolls_back:
            return _find_touched(world, deployment, group)
        return _find_green(world, deployment, group) if deployment.blue_green else _find_all(world, deployment, group)
    except CannotBegin as error:
        return _Found(refusal=_refused(error))


def _refused(error: CannotBegin) -> ErrorInformation:
    return ErrorInformation(code=DeploymentErrorCode(error.code), message=error.message)


def _find_touched(world: World, deployment: Deployment, group: DeploymentGroup) -> _Found:
    """The hosts that the deployment that is rolled back has touched, as far as they are there still: in place those
    where something began; blue/green all of blue, and of green those that traffic went to."""
    failed = world.store.deployment(deployment.rolls_back or "")
    if failed is None or not rollback.needed(deployment, failed):
        return _Found(refusal=rollback.not_needed(deployment))
    records = list(records_of(world, failed))
    if deployment.blue_green:
        blue = [record.target for record in records if failed.label(record.index) is Label.BLUE]
        green = [record.target for record in records if failed.label(record.index) is Label.GREEN]
        had_traffic = {record.target.target_id for record in records if rollback.had_traffic(record)}
        gone = world.fleet.gone([*blue, *green])
        return _Found(
            blue=[target for target in blue if target.target_id not in gone],
            targets=[each for each in green if each.target_id in had_traffic and each.target_id not in gone],
            matched=len(records),
        )
    touched = {record.target.target_id for record in records if rollback.was_touched(record)}
    chosen = targeting.choose(world.fleet.instances(group), group)
    targets = in_order(world, deployment, group, [each for each in chosen if each.instance_id in touched])
    return _Found(targets=_those_that_answer_first(world, targets), matched=len(chosen))


def _those_that_answer_first(world: World, targets: Sequence[Target]) -> Sequence[Target]:
    """Hosts whose agents are there before those that would have to be waited for."""
    seen = world.store.seen([names.agent_of(target.queue) for target in targets])
    now = world.now()
    away = [last is None or agents.has_missed_words(last, now) for last in seen]
    return [target for _, target in sorted(zip(away, targets, strict=True), key=lambda pair: pair[0])]


def _find_all(world: World, deployment: Deployment, group: DeploymentGroup) -> _Found:
    chosen = targeting.only(world.fleet.instances(group), group, deployment)
    if unlisted := instance_deployments.awaited(deployment, chosen, now=world.now()):
        raise WorldError(f"{unlisted} was launched and is not listed yet")
    targets = in_order(world, deployment, group, chosen)
    zones: list[int] = []
    if deployment.zonal_config is not None:
        targets, zones = plan.by_zone(targets)
    return _Found(targets=targets, zones=zones, matched=len(chosen))


def _find_green(world: World, deployment: Deployment, group: DeploymentGroup) -> _Found:
    """The hosts that serve, and those of the environment that the request names, if they exist already."""
    serving = targeting.choose(world.fleet.instances(group), group)
    green: list[Instance] = []
    takes_over = None
    if deployment.target_instances is not None:
        takes_over = targeting.green_selection(deployment.target_instances)
        elsewhere = targeting.selecting(group, takes_over)
        green = targeting.choose(world.fleet.instances(elsewhere), elsewhere)
        takes_over = targeting.taken_over(takes_over, green)
    if both := targeting.in_both(serving, green):
        return _Found(refusal=admission.serves_already(both))
    if refusal := _take_out_what_was_left(world, deployment, group, targeting.targets_of(green)):
        return _Found(refusal=refusal)
    # All of green is installed and gets traffic: a host with the revision is no less needed when blue leaves.
    everything = deployment.model_copy(update={"update_outdated_instances_only": False})
    return _Found(
        blue=targeting.targets_of(serving),
        targets=in_order(world, everything, group, green),
        matched=len(green),
        takes_over=takes_over,
    )


def _take_out_what_was_left(
    world: World, deployment: Deployment, group: DeploymentGroup, green: Sequence[Target]
) -> ErrorInformation | None:
    """Green that an earlier deployment let traffic to, and left so when it failed, is out of traffic before it is
    installed on. Why that cannot be; raises WorldError while some of it has not left."""
    left = _left_in_traffic(world, group, green)
    balancers = world.balancers.of(deployment.load_balancer_info or LoadBalancerInfo()) if left else {}
    now = world.now()
    waited = now - (deployment.green_leaves_since or now)
    leaving: list[str] = []
    for target, (name, balancer) in product(left, balancers.items()):
        try:
            standing = balancer.block(target, waited=waited)
        except BalancerRefuses as error:
            return admission.stays_in_traffic(target.target_id, name, error)
        except WorldError as error:
            return _why_wait_no_longer(world, deployment, name, error)
        if not standing.done:
            leaving.append(f"{target.target_id} at {name}" + (f" ({standing.detail})" if standing.detail else ""))
    if deployment.balancer_silence is not None:
        world.store.change(deployment.deployment_id, balancer_waits.answered)
    if not leaving:
        return None
    if deployment.green_leaves_since is None:
        world.store.change(deployment.deployment_id, lambda present: admission.green_leaves(present, now=now))
    raise WorldError(f"green is being taken out of traffic before it is installed on: {'; '.join(leaving)}")


def _left_in_traffic(world: World, group: DeploymentGroup, green: Sequence[Target]) -> list[Target]:
    """Those of green that the latest deployment to move them, of the last ones to the group, left in traffic."""
    unknown, serving = {target.target_id for target in green}, set[str]()
    for earlier in islice(recent(world, group), DEPLOYMENTS):
        if not unknown:
            break
        for record in records_of(world, earlier) if earlier.traffic_control and earlier.phases else ():
            name = record.target.target_id
            if name in unknown and (moved := rollback.is_in_traffic(record)) is not None:
                unknown.discard(name)
                serving.update([name] if moved else [])
    return [target for target in green if target.target_id in serving]


def _why_unfetchable(world: World, deployment: Deployment) -> ErrorInformation | None:
    if deployment.deployment_mode is DeploymentMode.RESTART or deployment.returns_to_blue:
        return None
    try:
        world.sources.check(deployment.revision, now=world.now())
    except InvalidRevision as error:
        return admission.why_unfetchable(error)
    return None


def _why_no_balancer(world: World, deployment: Deployment) -> ErrorInformation | None:
    if not deployment.traffic_control:
        return None
    info = deployment.load_balancer_info or LoadBalancerInfo()
    if not (info.elb_info_list or info.target_group_info_list):
        return admission.NO_BALANCER
    for name, one in balancer_waits.one_by_one(info):
        try:
            world.balancers.check(one)
        except CannotBegin as error:
            return _refused(error)
        except WorldError as error:
            return _why_wait_no_longer(world, deployment, name, error)
    if deployment.balancer_silence is not None:
        world.store.change(deployment.deployment_id, balancer_waits.answered)
    return None


def _why_wait_no_longer(world: World, deployment: Deployment, balancer: str, error: WorldError) -> ErrorInformation:
    """Why a balancer that does not answer ends the deployment. While it may wait, people are told which one it waits
    for, and the error is raised again: the watch has it begun later."""
    now = world.now()
    if why := balancer_waits.given_up(deployment, balancer, error.message, now=now):
        return why
    world.store.change(
        deployment.deployment_id, lambda present: balancer_waits.silent(present, balancer, error.message, now=now)
    )
    raise _SaidAlready(error.message) from error


def in_order(
    world: World, deployment: Deployment, group: DeploymentGroup, chosen: Sequence[Instance]
) -> Sequence[Target]:
    """The instances as targets in pick order."""
    records = world.store.host_records(group.deployment_group_id, [instance.instance_id for instance in chosen])
    return targeting.in_pick_order(chosen, records, group, deployment)


def lay_out(world: World, deployment: Deployment, records: Sequence[TargetRecord], *, lease: str) -> bool:
    """Whether the targets were written, with nobody else taking the lease over on the way."""
    for page in _pages(records):
        if not world.store.claim(lease, world.limits.takeover_seconds):
            return False
        world.store.lay_out(deployment.deployment_id, page)
    return True


def _pages(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[at : at + PAGE] for at in range(0, len(items), PAGE))
