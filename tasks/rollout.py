"""The tasks that move a deployment: begin, next_host, phase_concluded, settle. Each loads, decides, stores, then
dispatches; each is harmless when repeated."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from celery import Task, shared_task
from celery.exceptions import Ignore

from domain import reasons
from domain.deployments import (
    Deployment,
    DeploymentErrorCode,
    DeploymentMode,
    ErrorInformation,
    Progress,
    TargetRecord,
)
from domain.errors import CannotBegin, InvalidRevision, WorldError
from domain.fleet import Instance, Target
from domain.groups import DeploymentGroup
from domain.moves import Change, Changed, LaneView, Move, Resend, Stale, Step
from domain.reports import HostReport
from domain.work import working_on
from tasks import runtime
from tasks.measuring import count_end, count_events
from tasks.orders import write_report
from tasks.runtime import World
from workflows import admission, canvas, decide, group_memory, instance_deployments, names, targeting

logger = logging.getLogger(__name__)

T = TypeVar("T")

PAGE = 200
"""Target records written in one round trip."""
BEGIN_LEASE = 10.0
"""Seconds in which a second `begin` of the same deployment leaves it to the first, which renews it at every page."""

_beginning: set[str] = set()
_beginning_lock = threading.Lock()


@shared_task(name=names.BEGIN, acks_late=True, ignore_result=True, throws=(WorldError,))
def begin(deployment_id: str) -> None:
    """Resolve the targets of a deployment, lay them out and open its first phase.

    Where the world does not answer, the watch has it begun again.
    """
    world = runtime.current()
    with _alone(world, deployment_id) as alone:
        deployment = world.store.deployment(deployment_id) if alone else None
        if deployment is not None and not deployment.status.final:
            with working_on(deployment_id=deployment_id, application=deployment.application_name):
                _begin(world, deployment)


@contextmanager
def _alone(world: World, deployment_id: str) -> Iterator[bool]:
    """Whether no other `begin` is at work on the deployment: two that resolve its targets would mix what they found.

    The lease is the process's, so its threads agree among themselves.
    """
    with _beginning_lock:
        first = deployment_id not in _beginning
        _beginning.add(deployment_id)
    try:
        yield first and _keep_lease(world, deployment_id)
    finally:
        if first:
            _beginning.discard(deployment_id)


def _keep_lease(world: World, deployment_id: str) -> bool:
    return world.store.claim(f"begin:{deployment_id}", BEGIN_LEASE)


def _begin(world: World, deployment: Deployment) -> None:
    if not deployment.phases:
        started = _start(world, deployment)
        if started is None:
            return
        deployment = started
    open_phase(world, deployment)


def _start(world: World, deployment: Deployment) -> Deployment | None:
    """The deployment InProgress with its targets laid out; None where it ended instead."""
    application = world.store.applications.get(deployment.application_id)
    if application is None:
        # It was admitted while its application was being deleted.
        world.store.forget_deployments(deployment.application_id)
    group = world.store.groups.get(deployment.deployment_group_id)
    chosen, refusal = _choose(world, group if application else None, deployment)
    targets = _in_order(world, deployment, group, chosen) if group else ()
    now, refusal = world.now(), _why_unfetchable(world, deployment) or refusal
    refusal = refusal or admission.too_many(len(targets), world.quotas)

    def start(present: Deployment) -> Change | None:
        if refusal is not None:
            return admission.cannot_begin(present, refusal, now=now)
        return admission.start(
            present,
            len(targets),
            group=group,
            now=now,
            matched=len(chosen),
            application=application is not None,
            kinds=world.fleet.kinds,
        )

    if refusal is None and not _lay_out(world, deployment, targets):
        return None
    changed = _change_and_remember(world, deployment, start, group_memory.begun)
    if changed is not None and changed.deployment.status.final:
        after_end(world, changed)
        return None
    return changed.deployment if changed else None


def _choose(
    world: World, group: DeploymentGroup | None, deployment: Deployment
) -> tuple[Sequence[Instance], ErrorInformation | None]:
    """The hosts that the deployment is for, or why they cannot be found."""
    if group is None:
        return (), None
    try:
        chosen = targeting.only(world.fleet.instances(group), group, deployment)
        if unlisted := instance_deployments.awaited(deployment, chosen, now=world.now()):
            raise WorldError(f"{unlisted} was launched and is not listed yet")
        return chosen, None
    except CannotBegin as error:
        return (), ErrorInformation(code=DeploymentErrorCode(error.code), message=error.message)


def _why_unfetchable(world: World, deployment: Deployment) -> ErrorInformation | None:
    if deployment.deployment_mode is DeploymentMode.RESTART:
        return None
    try:
        world.sources.source_of(deployment.revision, now=world.now())
    except InvalidRevision as error:
        return admission.why_unfetchable(error)
    return None


def _in_order(
    world: World, deployment: Deployment, group: DeploymentGroup, chosen: Sequence[Instance]
) -> Sequence[Target]:
    records = world.store.host_records(group.deployment_group_id, [instance.instance_id for instance in chosen])
    return targeting.in_pick_order(chosen, records, group, deployment)


def _lay_out(world: World, deployment: Deployment, targets: Sequence[Target]) -> bool:
    """Whether the targets were written, with no other `begin` taking over on the way."""
    for page in _pages([TargetRecord(target=target, index=index) for index, target in enumerate(targets)]):
        if not _keep_lease(world, deployment.deployment_id):
            return False
        world.store.lay_out(deployment.deployment_id, page)
    return True


def _change_and_remember(
    world: World,
    deployment: Deployment,
    edit: Callable[[Deployment], Change | None],
    memory: Callable[[DeploymentGroup, Deployment], DeploymentGroup],
) -> Changed | None:
    """Write a change of a deployment, and before it what the group remembers of that: a crash between the two repeats
    this and loses nothing."""
    ahead = edit(deployment)
    if ahead is None:
        return None
    world.store.groups.change(deployment.deployment_group_id, lambda group: memory(group, ahead.deployment))
    return world.store.change(deployment.deployment_id, edit)


def open_phase(world: World, deployment: Deployment) -> None:
    """Start the counters of the deployment's current phase and send its lanes; nothing if they were sent already."""
    phase = deployment.phases[deployment.phase]
    if world.store.progress(deployment.deployment_id, deployment.phase) is not None:
        return
    world.store.open_phase(
        deployment.deployment_id,
        deployment.phase,
        Progress(total=phase.count, lanes=phase.lanes),
        check_at=world.now() + world.limits.nudge_seconds,
    )
    world.dispatch.open_lanes(deployment, deployment.phase)


