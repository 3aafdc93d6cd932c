"""The watch: finds work that has gone silent and puts it in motion again from the store.

It owns nothing; any number may run, one at a time does the looking.
"""

from __future__ import annotations

import logging

from domain.deployments import Deployment, DeploymentStatus, Lane, TargetRecord
from domain.errors import InvalidRevision, WorldError
from domain.fleet import AgentSeen
from domain.moves import Due
from domain.reports import HostReport, Outcome
from domain.work import working_on
from tasks.announce import tell_outbox
from tasks.orders import write_report
from tasks.rollout import expire
from tasks.runtime import World
from workflows import names, timeouts
from workflows.timeouts import Continue, Nudge, Reap, StartLane, Wait, Withdraw

logger = logging.getLogger(__name__)

LEASE = 15.0
"""Seconds after which another watch takes over from one that died."""
PAGE = 200


def look_at_lanes(world: World, *, listening_since: float) -> int:
    """Look at every lane whose time has come; how many there were."""
    looked = 0
    while due := world.store.due(world.now(), limit=PAGE):
        for lane in due:
            _look_safely(world, lane, listening_since)
        looked += len(due)
        if len(due) < PAGE:
            break
    return looked


def _look_safely(world: World, due: Due, listening_since: float) -> None:
    with working_on(deployment_id=due.deployment_id):
        try:
            _look(world, due, listening_since)
        except WorldError:
            raise
        except Exception:
            # One lane that meets a bug must not keep the watch from all others.
            logger.exception("lane %d of deployment %s cannot be looked at", due.lane, due.deployment_id)
            world.store.postpone(due, world.now() + world.limits.look_seconds)


def _look(world: World, due: Due, listening_since: float) -> None:
    now = world.now()
    deployment = world.store.deployment(due.deployment_id)
    if deployment is None or deployment.status.final:
        world.store.postpone(due, now + world.limits.deployment_seconds)
        return
    lane = world.store.lane(due.deployment_id, due.phase, due.lane)
    record = world.store.target(due.deployment_id, lane.target_id) if lane.target_id else None
    seen = world.store.seen([names.agent_of(record.target.queue)])[0] if record else None
    verdict = _judge(world, deployment, due.phase, lane, record, seen, listening_since, now)
    with working_on(application=deployment.application_name, target_id=lane.target_id):
        _log_given_up(verdict)
        _act(world, deployment, due, lane, record, verdict, now, ahead=seen.ahead if seen else 0.0)


def _log_given_up(verdict: timeouts.Verdict) -> None:
    if isinstance(verdict, Reap) and (lost := verdict.outcomes[-1]).diagnostics:
        with working_on(event=lost.event):
            logger.warning("%s is given up: %s", lost.event, lost.diagnostics.message)


def _judge(
    world: World,
    deployment: Deployment,
    phase: int,
    lane: Lane,
    record: TargetRecord | None,
    seen: AgentSeen | None,
    listening_since: float,
    now: float,
) -> timeouts.Verdict:
    return timeouts.judge(
        deployment,
        deployment.phases[phase].events,
        lane,
        record,
        agent_seen=seen,
        control_since=listening_since,
        now=now,
        limits=world.limits,
    )


def _act(
    world: World,
    deployment: Deployment,
    due: Due,
    lane: Lane,
    record: TargetRecord | None,
    verdict: timeouts.Verdict,
    now: float,
    *,
    ahead: float,
) -> None:
    match verdict:
        case Wait(until=until):
            world.store.postpone(due, until)
        case StartLane():
            world.store.postpone(due, now + world.limits.nudge_seconds)
            world.dispatch.continue_lane(deployment, due.phase, lane, None)
        case Nudge(until=until) if record:
            world.store.postpone(due, until)
            # What waits in the host's queue is not lost: copies of it would only make the queue longer.
            if not world.dispatch.waiting(record.target.queue):
                _nudge(world, deployment, due, lane, record, now, ahead=ahead)
        case Withdraw(outcomes=outcomes) if record:
            world.store.postpone(due, now + world.limits.nudge_seconds)
            world.dispatch.withdraw(record.target.queue)
            report = _report(world, deployment, due, lane, record, outcomes)
            world.dispatch.continue_lane(deployment, due.phase, lane, report)
        case Continue(outcomes=outcomes) | Reap(outcomes=outcomes) if record:
            world.store.postpone(due, now + world.limits.nudge_seconds)
            report = _report(world, deployment, due, lane, record, outcomes)
            world.dispatch.continue_lane(deployment, due.phase, lane, report)


