"""What is told of deployments and instances: happenings made from values, each with an id that never changes."""

from __future__ import annotations

from collections.abc import Sequence

from domain.deployments import Deployment, TargetStatus
from domain.fleet import Target
from domain.happenings import TERMINAL, Happening, HappeningType
from domain.reports import EventStatus, Outcome
from domain.values import Instant

_BY_STATUS = {
    TargetStatus.IN_PROGRESS: HappeningType.INSTANCE_START,
    TargetStatus.SUCCEEDED: HappeningType.INSTANCE_SUCCESS,
    TargetStatus.READY: HappeningType.INSTANCE_READY,
}


def deployment_happening(deployment: Deployment, kind: HappeningType, *, at: Instant) -> Happening:
    """What is told of a deployment; all terminal kinds share one id, so a deployment ends once for whoever listens."""
    error = deployment.error_information
    return Happening(
        event_id=f"{deployment.deployment_id}:{'end' if kind in TERMINAL else kind.value}",
        type=kind,
        at=at,
        application_name=deployment.application_name,
        deployment_group_name=deployment.deployment_group_name,
        deployment_group_id=deployment.deployment_group_id,
        deployment_id=deployment.deployment_id,
        status=deployment.status,
        error_code=error.code if error else None,
        error_message=error.message if error else None,
        creator=deployment.creator,
    )


def instance_happening(
    deployment: Deployment, target: Target, status: TargetStatus, outcomes: Sequence[Outcome], *, at: Instant
) -> Happening:
    """What is told of a target that started or ended."""
    kind = _BY_STATUS.get(status, HappeningType.INSTANCE_FAILURE)
    failed = next((o for o in outcomes if o.status is EventStatus.FAILED and not o.forgiven), None)
    problem = failed.diagnostics if failed else None
    return Happening(
        event_id=f"{deployment.deployment_id}:{target.target_id}:{kind.value}",
        type=kind,
        at=at,
        application_name=deployment.application_name,
        deployment_group_name=deployment.deployment_group_name,
        deployment_group_id=deployment.deployment_group_id,
        deployment_id=deployment.deployment_id,
        status=status,
        instance_id=target.target_id,
        instance_arn=target.arn,
        failed_event=failed.event if failed else None,
        error_code=problem.error_code if problem else None,
        error_message=problem.message if problem else None,
        creator=deployment.creator,
    )
