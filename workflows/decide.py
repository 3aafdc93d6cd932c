"""What comes next: for a lane whose host is done, for a phase whose lanes have retired, for a deployment that is over.

Everything here is a function of what the store said and the time; the store writes what it answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain import reasons
from domain.deployments import (
    Deployment,
    DeploymentErrorCode,
    DeploymentMode,
    DeploymentStatus,
    ErrorInformation,
    Phase,
    PhaseKind,
    Progress,
    TargetRecord,
    TargetStatus,
    moved,
)
from domain.fleet import HostRecord, InstanceHealth
from domain.happenings import HappeningType
from domain.lifecycle import Event
from domain.limits import Limits
from domain.moves import Change, Conclude, LaneView, Move, Pass, Resend, Stale, Step, Take
from domain.reports import EventStatus, HostReport, Outcome
from workflows import rollback
from workflows.reporting import overview
from workflows.telling import deployment_happening, instance_happening


def next_move(
    view: LaneView,
    *,
    step: int,
    report: HostReport | None,
    now: float,
    attempt: str,
    limits: Limits,
    redelivered: bool = False,
) -> Move:
    """The next move of a lane whose message was of `step` and brought `report`; `attempt` is a fresh token to use.

    A message of an earlier step is Stale. Only one that the broker delivers again may be the very message whose step
    was written but whose chain was never sent: then the chain is sent again, which hosts bear. A report of another
    host or attempt than the lane's is Stale too. A failed host retires its lane, for it has used up one unit of
    headroom for good; but a rollback in place tries every host.
    """
    lane = view.lane
    if step != lane.step or lane.retired or view.deployment.status.final:
        return _repeated(view, step) if redelivered else Stale()
    if lane.target_id is not None and not (_working(view) and _speaks_of(report, view)):
        return Stale()
    conclude = _conclude(view, report, now) if report and lane.target_id is not None else None
    ahead = _ahead(view, conclude)
    take = passes = None
    if ahead is not None and ahead.status.final:
        passes = Pass(ahead.target.target_id, now + limits.nudge_seconds)
    elif ahead is not None:
        take = Take(ahead.target.target_id, attempt, now, now + limits.nudge_seconds)
    told = []
    if conclude and view.current:
        told.append(
            instance_happening(
                view.deployment,
                view.current.target,
                conclude.status,
                conclude.outcomes,
                at=now,
                earlier=view.current.events,
            )
        )
    if take and view.upcoming and view.upcoming.attempt is None:
        told.append(instance_happening(view.deployment, view.upcoming.target, TargetStatus.IN_PROGRESS, (), at=now))
    return Step(conclude, take, tuple(told), passes)


def _repeated(view: LaneView, step: int) -> Move:
    """The message came again: after a crash between writing its step and sending the chain, the chain is sent again."""
    again = step == view.lane.step - 1 and not view.lane.retired and _working(view)
    return Resend() if again and not view.deployment.status.final else Stale()


def _working(view: LaneView) -> bool:
    current = view.current
    return current is not None and current.attempt == view.lane.attempt and not current.status.final


def _speaks_of(report: HostReport | None, view: LaneView) -> bool:
    return report is not None and (report.order.target_id, report.order.attempt) == (
        view.lane.target_id,
        view.lane.attempt,
    )


def _conclude(view: LaneView, report: HostReport, now: float) -> Conclude:
    deployment = view.deployment
    outcomes = completed(_events(deployment), report.outcomes)
    status = target_status(outcomes)
    remember = remembered(view.known, deployment, status)
    if status is TargetStatus.SUCCEEDED and _goes_on_later(deployment):
        status = TargetStatus.READY
    return Conclude(report.order.target_id, status, outcomes, now, remember)


def _goes_on_later(deployment: Deployment) -> bool:
    """The targets of the phase under way are to go through a later one as well."""
    return deployment.phases[deployment.phase].kind is PhaseKind.INSTALL


def _events(deployment: Deployment) -> tuple[Event, ...]:
    return deployment.under_way.events if deployment.under_way else ()


def completed(events: Sequence[Event], outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """An outcome for every event: the first end that is told of it, or Skipped where none is."""
    known = {outcome.event: outcome for outcome in reversed(outcomes) if outcome.status.final}
    return tuple(known.get(event, Outcome(event=event, status=EventStatus.SKIPPED)) for event in events)


def target_status(outcomes: Sequence[Outcome]) -> TargetStatus:
    """What a target's outcomes come to.

    Caught in the middle by a stop counts as Failed, since the host was changed and not finished; never begun: Skipped.
    """
    if any(outcome.status is EventStatus.FAILED and not outcome.forgiven for outcome in outcomes):
        return TargetStatus.FAILED
    if all(outcome.status is EventStatus.SKIPPED for outcome in outcomes):
        return TargetStatus.SKIPPED
    skipped = any(outcome.status is EventStatus.SKIPPED for outcome in outcomes)
    return TargetStatus.FAILED if skipped else TargetStatus.SUCCEEDED


def remembered(known: HostRecord, deployment: Deployment, status: TargetStatus) -> HostRecord:
    """What the group remembers of a host once its attempt is over.

    A host that fails while it has the group's revision loses it if the deployment succeeds as a whole. Which of the two
    came about shows at the next failure: if that very deployment was the group's last success, or the group's revision
    is another by then, the host has no known revision.
    """
    kind = deployment.under_way.kind if deployment.under_way else PhaseKind.ROLLOUT
    if kind is PhaseKind.BLOCK or (kind is PhaseKind.INSTALL and status is TargetStatus.SUCCEEDED):
        # Blue keeps what it has; green has the revision once it has traffic.
        return known
    restart = deployment.deployment_mode is DeploymentMode.RESTART
    if status is TargetStatus.SUCCEEDED and restart:
        return known.model_copy(update={"health": InstanceHealth.HEALTHY, "deployment_id": deployment.deployment_id})
    if status is TargetStatus.SUCCEEDED:
        return HostRecord(
            health=InstanceHealth.HEALTHY,
            revision=None if deployment.returns_to_unknown else deployment.revision.identity,
            deployment_id=deployment.deployment_id,
        )
    if status is TargetStatus.SKIPPED:
        return known
    if restart:
        return known.model_copy(update={"health": InstanceHealth.UNHEALTHY, "deployment_id": deployment.deployment_id})
    before = deployment.previous_revision
    has_current = before is not None and known.revision == before.identity
    lost_before = known.lost_by is not None and (not has_current or known.lost_by == deployment.previous_success)
    return HostRecord(
        health=InstanceHealth.UNHEALTHY,
        revision=None if lost_before else known.revision,
        deployment_id=deployment.deployment_id,
        lost_by=deployment.deployment_id if has_current and not lost_before else None,
    )


def _ahead(view: LaneView, conclude: Conclude | None) -> TargetRecord | None:
    """The target that the lane goes on to; None if it ends here."""
    well = {TargetStatus.SUCCEEDED, TargetStatus.READY}
    if view.deployment.under_way and view.deployment.under_way.kind is PhaseKind.BLOCK:
        # A blue host that is no more takes no other's place.
        well.add(TargetStatus.SKIPPED)
    lost = conclude is not None and conclude.status not in well
    if view.deployment.rolls_back and not view.deployment.blue_green:
        # Where the first host is the broken one, the others wait for the good revision all the same.
        lost = False
    return None if lost or view.deployment.stopping else view.upcoming


def conclude_phase(
    deployment: Deployment, progress: Progress | None, *, now: float, sample: Sequence[TargetRecord] = ()
) -> Change | None:
    """What follows the phase under way: the deployment in its next phase, or ended with the verdict on it. None while
    the phase is not over, or once the deployment has ended.

    `progress` are the counters of a phase on hosts. A stop changes nothing where every target succeeded all the same.
    `sample` is some of its targets, looked at to tell agents that never answered from applications that failed.
    """
    phase = deployment.under_way
    if deployment.status.final or phase is None:
        return None
    if phase.kind.on_hosts:
        return _after_hosts(deployment, phase, progress, now, sample) if progress and progress.concluded else None
    return _after_wait(deployment, phase, now) if phase.kind.waits else None


def _after_hosts(
    deployment: Deployment, phase: Phase, progress: Progress, now: float, sample: Sequence[TargetRecord]
) -> Change:
    is_last = deployment.phase == len(deployment.phases) - 1
    left = progress.pending - (_lost_on(deployment, phase) - progress.passed)
    whole = left == 0 and progress.lost == 0
    if deployment.stopping and not (is_last and whole):
        return end_early(deployment, deployment.stopping, now=now, result=progress, sample=sample)
    if left == 0 and _enough(phase, progress):
        return go_on(deployment, now=now, result=progress, sample=sample)
    return end_early(deployment, _why(deployment, progress, sample), now=now, result=progress, sample=sample)


def _lost_on(deployment: Deployment, phase: Phase) -> int:
    """How many of the phase's targets were lost in the phases before it: they are passed over, if lanes get so far."""
    earlier = zip(deployment.phases, deployment.results, strict=False)
    return sum(result.lost for other, result in earlier if result and other.first == phase.first)


