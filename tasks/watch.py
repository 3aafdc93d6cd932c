"""The watch: finds work that has gone silent and puts it in motion again from the store.

It owns nothing; any number may run, one at a time does the looking.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from domain.deployments import Deployment, DeploymentStatus, Lane, TargetRecord
from domain.errors import InvalidRevision, WorldError
from domain.fleet import AgentSeen
from domain.limits import Limits
from domain.moves import Due
from domain.reports import HostReport
from domain.work import working_on
from tasks.giving_up import give_up, move_on
from tasks.orders import write_report
from tasks.runtime import World
from tasks.steering import expire
from workflows import agents, alarms, names, timeouts
from workflows.verdicts import Continue, Nudge, Reap, StartLane, Verdict, Wait, Withdraw

logger = logging.getLogger(__name__)

PAGE = 200


def look_at_lanes(world: World, *, listening_since: Callable[[], float]) -> int:
    """Look at every lane whose time has come; how many there were. `listening_since` says since when agents are heard:
    it is asked for each page, for a store that was away meanwhile has heard nobody."""
    looked = 0
    while due := world.store.due(world.now(), limit=PAGE):
        _look_at_page(world, due, listening_since)
        looked += len(due)
        if len(due) < PAGE:
            break
    return looked


@dataclass(frozen=True, slots=True)
class _Sight:
    """A lane that is looked at, with all that is known of it."""

    due: Due
    deployment: Deployment | None
    lane: Lane
    record: TargetRecord | None
    seen: AgentSeen | None


def _look_at_page(world: World, due: Sequence[Due], listening_since: Callable[[], float]) -> None:
    """Judge lanes, put off the next look at each, then act: what was not acted upon is found at that next look."""
    now, since = world.now(), listening_since()
    judged = [(sight, _judge_safely(world, sight, since, now)) for sight in _sights(world, due)]
    world.store.postpone([(sight.due, _next_look(verdict, world.limits, now)) for sight, verdict in judged])
    waiting = cache(world.dispatch.waiting)
    for sight, verdict in judged:
        _act_safely(world, sight, verdict, waiting)


def _sights(world: World, due: Sequence[Due]) -> list[_Sight]:
    """All that is known of the lanes, in few round trips: a large fleet has thousands of them to look at."""
    ids = list({each.deployment_id for each in due})
    deployments = dict(zip(ids, world.store.deployments(ids), strict=True))
    lanes = world.store.watched(due)
    agents = [names.agent_of(record.target.queue) if record else "" for _, record in lanes]
    known = list(dict.fromkeys(filter(None, agents)))
    seen = dict(zip(known, world.store.seen(known), strict=True))
    return [
        _Sight(each, deployments[each.deployment_id], lane, record, seen.get(agent))
        for each, (lane, record), agent in zip(due, lanes, agents, strict=True)
    ]


def _judge_safely(world: World, sight: _Sight, listening_since: float, now: float) -> Verdict:
    deployment = sight.deployment
    if deployment is None or deployment.status.final:
        return Wait(now + world.limits.deployment_seconds)
    try:
        return timeouts.judge(
            deployment,
            deployment.phases[sight.due.phase].events,
            sight.lane,
            sight.record,
            agent_seen=sight.seen,
            control_since=listening_since,
            now=now,
            limits=world.limits,
        )
    except Exception:
        # One lane that meets a bug must not keep the watch from all others.
        logger.exception("lane %d of deployment %s cannot be judged", sight.due.lane, sight.due.deployment_id)
        return Wait(now + world.limits.look_seconds)


def _next_look(verdict: Verdict, limits: Limits, now: float) -> float:
    return verdict.until if isinstance(verdict, Wait | Nudge) else now + limits.nudge_seconds


def _act_safely(world: World, sight: _Sight, verdict: Verdict, waiting: Callable[[str], int]) -> None:
    deployment = sight.deployment
    if deployment is None:
        return
    with working_on(
        deployment_id=deployment.deployment_id,
        application=deployment.application_name,
        target_id=sight.lane.target_id,
    ):
        try:
            _act(world, deployment, sight, verdict, waiting)
        except WorldError:
            raise
        except Exception:
            logger.exception("lane %d of deployment %s cannot be moved", sight.due.lane, sight.due.deployment_id)


def _act(world: World, deployment: Deployment, sight: _Sight, verdict: Verdict, waiting: Callable[[str], int]) -> None:
    due, lane, record = sight.due, sight.lane, sight.record
    match verdict:
        case StartLane():
            world.dispatch.continue_lane(deployment, due.phase, lane, None)
        # What waits in the host's queue is not lost: copies of it would only make the queue longer.
        case Nudge() if record and (verdict.expired or not waiting(_next_queue(deployment, due, record))):
            _nudge(world, deployment, sight, record, verdict)
        case Withdraw() if record:
            taken_back = world.dispatch.withdraw(record.target.queue, deployment.deployment_id)
            _act(world, deployment, sight, verdict.found if taken_back else verdict.otherwise, waiting)
        case Continue(outcomes=outcomes) if record:
            move_on(world, deployment, due.phase, lane, record, outcomes)
        case Reap() if record:
            give_up(world, deployment, due.phase, lane, record, verdict)


def _next_queue(deployment: Deployment, due: Due, record: TargetRecord) -> str:
    """Where the message of the host's next event waits, or would."""
    events = deployment.phases[due.phase].events
    left = [event for event in events if not ((held := record.events.get(event)) and held.status.final)]
    return names.event_queue(left[0], record.target.queue) if left else record.target.queue


