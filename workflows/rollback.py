"""Whether a deployment that ended is rolled back, and by which deployment.

Source: AWS CodeDeploy user guide, "Redeploy and roll back a deployment with CodeDeploy".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from domain import reasons
from domain.configs import MinimumHealthyHosts, MinimumHealthyHostsType
from domain.deployments import (
    Deployment,
    DeploymentErrorCode,
    DeploymentStatus,
    ErrorInformation,
    PhaseKind,
    RollbackInfo,
    TargetRecord,
)
from domain.group_options import AutoRollbackEvent
from domain.groups import DeploymentGroup
from domain.happenings import ROLLBACK
from domain.lifecycle import Event
from domain.moves import Change
from domain.reports import EventStatus
from domain.revisions import RevisionLocation
from domain.values import Instant
from workflows.telling import with_rollback

_STOPPED_BY: Mapping[DeploymentErrorCode, AutoRollbackEvent] = {
    DeploymentErrorCode.ALARM_ACTIVE: AutoRollbackEvent.DEPLOYMENT_STOP_ON_ALARM,
    DeploymentErrorCode.MANUAL_STOP: AutoRollbackEvent.DEPLOYMENT_STOP_ON_REQUEST,
}


def wanted(deployment: Deployment) -> bool:
    """Whether a deployment that ended so is to be rolled back, if that can be. A rollback never is, nor one to single
    instances."""
    if deployment.creator == ROLLBACK or deployment.only:
        return False
    if deployment.status is DeploymentStatus.STOPPED and deployment.rollback_on_stop is not None:
        # Whoever asked for a stop has the last word, also where an alarm was quicker.
        return deployment.rollback_on_stop
    event = _event(deployment)
    config = deployment.auto_rollback_configuration
    return event is not None and config is not None and bool(config.enabled) and event in (config.events or ())


def _event(deployment: Deployment) -> AutoRollbackEvent | None:
    if deployment.status is DeploymentStatus.FAILED:
        return AutoRollbackEvent.DEPLOYMENT_FAILURE
    error = deployment.error_information
    return _STOPPED_BY.get(error.code) if deployment.status is DeploymentStatus.STOPPED and error else None


def why_not(deployment: Deployment, group: DeploymentGroup | None) -> str | None:
    """Why a deployment cannot be rolled back, or need not be; None if it can."""
    if not deployment.came_to:
        return reasons.NOTHING_TO_ROLL_BACK
    if group is None:
        return reasons.NO_GROUP
    if deployment.blue_green:
        return why_not_to_blue(deployment)
    return None if group.target_revision else reasons.NO_EARLIER_SUCCESS


def why_not_to_blue(deployment: Deployment) -> str | None:
    """Why the traffic of a blue/green deployment cannot, or need not, go back to blue; None if it can."""
    came_to = deployment.came_to
    if PhaseKind.ABANDON in came_to or not came_to & {PhaseKind.SHIFT, PhaseKind.BLOCK}:
        return reasons.TRAFFIC_STAYED
    if PhaseKind.RETIRE in came_to:
        return reasons.ORIGINALS_RETIRED if deployment.jumped_from is None else reasons.GREEN_TOOK_OVER
    return None if deployment.blue else reasons.NO_ORIGINALS


def rollback_of(
    deployment: Deployment, group: DeploymentGroup, last: Deployment | None, *, deployment_id: str, now: Instant
) -> Deployment:
    """The deployment that rolls another back: the group's last successful revision to the hosts that were touched, as
    many at once as before or, blue/green, traffic back to blue. `last` is the one that brought that revision.

    Zones do not count, alarms neither, and it is not rolled back itself.
    """
    # Where green has taken blue's place, its revision is the group's; blue has the one before that.
    before = deployment.previous_revision if deployment.blue_green else group.target_revision
    lanes = max((phase.lanes for phase in deployment.phases), default=1)
    info = RollbackInfo(
        rollback_triggering_deployment_id=deployment.deployment_id,
        rollback_message=message(deployment, deployment_id),
    )
    return Deployment(
        deployment_id=deployment_id,
        application_id=deployment.application_id,
        application_name=deployment.application_name,
        deployment_group_name=deployment.deployment_group_name,
        deployment_group_id=deployment.deployment_group_id,
        deployment_config_name=deployment.deployment_config_name,
        minimum_healthy_hosts=MinimumHealthyHosts(type=MinimumHealthyHostsType.MOST_CONCURRENCY, value=max(1, lanes)),
        revision=before or deployment.revision,
        previous_revision=deployment.previous_revision,
        returns_to_unknown=before is None,
        create_time=now,
        description=f"Rolls back {deployment.deployment_id}",
        creator=ROLLBACK,
        ignore_application_stop_failures=deployment.ignore_application_stop_failures,
        file_exists_behavior=(last or deployment).file_exists_behavior,
        deployment_style=deployment.deployment_style,
        load_balancer_info=deployment.load_balancer_info,
        blue_green_deployment_configuration=deployment.blue_green_deployment_configuration,
        event_seconds=deployment.event_seconds,
        appspec_filename=deployment.appspec_filename,
        restore_overwritten=deployment.restore_overwritten,
        back_to=(last or deployment).began,
        source_environment=deployment.source_environment,
        green_environment=deployment.green_environment,
        rollback_info=info,
        trigger_configurations=group.trigger_configurations,
        # Where green had taken blue's place already, blue takes it back.
        takes_over=deployment.gives_back if deployment.blue_gave_way else None,
        gives_back=deployment.takes_over if deployment.blue_gave_way else None,
    )


def message(deployment: Deployment, rollback_id: str) -> str:
    """What both deployments say of the rollback."""
    return reasons.ROLLED_BACK.format(failed=deployment.deployment_id, status=deployment.status, rollback=rollback_id)


def told(change: Change, info: RollbackInfo) -> Change:
    """A change that says what becomes of the rollback, if it is to a status that wants one still."""
    if not wanted(change.deployment):
        return change
    after = change.deployment.model_copy(update={"rollback_info": info})
    return Change(after, tuple(with_rollback(happening, info) for happening in change.happenings))


def was_touched(record: TargetRecord) -> bool:
    """Something was done on the host in place, or begun."""
    return record.attempt is not None and any(held.start_time is not None for held in record.events.values())


def had_traffic(record: TargetRecord) -> bool:
    """Traffic was let to the green host, or was about to be."""
    return Event.ALLOW_TRAFFIC in record.events and record.events[Event.ALLOW_TRAFFIC].status is not EventStatus.SKIPPED


def is_in_traffic(record: TargetRecord) -> bool | None:
    """Whether the deployment of the record left its host in traffic; None where it moved it neither way."""
    if had_traffic(record):
        return True
    held = record.events.get(Event.BLOCK_TRAFFIC)
    return False if held is not None and held.status is EventStatus.SUCCEEDED else None


def has_changed_anything(deployment: Deployment, records: Iterable[TargetRecord]) -> bool:
    """The group's hosts are not as they were before the deployment, as far as that is known; `records` are read only
    where its status does not tell."""
    if not deployment.came_to:
        return False
    if deployment.status is DeploymentStatus.SUCCEEDED:
        return True
    return any(map(had_traffic if deployment.blue_green else was_touched, records))


def returned_to(recent: Iterable[Deployment], has_changed: Callable[[Deployment], bool]) -> Deployment | None:
    """The deployment whose revision a group returns to when somebody asks for that: the latest that succeeded with
    another revision than what the group runs or last tried. `recent` are its deployments, newest first.

    What came between a rollback and the deployment to which it returned was left for a reason, and is passed over: who
    rolls back twice gets ever further back. One that did not succeed is tried again. Deployments that changed nothing
    do not count.
    """
    shunned: RevisionLocation | None = None
    latest, before = True, math.inf
    for deployment in recent:
        if deployment.began > before or not has_changed(deployment):
            continue
        succeeded = deployment.status is DeploymentStatus.SUCCEEDED
        if latest and (succeeded or deployment.back_to is None):
            shunned = deployment.revision
        latest = False
        known = succeeded and not deployment.returns_to_unknown
        if known and (shunned is None or deployment.revision.identity != shunned.identity):
            return deployment
        if deployment.back_to is not None:
            before = min(before, deployment.back_to)
    return None


def not_needed(rollback: Deployment) -> ErrorInformation:
    """Why a rollback does nothing."""
    text = reasons.NOT_ROLLED_BACK.format(failed=rollback.rolls_back)
    return ErrorInformation(code=DeploymentErrorCode.MANUAL_STOP, message=text)


def needed(rollback: Deployment, failed: Deployment | None) -> bool:
    """Whether the deployment that a rollback was made for has ended in need of it: what it was made for may have come
    out otherwise at the last moment."""
    info = failed.rollback_info if failed else None
    return info is not None and info.rollback_deployment_id == rollback.deployment_id