def _enough(phase: Phase, progress: Progress) -> bool:
    """Whether a phase that left no target behind has come out well. A blue host that is no more has no traffic either:
    it is Skipped."""
    if phase.kind is PhaseKind.BLOCK:
        return progress.failed == 0
    return progress.succeeded >= max(1, phase.floor)


def _after_wait(deployment: Deployment, phase: Phase, now: float) -> Change | None:
    if deployment.stopping:
        return end_early(deployment, deployment.stopping, now=now)
    if deployment.continued:
        return go_on(deployment, now=now)
    if now < (deployment.until or 0.0):
        return None
    if phase.kind is PhaseKind.READY_WAIT:
        text = reasons.NOBODY_CONTINUED.format(minutes=round(phase.seconds / 60))
        why = ErrorInformation(code=DeploymentErrorCode.TIMEOUT, message=text)
        return end_early(deployment, why, now=now, status=DeploymentStatus.STOPPED)
    return go_on(deployment, now=now)


def go_on(
    deployment: Deployment, *, now: float, result: Progress | None = None, sample: Sequence[TargetRecord] = ()
) -> Change:
    """The deployment in its next phase, or Succeeded if it has none. `result` is how the phase under way came out."""
    results = (*deployment.results, result)
    following = deployment.phase + 1
    if following == len(deployment.phases):
        return ended(deployment.model_copy(update={"results": results}), DeploymentStatus.SUCCEEDED, None, now=now)
    if deployment.stopping:
        return end_early(deployment, deployment.stopping, now=now, result=result, sample=sample)
    after = deployment.model_copy(update={"results": results, "phase": following})
    phase = after.phases[following]
    if phase.kind.on_hosts:
        lanes = _lanes(after, phase)
        if lanes == 0:
            why = _why(deployment, result or Progress(), sample)
            return end_early(deployment, why, now=now, result=result, sample=sample)
        opened = phase.model_copy(update={"lanes": lanes})
        phases = tuple(opened if each is phase else each for each in after.phases)
        return _entered(after.model_copy(update={"phases": phases}), phase, now=now)
    return _entered(after, phase, now=now)