def _nudge(world: World, deployment: Deployment, sight: _Sight, record: TargetRecord, nudge: Nudge) -> None:
    due, lane = sight.due, sight.lane
    try:
        report = _report(world, deployment, due, lane, record)
    except WorldError as error:
        # Where revisions lie is another world than the store: it must not keep the watch from other lanes.
        logger.warning("%s gets no link to its revision yet: %s", record.target.target_id, error.message)
    except InvalidRevision as error:
        lost = timeouts.unfetchable(deployment.phases[due.phase].events, record, error.message, now=world.now())
        give_up(world, deployment, due.phase, lane, record, lost)
    else:
        ahead = sight.seen.ahead if sight.seen else 0.0
        good_for = nudge.deadline - world.now()
        if good_for > 0:
            queue = record.target.queue
            world.dispatch.run_host(deployment, due.phase, lane, report, queue, good_for=good_for, ahead=ahead)


def _report(world: World, deployment: Deployment, due: Due, lane: Lane, record: TargetRecord) -> HostReport:
    known = tuple(
        timeouts.outcome_of(event, held)
        for event in deployment.phases[due.phase].events
        if (held := record.events.get(event)) and held.status.final
    )
    return write_report(world, deployment, record, lane=lane.number, step=lane.step, outcomes=known)


def look_at_deployments(world: World, *, alarms_too: bool = False) -> None:
    """Find deployments that stand still as a whole: never begun, concluded but not settled, or over their time. With
    `alarms_too`, have the alarms looked at that those under way watch."""
    after = ""
    while ids := world.store.active(after=after, limit=PAGE):
        for deployment in world.store.deployments(ids):
            if deployment is not None:
                _look_at_deployment_safely(world, deployment, alarms_too=alarms_too)
        after = ids[-1]


def _look_at_deployment_safely(world: World, deployment: Deployment, *, alarms_too: bool) -> None:
    with working_on(deployment_id=deployment.deployment_id, application=deployment.application_name):
        try:
            if alarms_too and alarms.is_watching(deployment):
                world.dispatch.look_at_alarms(deployment.deployment_id)
            _look_at_deployment(world, deployment)
        except WorldError:
            raise
        except Exception:
            logger.exception("deployment %s cannot be looked at", deployment.deployment_id)


def _look_at_deployment(world: World, deployment: Deployment) -> None:
    now = world.now()
    waited = now - (deployment.turn_time or deployment.create_time)
    stale = waited > world.limits.nudge_seconds
    match deployment.status:
        case DeploymentStatus.CREATED if waited >= world.limits.deployment_seconds:
            expire(world, deployment)
        case DeploymentStatus.CREATED if stale:
            world.dispatch.begin(deployment.deployment_id)
        case DeploymentStatus.QUEUED if world.store.running(deployment.claimed) == deployment.deployment_id:
            world.dispatch.begin(deployment.deployment_id)
        case DeploymentStatus.IN_PROGRESS | DeploymentStatus.READY | DeploymentStatus.BAKING:
            _look_at_phase(world, deployment, now)


def _look_at_phase(world: World, deployment: Deployment, now: float) -> None:
    phase = deployment.under_way
    if not deployment.stopping and timeouts.deployment_expired(deployment, now, world.limits):
        expire(world, deployment)
    elif phase is not None and phase.kind.waits:
        if deployment.stopping or deployment.continued or now >= (deployment.until or 0.0):
            world.dispatch.conclude(deployment.deployment_id, deployment.phase)
    elif phase is not None and phase.kind.in_environment:
        world.dispatch.environment(deployment.deployment_id, deployment.phase)
    else:
        _look_at_lanes(world, deployment)


def _look_at_lanes(world: World, deployment: Deployment) -> None:
    progress = world.store.progress(deployment.deployment_id, deployment.phase)
    if progress is None:
        world.dispatch.begin(deployment.deployment_id)
    elif progress.concluded:
        world.dispatch.conclude(deployment.deployment_id, deployment.phase)
    elif deployment.stopping:
        # Again and again, for agents that were away when it was said first.
        world.dispatch.stop_hosts(deployment.deployment_id, now=deployment.cutting)


def round_of_watch(
    world: World,
    *,
    listening_since: Callable[[], float],
    deployments_too: bool,
    alarms_too: bool = False,
    vanished_too: bool = False,
    forget_too: bool = False,
) -> None:
    """One round: lanes always; whole deployments, their alarms, hosts that are no more and what agents have left
    unacknowledged when asked."""
    if not world.store.claim("watch", world.limits.takeover_seconds):
        return
    look_at_lanes(world, listening_since=listening_since)
    if deployments_too:
        look_at_deployments(world, alarms_too=alarms_too)
    if vanished_too and world.store.active(limit=1):
        # Whoever knows which hosts there are may take long to say so: that is nothing to wait for here.
        world.dispatch.look_for_vanished()
    if forget_too:
        world.dispatch.forget_unacked(agents.forgotten_before(world.now(), world.limits))
