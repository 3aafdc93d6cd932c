"""What comes next: for a lane whose host is done, for a phase whose lanes have retired, for a deployment that is over.

Everything here is a function of what the store said and the time; the store writes what it answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain import reasons
from domain.deployments import (
    Deployment,
    DeploymentErrorCode,
    DeploymentMode,
    DeploymentStatus,
    ErrorInformation,
    Progress,
    TargetRecord,
    TargetStatus,
    moved,
)
from domain.fleet import HostRecord, InstanceHealth
from domain.happenings import HappeningType
from domain.lifecycle import Event
from domain.limits import Limits
from domain.moves import Change, Conclude, LaneView, Move, Resend, Stale, Step, Take
from domain.reports import EventStatus, HostReport, Outcome
from workflows.speed import succeeded
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
    host or attempt than the lane's is Stale too. A failed host retires its lane: it has used up one unit of headroom
    for good.
    """
    lane = view.lane
    if step != lane.step or lane.retired or view.deployment.status.final:
        return _repeated(view, step) if redelivered else Stale()
    if lane.target_id is not None and not (_working(view) and _speaks_of(report, view)):
        return Stale()
    conclude = _conclude(view, report, now) if report and lane.target_id is not None else None
    take = _take(view, conclude, now=now, attempt=attempt, limits=limits)
    told = []
    if conclude and view.current:
        told.append(
            instance_happening(view.deployment, view.current.target, conclude.status, conclude.outcomes, at=now)
        )
    if take and view.upcoming:
        told.append(instance_happening(view.deployment, view.upcoming.target, TargetStatus.IN_PROGRESS, (), at=now))
    return Step(conclude, take, tuple(told))


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
    outcomes = completed(_events(view.deployment), report.outcomes)
    status = target_status(outcomes)
    target_id = report.order.target_id
    return Conclude(target_id, status, outcomes, now, remembered(view.known, view.deployment, status))


def _events(deployment: Deployment) -> tuple[Event, ...]:
    under_way = deployment.phases[deployment.phase : deployment.phase + 1]
    return under_way[0].events if under_way else ()


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
    restart = deployment.deployment_mode is DeploymentMode.RESTART
    if status is TargetStatus.SUCCEEDED and restart:
        return known.model_copy(update={"health": InstanceHealth.HEALTHY, "deployment_id": deployment.deployment_id})
    if status is TargetStatus.SUCCEEDED:
        return HostRecord(
            health=InstanceHealth.HEALTHY,
            revision=deployment.revision.identity,
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


def _take(view: LaneView, conclude: Conclude | None, *, now: float, attempt: str, limits: Limits) -> Take | None:
    lost = conclude is not None and conclude.status is not TargetStatus.SUCCEEDED
    if lost or view.deployment.stopping or view.upcoming is None or view.upcoming.status.final:
        return None
    return Take(view.upcoming.target.target_id, attempt, now, now + limits.nudge_seconds)


SHOWN = 3
"""Hosts named in the reason of a deployment."""


@dataclass(frozen=True, slots=True)
class NextPhase:
    """Every lane has retired and the deployment goes on with its phase of this number."""

    number: int


@dataclass(frozen=True, slots=True)
class Settle:
    """Every lane has retired and nothing more is to be done."""


def phase_outcome(deployment: Deployment, progress: Progress) -> NextPhase | Settle | None:
    """What follows the phase under way; None while a lane of it is at work, or once the deployment has ended.

    A deployment that is stopping, or whose hosts used up the headroom, has no next phase.
    """
    if deployment.status.final or not progress.concluded:
        return None
    following = deployment.phase + 1
    goes_on = following < len(deployment.phases) and not deployment.stopping and progress.pending == 0
    return NextPhase(following) if goes_on else Settle()


def settle(deployment: Deployment, progress: Progress, *, now: float, sample: Sequence[TargetRecord]) -> Change | None:
    """The verdict on a deployment with nothing left to do; None if it has one already or is not done.

    A stop changes nothing where every target succeeded all the same. `sample` is some of its targets, looked at to tell
    agents that never answered from applications that failed.
    """
    if deployment.status.final or not progress.concluded:
        return None
    if deployment.stopping and progress.succeeded < progress.total:
        return ended(deployment, cut_short(deployment.stopping), deployment.stopping, now=now)
    if succeeded(progress, deployment.floor):
        return ended(deployment, DeploymentStatus.SUCCEEDED, None, now=now)
    return ended(deployment, DeploymentStatus.FAILED, _why(progress, sample), now=now)


def cut_short(why: ErrorInformation) -> DeploymentStatus:
    """The status of a deployment that ended early: Stopped by a person or an alarm, Failed for any other reason."""
    return DeploymentStatus.STOPPED if why.code in _STOPS else DeploymentStatus.FAILED


_STOPS = frozenset({DeploymentErrorCode.MANUAL_STOP, DeploymentErrorCode.ALARM_ACTIVE})


def _why(progress: Progress, sample: Sequence[TargetRecord]) -> ErrorInformation:
    attempted = [record for record in sample if record.attempt is not None]
    if progress.succeeded == 0 and attempted and all(_never_answered(record) for record in attempted):
        text = reasons.AGENT_ISSUE.format(hosts=_some([record.target.target_id for record in attempted]))
        return ErrorInformation(code=DeploymentErrorCode.AGENT_ISSUE, message=text)
    return ErrorInformation(code=DeploymentErrorCode.HEALTH_CONSTRAINTS, message=reasons.HEALTH_CONSTRAINTS)


def _some(hosts: Sequence[str]) -> str:
    left = len(hosts) - SHOWN
    return ", ".join(hosts[:SHOWN]) + (f" and {left} more" if left > 0 else "")


def _never_answered(record: TargetRecord) -> bool:
    return all(held.start_time is None for held in record.events.values())


def ended(deployment: Deployment, status: DeploymentStatus, error: ErrorInformation | None, *, now: float) -> Change:
    """The deployment in a final status, and its one terminal event."""
    after = deployment.model_copy(
        update={"status": moved(deployment.status, status), "error_information": error, "complete_time": now}
    )
    kind = {
        DeploymentStatus.SUCCEEDED: HappeningType.DEPLOYMENT_SUCCESS,
        DeploymentStatus.FAILED: HappeningType.DEPLOYMENT_FAILURE,
        DeploymentStatus.STOPPED: HappeningType.DEPLOYMENT_STOP,
    }[status]
    return Change(after, (deployment_happening(after, kind, at=now),))