def _lanes(deployment: Deployment, phase: Phase) -> int:
    """How many targets of a phase that opens may be in flight: what failed in the phases before has used up its room.

    Green that is installed takes nobody's traffic away, so one host at a time can always go on.
    """
    if phase.kind is PhaseKind.BLOCK or deployment.returns_to_blue:
        return phase.lanes
    room = deployment.total - deployment.blue - deployment.late_blue - lost_before(deployment) - deployment.floor
    return max(1 if phase.kind is PhaseKind.SHIFT else 0, min(phase.lanes, room))


def lost_before(deployment: Deployment) -> int:
    """How many targets were lost in the phases that are over."""
    return sum(result.lost for result in deployment.results if result)


_STATUS_IN: dict[PhaseKind, DeploymentStatus] = {
    PhaseKind.BAKING: DeploymentStatus.BAKING,
    PhaseKind.READY_WAIT: DeploymentStatus.READY,
}
"""The status of a deployment in a phase of a kind, where it is not InProgress."""


def _entered(deployment: Deployment, phase: Phase, *, now: float) -> Change:
    status = _STATUS_IN.get(phase.kind, DeploymentStatus.IN_PROGRESS)
    update: dict[str, object] = {"until": now + phase.seconds if phase.seconds else None, "continued": False}
    if status is not deployment.status:
        update["status"] = moved(deployment.status, status)
    if phase.kind is PhaseKind.TERMINATION_WAIT:
        update["termination_wait_started"] = True
    after = deployment.model_copy(update=update)
    ready = (deployment_happening(after, HappeningType.DEPLOYMENT_READY, at=now),)
    return Change(after, ready if status is DeploymentStatus.READY else ())