@shared_task(name=names.NEXT_HOST, bind=True, acks_late=True, ignore_result=True)
def next_host(
    self: Task[Any, Any], report: dict[str, Any] | None, deployment_id: str, phase: int, lane: int, step: int
) -> None:
    """Conclude the host a lane worked on and give the lane its next one; a lane that ends here counts for its chord."""
    world = runtime.current()
    told = HostReport.model_validate(report) if report else None
    now, attempt = world.now(), world.token()
    redelivered = bool((self.request.delivery_info or {}).get("redelivered"))

    def choose(view: LaneView) -> Move:
        return decide.next_move(
            view, step=step, report=told, now=now, attempt=attempt, limits=world.limits, redelivered=redelivered
        )

    made = world.store.advance(deployment_id, phase, lane, choose)
    if made is None:
        return
    view, move = made
    with working_on(application=view.deployment.application_name):
        if isinstance(move, Step) and move.conclude:
            count_events(world.meter, move.conclude.outcomes)
            logger.info("%s on %s", move.conclude.status, move.conclude.target_id)
        _go_on(self, world, view, move, phase=phase, step=step)


def _go_on(task: Task[Any, Any], world: World, view: LaneView, move: Move, *, phase: int, step: int) -> None:
    match move:
        case Stale():
            raise Ignore
        case Resend() if view.current:
            _send(task, world, view, view.current, phase=phase, step=view.lane.step)
        case Step(take=taken) if taken and view.upcoming:
            record = view.upcoming.model_copy(update={"attempt": taken.attempt})
            _send(task, world, view, record, phase=phase, step=step + 1)


def _send(
    task: Task[Any, Any], world: World, view: LaneView, record: TargetRecord, *, phase: int, step: int
) -> NoReturn:
    try:
        report = write_report(world, view.deployment, record, phase=phase, lane=view.lane.number, step=step)
    except (InvalidRevision, WorldError) as error:
        # The step is written, and an error here would break the chord: the watch sends the host its order, or ends it.
        logger.warning("%s gets no link to its revision yet: %s", record.target.target_id, error.message)
        raise Ignore from None
    chain = canvas.host_chain(
        report,
        view.deployment.phases[phase].events,
        queue=record.target.queue,
        phase=phase,
        pickup_seconds=world.limits.pickup_seconds,
    )
    raise task.replace(chain)