def _nudge(
    world: World, deployment: Deployment, due: Due, lane: Lane, record: TargetRecord, now: float, *, ahead: float
) -> None:
    try:
        report = _report(world, deployment, due, lane, record)
    except InvalidRevision as error:
        outcomes = timeouts.unfetchable(deployment.phases[due.phase].events, record, error.message, now=now)
        world.dispatch.continue_lane(
            deployment, due.phase, lane, _report(world, deployment, due, lane, record, outcomes)
        )
    else:
        world.dispatch.run_host(deployment, due.phase, lane, report, record.target.queue, ahead=ahead)


def _report(
    world: World,
    deployment: Deployment,
    due: Due,
    lane: Lane,
    record: TargetRecord,
    outcomes: tuple[Outcome, ...] | None = None,
) -> HostReport:
    known = tuple(
        timeouts.outcome_of(event, held)
        for event in deployment.phases[due.phase].events
        if (held := record.events.get(event)) and held.status.final
    )
    return write_report(
        world,
        deployment,
        record,
        phase=due.phase,
        lane=lane.number,
        step=lane.step,
        outcomes=known if outcomes is None else outcomes,
        link=outcomes is None,
    )


def look_at_deployments(world: World) -> None:
    """Find deployments that stand still as a whole: never begun, concluded but not settled, or over their time."""
    after = ""
    while ids := world.store.active(after=after, limit=PAGE):
        for deployment in world.store.deployments(ids):
            if deployment is not None:
                _look_at_deployment_safely(world, deployment)
        after = ids[-1]


def _look_at_deployment_safely(world: World, deployment: Deployment) -> None:
    with working_on(deployment_id=deployment.deployment_id, application=deployment.application_name):
        try:
            _look_at_deployment(world, deployment)
        except WorldError:
            raise
        except Exception:
            logger.exception("deployment %s cannot be looked at", deployment.deployment_id)


def _look_at_deployment(world: World, deployment: Deployment) -> None:
    now = world.now()
    stale = now - deployment.create_time > world.limits.nudge_seconds
    match deployment.status:
        case DeploymentStatus.CREATED if stale:
            world.dispatch.begin(deployment.deployment_id)
        case DeploymentStatus.QUEUED if world.store.running(deployment.deployment_group_id) == deployment.deployment_id:
            world.dispatch.begin(deployment.deployment_id)
        case DeploymentStatus.IN_PROGRESS:
            _look_at_phase(world, deployment, now)


def _look_at_phase(world: World, deployment: Deployment, now: float) -> None:
    progress = world.store.progress(deployment.deployment_id, deployment.phase)
    if progress is None:
        world.dispatch.begin(deployment.deployment_id)
    elif progress.concluded:
        world.dispatch.conclude(deployment.deployment_id, deployment.phase)
    elif deployment.stopping:
        # Again and again, for agents that were away when it was said first.
        world.dispatch.stop_hosts(deployment.deployment_id, now=deployment.cutting)
    elif timeouts.deployment_expired(deployment, now, world.limits):
        expire(world, deployment)


def round_of_watch(world: World, *, listening_since: float, deployments_too: bool) -> None:
    """One round: lanes always, whole deployments when asked, and whatever is left in the outbox."""
    if not world.store.claim("watch", LEASE):
        return
    look_at_lanes(world, listening_since=listening_since)
    if deployments_too:
        look_at_deployments(world)
    tell_outbox(world)