def end_early(
    deployment: Deployment,
    why: ErrorInformation,
    *,
    now: float,
    status: DeploymentStatus | None = None,
    result: Progress | None = None,
    sample: Sequence[TargetRecord] = (),
) -> Change:
    """The deployment ended for a reason; or on the way there. Green hosts that were made for it and have no traffic are
    removed first; where blue has none any more, green takes its place and nothing is terminated. `result` is how the
    phase under way came out, `sample` some of its targets."""
    ends_as = status or deployment.ends_as or cut_short(why)
    after = deployment.model_copy(update={"results": (*deployment.results, result)})
    leaving = after.model_copy(update={"stopping": why, "ends_as": ends_as})
    retire = _number_of(after, PhaseKind.RETIRE) if after.blue_gave_way and after.source_environment else None
    if retire is not None and not _goes_back(after, why, ends_as):
        return _jumped(leaving, retire, now=now)
    in_vain = _nobody_served(after, result, sample)
    if in_vain and _was_made(after):
        phase = Phase(kind=PhaseKind.ABANDON, seconds=after.phases[0].seconds)
        phases = (*after.phases, phase)
        return _jumped(leaving.model_copy(update={"phases": phases}), len(phases) - 1, now=now)
    silent = (in_vain and not after.rolls_back) or _goes_back(after, why, ends_as)
    return ended(after if silent else _with_green_named(after), ends_as, why, now=now)


def _goes_back(deployment: Deployment, why: ErrorInformation, ends_as: DeploymentStatus) -> bool:
    """Traffic will go back to blue, which must find everything as it left it."""
    ended_so = deployment.model_copy(update={"status": ends_as, "error_information": why})
    return rollback.wanted(ended_so) and rollback.why_not_to_blue(ended_so) is None


def _number_of(deployment: Deployment, kind: PhaseKind) -> int | None:
    """The number of the phase of a kind that is still to come."""
    later = range(deployment.phase + 1, len(deployment.phases))
    return next((number for number in later if deployment.phases[number].kind is kind), None)


def _jumped(deployment: Deployment, number: int, *, now: float) -> Change:
    """The deployment in a later phase; those between never come."""
    missing = (None,) * (number - len(deployment.results))
    update = {"phase": number, "results": (*deployment.results, *missing), "jumped_from": deployment.phase}
    after = deployment.model_copy(update=update)
    return _entered(after, after.phases[number], now=now)


def _was_made(deployment: Deployment) -> bool:
    """Green was made for the deployment and is there still."""
    came_to = deployment.came_to
    return PhaseKind.PROVISION in came_to and PhaseKind.ABANDON not in came_to


def _nobody_served(deployment: Deployment, result: Progress | None, sample: Sequence[TargetRecord]) -> bool:
    """No green host has traffic: one that does not get there is taken out again, one that fails behind that is not."""
    came_to = deployment.came_to
    if came_to & {PhaseKind.BLOCK, PhaseKind.RETIRE}:
        return False
    if PhaseKind.SHIFT not in came_to:
        return True
    allowed = (record.events.get(Event.ALLOW_TRAFFIC) for record in sample)
    serves = any(held is not None and held.status is EventStatus.SUCCEEDED for held in allowed)
    return result is not None and result.succeeded == 0 and not serves


