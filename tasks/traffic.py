"""The tasks of BlockTraffic and AllowTraffic: one look at the balancers each, and the next one rescheduled until all of
them are there. Harmless when repeated: what a balancer was told before, it is told again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from celery import Task, shared_task
from celery.exceptions import Ignore

from domain.deployments import Deployment, TargetRecord
from domain.errors import BalancerRefuses, CannotBegin, SlipwayError, WorldError
from domain.group_options import LoadBalancerInfo
from domain.lifecycle import Event
from domain.moves import Heard
from domain.ports import LoadBalancer
from domain.reports import EventFinished, EventStarted, EventStatus, HostOrder, HostReport, LogLines, Outcome
from domain.traffic import Standing
from domain.work import working_on
from tasks import runtime
from tasks.leases import alone
from tasks.reported import Reported
from tasks.runtime import World
from workflows import balancing, canvas, names

logger = logging.getLogger(__name__)


@shared_task(
    name=names.event_task(Event.BLOCK_TRAFFIC), bind=True, acks_late=True, ignore_result=True, max_retries=None
)
def block_traffic(self: Task[Any, Any], report: dict[str, Any], said: str = "") -> Reported:
    """Take a host out of traffic; done once no request is on its way to it. `said` is what the balancers said at the
    look before, and told then."""
    return _carry_out(self, Event.BLOCK_TRAFFIC, HostReport.model_validate(report), said)


@shared_task(
    name=names.event_task(Event.ALLOW_TRAFFIC), bind=True, acks_late=True, ignore_result=True, max_retries=None
)
def allow_traffic(self: Task[Any, Any], report: dict[str, Any], said: str = "") -> Reported:
    """Let a host back into traffic; done once the balancers found it healthy."""
    return _carry_out(self, Event.ALLOW_TRAFFIC, HostReport.model_validate(report), said)


def _carry_out(task: Task[Any, Any], event: Event, report: HostReport, said: str) -> Reported:
    order = report.order
    with working_on(
        deployment_id=order.deployment_id, application=order.application_name, target_id=order.target_id, event=event
    ):
        if report.halted:
            return Reported(report.plus(Outcome(event=event, status=EventStatus.SKIPPED)))
        world = runtime.current()
        # A message that came twice makes no second row of looks: whoever finds another at it ends there.
        with alone(world, f"traffic:{order.deployment_id}:{order.target_id}", world.limits.takeover_seconds) as mine:
            if not mine:
                raise Ignore("another look is under way")
            outcome = look(world, event, order, said)
        if isinstance(outcome, balancing.LookAgain):
            _look_later(task, world, order, outcome)
        return Reported(report.plus(outcome))


def _look_later(task: Task[Any, Any], world: World, order: HostOrder, looked: balancing.LookAgain) -> NoReturn:
    # The message's own life begins anew: its first one was for being taken up.
    expires = world.limits.pickup_seconds + looked.seconds
    again: Any = task.retry
    # Without its words Flower and the logs would show the whole report.
    shown = {"argsrepr": canvas.about_host(order), "kwargsrepr": ""}
    raise again(kwargs={"said": looked.said}, countdown=looked.seconds, expires=expires, **shown)


def look(world: World, event: Event, order: HostOrder, said: str = "") -> Outcome | balancing.LookAgain:
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
    outcome, lines = _look(world, event, order, deployment, record, said)
    if isinstance(outcome, balancing.LookAgain):
        return outcome
    kept = _ended(world, order, outcome, *lines)
    if kept.status is EventStatus.FAILED:
        _undo(world, event, deployment, record)
    return kept


def _look(
    world: World, event: Event, order: HostOrder, deployment: Deployment, record: TargetRecord, said: str
) -> tuple[Outcome | balancing.LookAgain, list[Heard]]:
    """What a look comes to, and what is still to be told of one that was the last."""
    now, held = world.now(), record.events.get(event)
    began = held.start_time if held and held.start_time else now
    try:
        balancers = world.balancers.of(deployment.load_balancer_info or LoadBalancerInfo())
        if held is None:
            _tell_start(world, event, order, began, tuple(balancers))
        standings = {
            name: _standing(_STEPS[event], balancer, record, now - began) for name, balancer in balancers.items()
        }
    except (BalancerRefuses, CannotBegin) as error:
        return balancing.failed(event, error.message, began=began, now=now), []
    verdict = balancing.judge(event, standings, began=began, now=now, limit=order.event_limit, deployment=deployment)
    words = balancing.words(standings)
    news = [_line(event, order, words, balancing.line_number(began, now))] if words != said else []
    if isinstance(verdict, balancing.LookAgain):
        _tell_waiting(world, event, order, began, now + verdict.seconds, news)
        return verdict, []
    # Why it failed is in its diagnostics.
    return verdict, news if verdict.status is EventStatus.SUCCEEDED else []


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
_UNDONE_BY: dict[Event, Step] = {Event.BLOCK_TRAFFIC: _allow, Event.ALLOW_TRAFFIC: _block}
"""A host that was not found healthy must not get traffic later, when nobody looks any more; one that was not let go was
not touched either, and serves on."""


def _undo(world: World, event: Event, deployment: Deployment, record: TargetRecord) -> bool:
    """One step at every balancer back to where the host was before a traffic event failed; whether all are there."""
    done = True
    try:
        balancers = world.balancers.of(deployment.load_balancer_info or LoadBalancerInfo())
    except CannotBegin as error:
        logger.warning("%s is left as it is: %s", record.target.target_id, error.message)
        return True
    for name, balancer in balancers.items():
        try:
            done = _UNDONE_BY[event](balancer, record, 0.0).done and done
        except WorldError as error:
            logger.warning("%s is asked again for %s: %s", name, record.target.target_id, error.message)
            done = False
        except SlipwayError as error:
            logger.warning("%s leaves %s as it is: %s", name, record.target.target_id, error.message)
    return done


@shared_task(name=names.UNDO_TRAFFIC, bind=True, acks_late=True, ignore_result=True, max_retries=None)
def undo_traffic(self: Task[Any, Any], deployment_id: str, target_id: str) -> None:
    """Bring a host whose traffic event failed back to where it was at its balancers; tried for as long as an event may
    take, and while no other deployment has the group."""
    world = runtime.current()
    deployment = world.store.deployment(deployment_id)
    record = world.store.target(deployment_id, target_id)
    event = balancing.to_undo(record) if record else None
    if deployment is None or record is None or event is None or _taken_over(world, deployment):
        return
    since = record.events[event].end_time or world.now()
    with working_on(deployment_id=deployment_id, target_id=target_id):
        if not _undo(world, event, deployment, record) and world.now() - since < deployment.event_seconds:
            seconds = balancing.next_look(world.now() - since)
            about = f"{deployment_id} {target_id}"
            again: Any = self.retry
            raise again(countdown=seconds, argsrepr=about, kwargsrepr="")


def _taken_over(world: World, deployment: Deployment) -> bool:
    """Another deployment has the group by now: what it does with the host counts."""
    return world.store.running(deployment.claimed) not in {None, deployment.deployment_id}


def _tell_start(world: World, event: Event, order: HostOrder, began: float, balancers: tuple[str, ...]) -> None:
    words = {Event.BLOCK_TRAFFIC: "out of traffic at", Event.ALLOW_TRAFFIC: "into traffic at"}[event]
    line = _line(event, order, f"{order.target_id} {words} {', '.join(balancers)}", 0)
    ids = {"deployment_id": order.deployment_id, "target_id": order.target_id, "attempt": order.attempt}
    told = EventStarted(event=event, at=began, limit=order.event_limit, **ids)
    world.store.record([Heard(told, began + world.limits.nudge_seconds), line])


def _line(event: Event, order: HostOrder, text: str, number: int) -> Heard:
    """A line of the event's log, as hooks have theirs."""
    ids = {"deployment_id": order.deployment_id, "target_id": order.target_id, "attempt": order.attempt}
    return Heard(LogLines(event=event, first=number, lines=(text,), **ids))


def _tell_waiting(
    world: World, event: Event, order: HostOrder, began: float, again_at: float, news: Sequence[Heard]
) -> None:
    """Told again, so that the watch knows that somebody looks, and what the balancers say if that is news."""
    told = EventStarted(
        deployment_id=order.deployment_id,
        target_id=order.target_id,
        attempt=order.attempt,
        event=event,
        at=began,
        limit=order.event_limit,
    )
    world.store.record([Heard(told, again_at + world.limits.nudge_seconds), *news])


def _ended(world: World, order: HostOrder, outcome: Outcome, *lines: Heard) -> Outcome:
    """The outcome that is kept, behind the last lines of its log: this one, or another that came first."""
    finished = EventFinished(
        deployment_id=order.deployment_id, target_id=order.target_id, attempt=order.attempt, outcome=outcome
    )
    world.store.record([*lines, Heard(finished, world.now() + world.limits.nudge_seconds)])
    record = world.store.target(order.deployment_id, order.target_id)
    kept = balancing.outcome_on_record(outcome.event, record.events.get(outcome.event)) if record else None
    logger.info("%s %s", outcome.event, (kept or outcome).status)
    return kept or outcome
