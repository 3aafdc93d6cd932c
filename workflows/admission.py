"""May it start, and as what: requests checked and frozen into deployments, in the order in which AWS checks.

Source: AWS CodeDeploy API reference, CreateDeployment, CreateDeploymentGroup, CreateDeploymentConfig.
"""

from __future__ import annotations

import re

from domain import reasons
from domain.appspec import FileExistsBehavior
from domain.configs import DeploymentConfig
from domain.deployments import (
    CreateDeployment,
    Deployment,
    DeploymentErrorCode,
    DeploymentStatus,
    ErrorInformation,
    Phase,
    moved,
)
from domain.errors import (
    ApplicationDoesNotExist,
    ApplicationNameRequired,
    DeploymentAlreadyCompleted,
    DeploymentConfigDoesNotExist,
    DeploymentDoesNotExist,
    DeploymentGroupDoesNotExist,
    DeploymentGroupNameRequired,
    DescriptionTooLong,
    InvalidApplicationName,
    InvalidDeploymentGroupName,
    InvalidFileExistsBehavior,
    InvalidRevision,
    InvalidTargetInstances,
    RevisionRequired,
    SlipwayError,
)
from domain.groups import DeploymentGroup
from domain.happenings import Happening, HappeningType
from domain.limits import Limits
from domain.moves import Change
from domain.revisions import RevisionLocation, RevisionType
from domain.values import Instant
from workflows.decide import ended
from workflows.events import events_for
from workflows.speed import floor_of, lanes_of
from workflows.telling import deployment_happening

NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,100}")
LONGEST_DESCRIPTION = 256


def admit(
    request: CreateDeployment,
    *,
    application: bool,
    group: DeploymentGroup | None,
    config: DeploymentConfig | None,
    deployment_id: str,
    now: Instant,
    limits: Limits,
) -> Deployment:
    """The deployment that the request asks for, with the group and configuration frozen into it.

    Raises the CallerErrors of CreateDeployment: required members first, then form, then what does not exist.
    """
    name, group_name = _names(request)
    behavior = _behavior(request, group)
    _check_form(request)
    if not application:
        raise ApplicationDoesNotExist(f"No application is named {name}; `slipway create-application {name}` makes it.")
    if group is None:
        raise DeploymentGroupDoesNotExist(f"The application {name} has no deployment group {group_name}.")
    if config is None:
        wanted = request.deployment_config_name or group.deployment_config_name
        raise DeploymentConfigDoesNotExist(f"No deployment configuration is named {wanted}.")
    return Deployment(
        deployment_id=deployment_id,
        application_name=name,
        deployment_group_name=group_name,
        deployment_group_id=group.deployment_group_id,
        deployment_config_name=config.deployment_config_name,
        minimum_healthy_hosts=config.minimum_healthy_hosts,
        revision=_revision(request.revision),
        previous_revision=group.target_revision,
        create_time=now,
        description=request.description,
        creator=request.creator,
        ignore_application_stop_failures=request.ignore_application_stop_failures,
        update_outdated_instances_only=request.update_outdated_instances_only,
        file_exists_behavior=behavior,
        event_seconds=group.event_seconds or limits.event_seconds,
        appspec_filename=group.appspec_filename,
    )


def _names(request: CreateDeployment) -> tuple[str, str]:
    if not request.application_name:
        raise ApplicationNameRequired
    if not NAME.fullmatch(request.application_name):
        raise InvalidApplicationName
    if not request.deployment_group_name:
        raise DeploymentGroupNameRequired
    if not NAME.fullmatch(request.deployment_group_name):
        raise InvalidDeploymentGroupName
    return request.application_name, request.deployment_group_name


def _check_form(request: CreateDeployment) -> None:
    if request.description and len(request.description) > LONGEST_DESCRIPTION:
        raise DescriptionTooLong
    if request.target_instances:
        raise InvalidTargetInstances
    _revision(request.revision)


_MEMBERS = {
    RevisionType.S3: "s3_location",
    RevisionType.GITHUB: "github_location",
    RevisionType.BUNDLE: "bundle_location",
    RevisionType.LOCAL: "local_location",
}