@shared_task(name=names.PHASE_CONCLUDED, acks_late=True, ignore_result=True)
def phase_concluded(_results: object, deployment_id: str, phase: int) -> None:
    """Once every lane of the phase has retired: open the next phase or settle."""
    world = runtime.current()
    deployment = world.store.deployment(deployment_id)
    progress = world.store.progress(deployment_id, phase)
    if deployment is None or progress is None or not progress.concluded:
        return
    if deployment.phase == phase and not deployment.status.final:
        settle_now(world, deployment)


@shared_task(name=names.SETTLE, acks_late=True, ignore_result=True)
def settle(deployment_id: str) -> None:
    """Write the verdict of a deployment that has nothing left to do."""
    world = runtime.current()
    deployment = world.store.deployment(deployment_id)
    if deployment is not None and not deployment.status.final:
        settle_now(world, deployment)


def settle_now(world: World, deployment: Deployment) -> None:
    """Write the verdict, tell the group of it, and start whoever waits."""
    with working_on(deployment_id=deployment.deployment_id, application=deployment.application_name):
        _settle_now(world, deployment)


def _settle_now(world: World, deployment: Deployment) -> None:
    progress = world.store.progress(deployment.deployment_id, deployment.phase)
    first = world.store.targets(deployment.deployment_id, first=0, count=PAGE)
    now = world.now()
    stopping = _stop_in_time(world, deployment)

    def verdict(present: Deployment) -> Change | None:
        # A stop that comes from here on is too late: the group is told of the verdict before it is written.
        as_decided = present.model_copy(update={"stopping": stopping})
        return decide.settle(as_decided, progress or Progress(), now=now, sample=first)

    changed = _change_and_remember(world, deployment, verdict, group_memory.ended)
    if changed is not None:
        after_end(world, changed)


def _stop_in_time(world: World, deployment: Deployment) -> ErrorInformation | None:
    """Why the deployment is to end early, unless its group was told of its success before that was asked for."""
    if deployment.stopping is None:
        return None
    group = world.store.groups.get(deployment.deployment_group_id)
    return None if group and group_memory.knows_success(group, deployment) else deployment.stopping


def after_end(world: World, changed: Changed) -> None:
    """What follows the end of a deployment: its event is told and the next in the queue begins."""
    _log_end(changed.deployment)
    count_end(world.meter, changed.deployment)
    world.dispatch.announce()
    if changed.freed is not None:
        world.dispatch.begin(changed.freed)


def _log_end(deployment: Deployment) -> None:
    why = deployment.error_information
    detail = f": {why.code}, {why.message}" if why else ""
    with working_on(deployment_id=deployment.deployment_id, application=deployment.application_name):
        logger.info("deployment %s ended as %s%s", deployment.deployment_id, deployment.status, detail)


def stop(world: World, deployment_id: str, *, now: bool = False) -> Deployment:
    """Ask a deployment to stop: nothing new starts, hosts skip the events they have not begun; with `now` the scripts
    that run are ended too.

    Raises DeploymentDoesNotExist or DeploymentAlreadyCompleted.
    """
    at = world.now()
    changed = world.store.change(deployment_id, lambda present: admission.stop(present, now=at, cut=now))
    present = changed.deployment if changed else world.store.deployment(deployment_id)
    if present is None or (changed is None and present.status.final):
        raise admission.not_stoppable(deployment_id, present)
    if changed is not None and present.status.final:
        after_end(world, changed)
    else:
        world.dispatch.stop_hosts(deployment_id, now=now)
    return present


def _pages(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[at : at + PAGE] for at in range(0, len(items), PAGE))


def expire(world: World, deployment: Deployment) -> None:
    """End a deployment that ran too long: what runs may finish its event, nothing new starts."""
    now = world.now()
    seconds = world.limits.deployment_seconds
    why = ErrorInformation(code=DeploymentErrorCode.TIMEOUT, message=reasons.DEPLOYMENT_TIMEOUT.format(seconds=seconds))
    if world.store.change(deployment.deployment_id, lambda present: admission.stop(present, now=now, why=why)):
        world.dispatch.stop_hosts(deployment.deployment_id, now=False)
