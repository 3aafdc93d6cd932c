"""The tasks that move a deployment: next_host, phase_concluded, settle. Each loads, decides, stores, then dispatches;
each is harmless when repeated."""

from __future__ import annotations

import logging
from typing import Any, NoReturn

from celery import Task, shared_task
from celery.exceptions import Ignore

from domain.deployments import TargetRecord
from domain.errors import InvalidRevision, WorldError
from domain.moves import LaneView, Move, Resend, Stale, Step
from domain.reports import HostReport
from domain.work import working_on
from tasks import runtime
from tasks.measuring import count_events
from tasks.orders import write_report
from tasks.phases import conclude
from tasks.runtime import World
from workflows import balancing, canvas, decide, names

logger = logging.getLogger(__name__)


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

    while (made := world.store.advance(deployment_id, phase, lane, choose)) is not None:
        view, move = made
        with working_on(application=view.deployment.application_name):
            if isinstance(move, Step) and move.conclude:
                count_events(world.meter, move.conclude.outcomes)
                logger.info("%s on %s", move.conclude.status, move.conclude.target_id)
                if any(balancing.is_undone(outcome) for outcome in move.conclude.outcomes):
                    world.dispatch.undo_traffic(deployment_id, move.conclude.target_id)
            if not isinstance(move, Step) or move.passes is None:
                _go_on(self, world, view, move, phase=phase, step=step)
                return
        # Passed over: nothing is to be heard of that target, the lane moves again at once.
        step, told = step + 1, None


def _go_on(task: Task[Any, Any], world: World, view: LaneView, move: Move, *, phase: int, step: int) -> None:
    match move:
        case Stale():
            raise Ignore
        case Resend() if view.current:
            began = view.lane.taken_at if view.lane.taken_at is not None else world.now()
            good_for = began + world.limits.pickup_seconds - world.now()
            _send(task, world, view, view.current, phase=phase, step=view.lane.step, good_for=good_for)
        case Step(take=taken) if taken and view.upcoming:
            record = view.upcoming.model_copy(update={"attempt": taken.attempt})
            _send(task, world, view, record, phase=phase, step=step + 1)


def _send(
    task: Task[Any, Any],
    world: World,
    view: LaneView,
    record: TargetRecord,
    *,
    phase: int,
    step: int,
    good_for: float | None = None,
) -> NoReturn:
    if good_for is not None and good_for <= 0:
        # The watch gives the host up or, if nobody could hear it meanwhile, sends it its order.
        raise Ignore
    try:
        report = write_report(world, view.deployment, record, lane=view.lane.number, step=step)
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
        good_for=good_for,
    )
    raise task.replace(chain)


@shared_task(name=names.PHASE_CONCLUDED, acks_late=True, ignore_result=True)
def phase_concluded(_results: object, deployment_id: str, phase: int) -> None:
    """Once every lane of the phase has retired, or its wait is over: open the next phase or write the verdict."""
    _conclude(runtime.current(), deployment_id, phase)


@shared_task(name=names.SETTLE, acks_late=True, ignore_result=True)
def settle(deployment_id: str) -> None:
    """Write the verdict of a deployment that has nothing left to do."""
    _conclude(runtime.current(), deployment_id, None)


def _conclude(world: World, deployment_id: str, phase: int | None) -> None:
    deployment = world.store.deployment(deployment_id)
    if deployment is not None and not deployment.status.final and phase in {None, deployment.phase}:
        conclude(world, deployment)
