"""What comes next: for a lane whose host is done, for a phase whose lanes have retired, for a deployment that is over.

Everything here is a function of what the store said and the time; the store writes what it answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain import reasons
from domain.deployments import (
    Deployment,
    DeploymentErrorCode,
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
    was written but whose chain was never sent: then the chain is sent again, which hosts bear. A failed host retires
    its lane: it has used up one unit of headroom for good.
    """
    lane = view.lane
    if step != lane.step or lane.retired or view.deployment.status.final:
        return _repeated(view, step) if redelivered else Stale()
    if lane.target_id is not None and not _speaks_of(report, view):
        return Stale()
    conclude = _conclude(view, report, now) if report and view.current else None
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
    events = view.deployment.phases[view.deployment.phase].events
    outcomes = completed(events, report.outcomes)
    status = target_status(outcomes)
    target_id = report.order.target_id
    return Conclude(target_id, status, outcomes, now, remembered(view.known, view.deployment, status))


def completed(events: Sequence[Event], outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """An outcome for every event: those there are, and Skipped for the rest."""
    known = {outcome.event: outcome for outcome in outcomes}
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
    """What the group remembers of a host once its attempt is over."""
    if status is TargetStatus.SUCCEEDED:
        return HostRecord(
            health=InstanceHealth.HEALTHY,
            revision=deployment.revision.identity,
            deployment_id=deployment.deployment_id,
        )
    if status is TargetStatus.SKIPPED:
        return known
    before = deployment.previous_revision
    had_current = before is not None and known.revision == before.identity
    return known.model_copy(
        update={
            "health": InstanceHealth.UNHEALTHY,
            "deployment_id": deployment.deployment_id,
            "lost_by": deployment.deployment_id if had_current else known.lost_by,
        }
    )


def _take(view: LaneView, conclude: Conclude | None, *, now: float, attempt: str, limits: Limits) -> Take | None:
    lost = conclude is not None and conclude.status is not TargetStatus.SUCCEEDED
    if lost or view.deployment.stopping or view.upcoming is None:
        return None
    return Take(view.upcoming.target.target_id, attempt, now, now + limits.nudge_seconds)


def settle(deployment: Deployment, progress: Progress, *, now: float, sample: Sequence[TargetRecord]) -> Change | None:
    """The verdict on a deployment with nothing left to do; None if it has one already or is not done.

    `sample` is some of its targets, looked at to tell agents that never answered from applications that failed.
    """
    if deployment.status.final or not (progress.concluded or progress.total == 0):
        return None
    won = progress.total == 0 or succeeded(progress, deployment.floor)
    if deployment.stopping and not (won and progress.pending == 0 and progress.failed == 0):
        stopped = deployment.stopping.code is not DeploymentErrorCode.TIMEOUT
        status = DeploymentStatus.STOPPED if stopped else DeploymentStatus.FAILED
        return ended(deployment, status, deployment.stopping, now=now)
    if won:
        return ended(deployment, DeploymentStatus.SUCCEEDED, None, now=now)
    return ended(deployment, DeploymentStatus.FAILED, _why(sample), now=now)


def _why(sample: Sequence[TargetRecord]) -> ErrorInformation:
    attempted = [record for record in sample if record.status is not TargetStatus.PENDING]
    if attempted and all(_never_answered(record) for record in attempted):
        return ErrorInformation(code=DeploymentErrorCode.AGENT_ISSUE, message=reasons.AGENT_ISSUE)
    return ErrorInformation(code=DeploymentErrorCode.HEALTH_CONSTRAINTS, message=reasons.HEALTH_CONSTRAINTS)


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
