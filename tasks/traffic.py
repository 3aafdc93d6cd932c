"""The tasks of BlockTraffic and AllowTraffic: one look at the balancers each, and the next one rescheduled until all of
them are there. Harmless when repeated: what a balancer was told before, it is told again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from celery import Task, shared_task
from celery.exceptions import Ignore

from domain.deployments import Deployment, EventRecord, TargetRecord
from domain.errors import BalancerRefuses, CannotBegin, SlipwayError, WorldError
from domain.group_options import LoadBalancerInfo
from domain.lifecycle import Event
from domain.moves import Heard
from domain.ports import LoadBalancer
from domain.reports import EventFinished, EventStarted, EventStatus, HostOrder, HostReport, LogLines, Outcome
from domain.traffic import Standing
from domain.work import working_on
from tasks import runtime
from tasks.reported import Reported
from tasks.runtime import World
from workflows import balancing, names

logger = logging.getLogger(__name__)


@shared_task(
    name=names.event_task(Event.BLOCK_TRAFFIC), bind=True, acks_late=True, ignore_result=True, max_retries=None
)
def block_traffic(self: Task[Any, Any], report: dict[str, Any]) -> Reported:
    """Take a host out of traffic; done once no request is on its way to it."""
    return _carry_out(self, Event.BLOCK_TRAFFIC, HostReport.model_validate(report))


@shared_task(
    name=names.event_task(Event.ALLOW_TRAFFIC), bind=True, acks_late=True, ignore_result=True, max_retries=None
)
def allow_traffic(self: Task[Any, Any], report: dict[str, Any]) -> Reported:
    """Let a host back into traffic; done once the balancers found it healthy."""
    return _carry_out(self, Event.ALLOW_TRAFFIC, HostReport.model_validate(report))


def _carry_out(task: Task[Any, Any], event: Event, report: HostReport) -> Reported:
    order = report.order
    with working_on(
        deployment_id=order.deployment_id, application=order.application_name, target_id=order.target_id, event=event
    ):
        if report.halted:
            return Reported(report.plus(Outcome(event=event, status=EventStatus.SKIPPED)))
        outcome = look(runtime.current(), event, order)
        if isinstance(outcome, balancing.LookAgain):
            _look_later(task, runtime.current(), outcome.seconds)
        return Reported(report.plus(outcome))


def _look_later(task: Task[Any, Any], world: World, seconds: float) -> NoReturn:
    # The message's own life begins anew: its first one was for being taken up.
    expires = world.limits.pickup_seconds + seconds
    raise task.retry(countdown=seconds, expires=expires)


def look(world: World, event: Event, order: HostOrder) -> Outcome | balancing.LookAgain:
    """One look at the balancers: how the event ended, or when to look again. Raises Ignore for an attempt that is not
    the target's present one."""
    deployment = world.store.deployment(order.deployment_id)
    record = world.store.target(order.deployment_id, order.target_id)
    if deployment is None or record is None or record.attempt != order.attempt or record.status.final:
        raise Ignore("out of date")
    held = record.events.get(event)
    known = balancing.outcome_on_record(event, held)
    if known is not None:
        return known
    if deployment.stopping and held is None:
        return _ended(world, order, Outcome(event=event, status=EventStatus.SKIPPED))
    return _look(world, event, order, deployment, record, held)


def _look(
    world: World, event: Event, order: HostOrder, deployment: Deployment, record: TargetRecord, held: EventRecord | None
) -> Outcome | balancing.LookAgain:
    now = world.now()
    began = held.start_time if held and held.start_time else now
    step = _STEPS[event]
    try:
        balancers = world.balancers.of(deployment.load_balancer_info or LoadBalancerInfo())
        if held is None:
            _tell_start(world, event, order, began, tuple(balancers))
        standings = {name: _standing(step, balancer, record, now - began) for name, balancer in balancers.items()}
    except (BalancerRefuses, CannotBegin) as error:
        return _ended(world, order, balancing.failed(event, error.message, began=began, now=now))
    verdict = balancing.judge(event, standings, began=began, now=now, limit=order.event_limit, deployment=deployment)
    if isinstance(verdict, balancing.LookAgain):
        _tell_waiting(world, event, order, began, now + verdict.seconds)
        return verdict
    if verdict.status is EventStatus.FAILED and event is Event.ALLOW_TRAFFIC:
        _withdraw(balancers.values(), record)
    return _ended(world, order, verdict)


Step = Callable[[LoadBalancer, TargetRecord, float], Standing]


def _standing(step: Step, balancer: LoadBalancer, record: TargetRecord, waited: float) -> Standing:
    """What a balancer says; one that does not answer is asked again, until the event's time has passed."""
    try:
        return step(balancer, record, waited)
    except WorldError as error:
        logger.warning("a balancer is asked again: %s", error.message)
        return Standing(done=False, detail=error.message)


def _block(balancer: LoadBalancer, record: TargetRecord, waited: float) -> Standing:
    return balancer.block(record.target, waited=waited)


def _allow(balancer: LoadBalancer, record: TargetRecord, waited: float) -> Standing:
    return balancer.allow(record.target, waited=waited)


_STEPS: dict[Event, Step] = {Event.BLOCK_TRAFFIC: _block, Event.ALLOW_TRAFFIC: _allow}


def _withdraw(balancers: Iterable[LoadBalancer], record: TargetRecord) -> None:
    """A host that was never found healthy must not get traffic later, when nobody looks any more."""
    for balancer in balancers:
        try:
            balancer.block(record.target, waited=0.0)
        except SlipwayError as error:
            logger.warning("a balancer may still try %s: %s", record.target.target_id, error.message)


def _tell_start(world: World, event: Event, order: HostOrder, began: float, balancers: tuple[str, ...]) -> None:
    words = {Event.BLOCK_TRAFFIC: "out of traffic at", Event.ALLOW_TRAFFIC: "into traffic at"}[event]
    line = f"{order.target_id} {words} {', '.join(balancers)}"
    ids = {"deployment_id": order.deployment_id, "target_id": order.target_id, "attempt": order.attempt}
    told = EventStarted(event=event, at=began, limit=order.event_limit, **ids)
    log = LogLines(event=event, first=0, lines=(line,), **ids)
    world.store.record([Heard(told, began + world.limits.nudge_seconds), Heard(log)])


def _tell_waiting(world: World, event: Event, order: HostOrder, began: float, again_at: float) -> None:
    """Told again, so that the watch knows that somebody looks."""
    told = EventStarted(
        deployment_id=order.deployment_id,
        target_id=order.target_id,
        attempt=order.attempt,
        event=event,
        at=began,
        limit=order.event_limit,
    )
    world.store.record([Heard(told, again_at + world.limits.nudge_seconds)])


def _ended(world: World, order: HostOrder, outcome: Outcome) -> Outcome:
    """The outcome, kept."""
    finished = EventFinished(
        deployment_id=order.deployment_id, target_id=order.target_id, attempt=order.attempt, outcome=outcome
    )
    world.store.record([Heard(finished, world.now() + world.limits.nudge_seconds)])
    logger.info("%s %s", outcome.event, outcome.status)
    return outcome