def _with_green_named(deployment: Deployment) -> Deployment:
    """Green that has traffic, or had some, beside blue is said."""
    if PhaseKind.SHIFT not in deployment.came_to or deployment.blue_gave_way:
        return deployment
    green = deployment.green_environment
    told = (reasons.GREEN_STAYS, *([reasons.GREEN_STAYS_MADE.format(green=green)] if green else []))
    if deployment.rolls_back:
        # Where green had taken blue's place, this was to undo it.
        told = (reasons.GREEN_KEEPS if deployment.takes_over else reasons.GREEN_STAYS,)
    return deployment.model_copy(update={"status_messages": (*deployment.status_messages, *told)})


def last_phase_over(deployment: Deployment, *, now: float) -> Change:
    """The deployment whose last phase, the end of an environment, is over: as it was to end, or Succeeded."""
    if deployment.stopping and deployment.ends_as:
        return ended(deployment, deployment.ends_as, deployment.stopping, now=now)
    return go_on(deployment, now=now)


def cut_short(why: ErrorInformation) -> DeploymentStatus:
    """The status of a deployment that ended early: Stopped by a person or an alarm, Failed for any other reason."""
    return DeploymentStatus.STOPPED if why.code in _STOPS else DeploymentStatus.FAILED


_STOPS = frozenset({DeploymentErrorCode.MANUAL_STOP, DeploymentErrorCode.ALARM_ACTIVE})

SHOWN = 3
"""Hosts named in the reason of a deployment."""


def _why(deployment: Deployment, progress: Progress, sample: Sequence[TargetRecord]) -> ErrorInformation:
    if deployment.under_way and deployment.under_way.kind is PhaseKind.BLOCK:
        return ErrorInformation(code=DeploymentErrorCode.HEALTH_CONSTRAINTS, message=reasons.BLUE_KEEPS_TRAFFIC)
    attempted = [record for record in sample if record.attempt is not None]
    if progress.succeeded == 0 and attempted and all(_never_answered(record) for record in attempted):
        text = reasons.AGENT_ISSUE.format(hosts=_some([record.target.target_id for record in attempted]))
        return ErrorInformation(code=DeploymentErrorCode.AGENT_ISSUE, message=text)
    return ErrorInformation(code=DeploymentErrorCode.HEALTH_CONSTRAINTS, message=reasons.HEALTH_CONSTRAINTS)


def _some(hosts: Sequence[str]) -> str:
    left = len(hosts) - SHOWN
    return ", ".join(hosts[:SHOWN]) + (f" and {left} more" if left > 0 else "")


def _never_answered(record: TargetRecord) -> bool:
    """Nothing began on the host, and for no other reason than that its agent did not take it up."""
    told = [held.diagnostics.message for held in record.events.values() if held.diagnostics]
    began = any(held.start_time is not None for held in record.events.values())
    return not began and all(text.startswith(reasons.NO_ANSWER) for text in told)


def ended(
    deployment: Deployment,
    status: DeploymentStatus,
    error: ErrorInformation | None,
    *,
    now: float,
    result: Progress | None = None,
) -> Change:
    """The deployment in a final status, and its one terminal event. `result` is how the phase under way came out."""
    after = deployment.model_copy(
        update={"status": moved(deployment.status, status), "error_information": error, "complete_time": now}
    )
    kind = {
        DeploymentStatus.SUCCEEDED: HappeningType.DEPLOYMENT_SUCCESS,
        DeploymentStatus.FAILED: HappeningType.DEPLOYMENT_FAILURE,
        DeploymentStatus.STOPPED: HappeningType.DEPLOYMENT_STOP,
    }[status]
    return Change(after, (deployment_happening(after, kind, at=now, overview=overview(after, result)),))


def spoiled(change: Change, why: ErrorInformation) -> Change:
    """A change to a final status, to Failed if it was a success: something that must follow could not be done. What
    did not succeed anyhow says so beside its own reason."""
    after = change.deployment
    if after.status is not DeploymentStatus.SUCCEEDED:
        told = (*after.status_messages, why.message)
        return Change(after.model_copy(update={"status_messages": told}), change.happenings)
    before = after.model_copy(update={"status": DeploymentStatus.IN_PROGRESS})
    failed = ended(before, DeploymentStatus.FAILED, why, now=after.complete_time or 0.0)
    counted = {"overview": change.happenings[0].overview}
    return Change(failed.deployment, tuple(each.model_copy(update=counted) for each in failed.happenings))