def _revision(revision: RevisionLocation | None) -> RevisionLocation:
    if revision is None:
        raise RevisionRequired
    given = {kind for kind, member in _MEMBERS.items() if getattr(revision, member) is not None}
    if given != {revision.revision_type}:
        raise InvalidRevision(f"a revision of type {revision.revision_type} needs that location and no other")
    return revision


def _behavior(request: CreateDeployment, group: DeploymentGroup | None) -> FileExistsBehavior:
    if request.file_exists_behavior is None:
        return (group and group.file_exists_behavior) or FileExistsBehavior.DISALLOW
    try:
        return FileExistsBehavior(request.file_exists_behavior)
    except ValueError:
        raise InvalidFileExistsBehavior from None


def started(deployment: Deployment) -> Happening:
    """What is told when a deployment was created."""
    return deployment_happening(deployment, HappeningType.DEPLOYMENT_START, at=deployment.create_time)


def start(deployment: Deployment, total: int, *, group: DeploymentGroup | None, now: Instant) -> Change | None:
    """A created deployment under way with its targets counted and its phases laid out; or ended, where it cannot start.

    None if it has started already. Where updateOutdatedInstancesOnly leaves no target there is nothing to do, and that
    is a success.
    """
    if deployment.status is DeploymentStatus.QUEUED:
        deployment = deployment.model_copy(update={"status": moved(deployment.status, DeploymentStatus.CREATED)})
    if deployment.status is not DeploymentStatus.CREATED:
        return None
    if group is None:
        return _refused(deployment, DeploymentErrorCode.DEPLOYMENT_GROUP_MISSING, reasons.GROUP_MISSING, now)
    if total == 0 and not deployment.update_outdated_instances_only:
        return _refused(deployment, DeploymentErrorCode.NO_INSTANCES, reasons.NO_INSTANCES, now)
    floor = floor_of(deployment.minimum_healthy_hosts, total, config_name=deployment.deployment_config_name)
    under_way = deployment.model_copy(
        update={
            "status": moved(deployment.status, DeploymentStatus.IN_PROGRESS),
            "start_time": now,
            "total": total,
            "floor": floor,
            "phases": (Phase(first=0, count=total, lanes=lanes_of(total, floor), events=events_for()),),
            "previous_revision": group.target_revision,
        }
    )
    if total == 0:
        return ended(under_way, DeploymentStatus.SUCCEEDED, None, now=now)
    if lanes_of(total, floor) == 0:
        text = reasons.HEALTH_CONSTRAINTS_INVALID.format(
            total=total, floor=floor, config=deployment.deployment_config_name
        )
        return _refused(
            deployment.model_copy(update={"total": total, "floor": floor}),
            DeploymentErrorCode.HEALTH_CONSTRAINTS_INVALID,
            text,
            now,
        )
    return Change(under_way)


def _refused(deployment: Deployment, code: DeploymentErrorCode, text: str, now: Instant) -> Change:
    return ended(deployment, DeploymentStatus.FAILED, ErrorInformation(code=code, message=text), now=now)


MANUAL_STOP = ErrorInformation(code=DeploymentErrorCode.MANUAL_STOP, message=reasons.MANUAL_STOP)


def stop(deployment: Deployment, *, now: Instant, why: ErrorInformation = MANUAL_STOP) -> Change | None:
    """A deployment that is to end early: at once if nothing has started, else when its hosts are done with the present
    event. None if it has ended or is stopping already."""
    if deployment.status.final or deployment.stopping:
        return None
    if deployment.status in {DeploymentStatus.CREATED, DeploymentStatus.QUEUED}:
        return ended(deployment, DeploymentStatus.STOPPED, why, now=now)
    return Change(deployment.model_copy(update={"stopping": why}))


def not_stoppable(deployment_id: str, deployment: Deployment | None) -> SlipwayError:
    """Why a deployment cannot be stopped."""
    if deployment is None:
        return DeploymentDoesNotExist(f"No deployment has the id {deployment_id}.")
    return DeploymentAlreadyCompleted(f"The deployment {deployment_id} has ended already: {deployment.status}.")


def instance_arn(region: str, account_id: str, name: str, suffix: str) -> str:
    """The ARN of an on-premises instance: its name and ten letters or digits that are new at each registration."""
    return f"arn:aws:codedeploy:{region}:{account_id}:instance/{name}_{suffix}"
