"""Deployments that Auto Scaling brings about: to one instance that is launched or terminated, and to those that were
launched while a deployment ran and missed its revision.

Source: AWS CodeDeploy user guide, "Integrating CodeDeploy with Amazon EC2 Auto Scaling".
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.applications import Application
from domain.appspec import FileExistsBehavior
from domain.configs import ALL_AT_ONCE, ONE_AT_A_TIME, PREDEFINED
from domain.deployments import Deployment
from domain.fleet import Instance
from domain.group_options import DeploymentOption, DeploymentStyle, DeploymentType
from domain.groups import DeploymentGroup
from domain.lifecycle import Event
from domain.limits import Limits
from domain.scaling import LifecycleAction, Transition
from domain.values import Instant
from workflows.alarms import watched
from workflows.events import GREEN, TERMINATION, events_for

LAUNCH = "autoscaling"
TERMINATE = "autoscalingTermination"
AUTO_UPDATE = "CodeDeployAutoUpdate"
UNLISTED = 60.0
"""Seconds for which a launched instance that is not listed is waited for."""
_CREATORS = {Transition.LAUNCHING: LAUNCH, Transition.TERMINATING: TERMINATE}


def admit_instance(
    action: LifecycleAction,
    *,
    application: Application | None,
    group: DeploymentGroup,
    last: Deployment | None,
    deployment_id: str,
    now: Instant,
    limits: Limits,
) -> Deployment | None:
    """The deployment of the group's last successful revision to the one instance, in the manner of the deployment
    `last` that brought it; None where there is no such revision, or no application."""
    if application is None or group.target_revision is None:
        return None
    made = _made(application, group, last, config=ALL_AT_ONCE, deployment_id=deployment_id, now=now, limits=limits)
    return made.model_copy(
        update={
            "creator": _CREATORS[action.transition],
            "only": (action.instance_id,),
            "claims": f"{group.deployment_group_id}/{action.instance_id}",
        }
    )


def admit_update(
    root: Deployment,
    instances: Sequence[str],
    *,
    application: Application | None,
    group: DeploymentGroup,
    deployment_id: str,
    now: Instant,
    limits: Limits,
) -> Deployment | None:
    """The deployment that brings instances level with the revision of `root`; None where there is nothing to bring. One
    host at a time, since the group's configuration was made for all of its hosts."""
    if application is None or group.target_revision is None:
        return None
    made = _made(application, group, root, config=ONE_AT_A_TIME, deployment_id=deployment_id, now=now, limits=limits)
    return made.model_copy(
        update={
            "creator": AUTO_UPDATE,
            "only": tuple(sorted(instances)),
            "update_outdated_instances_only": True,
            "auto_update_root": root.deployment_id,
            # Single instances are deployed to in any weather: a fleet that is overloaded must be able to grow.
            "alarm_configuration": watched(None, group.alarm_configuration),
        }
    )


def _made(
    application: Application,
    group: DeploymentGroup,
    last: Deployment | None,
    *,
    config: str,
    deployment_id: str,
    now: Instant,
    limits: Limits,
) -> Deployment:
    """Frozen as any deployment of the group, but for what is about the group as a whole: its blue/green fleets, zones,
    rollbacks and the processes to suspend."""
    assert group.target_revision is not None  # noqa: S101  (who calls has looked)
    option = group.deployment_style.deployment_option if group.deployment_style else None
    return Deployment(
        deployment_id=deployment_id,
        application_id=application.application_id,
        application_name=application.application_name,
        deployment_group_name=group.deployment_group_name,
        deployment_group_id=group.deployment_group_id,
        deployment_config_name=config,
        minimum_healthy_hosts=PREDEFINED[config].minimum_healthy_hosts,
        revision=group.target_revision,
        previous_revision=group.target_revision,
        create_time=now,
        ignore_application_stop_failures=bool(last and last.ignore_application_stop_failures),
        file_exists_behavior=_behavior(group, last),
        # Blue/green is for the group as a whole; one instance is deployed to where it stands.
        deployment_style=DeploymentStyle(deployment_type=DeploymentType.IN_PLACE, deployment_option=option),
        load_balancer_info=group.load_balancer_info,
        event_seconds=group.event_seconds or limits.event_seconds,
        appspec_filename=group.appspec_filename,
        restore_overwritten=group.restore_overwritten,
        trigger_configurations=group.trigger_configurations,
    )


def _behavior(group: DeploymentGroup, last: Deployment | None) -> FileExistsBehavior:
    if last is not None:
        return last.file_exists_behavior
    return group.file_exists_behavior or FileExistsBehavior.DISALLOW


def events_of_instance(deployment: Deployment) -> tuple[Event, ...] | None:
    """The lifecycle events of a deployment to an instance that is launched or terminated; None for all others, which go
    through those of any deployment."""
    style = deployment.deployment_style
    traffic = style is not None and style.deployment_option is DeploymentOption.WITH_TRAFFIC_CONTROL
    if deployment.creator == LAUNCH:
        return GREEN if traffic else events_for()
    if deployment.creator == TERMINATE:
        return TERMINATION if traffic else (Event.APPLICATION_STOP,)
    return None


def awaited(deployment: Deployment, chosen: Sequence[Instance], *, now: Instant) -> str | None:
    """The instance that is to be waited for: AWS may list one that it launched later than it tells of it."""
    if deployment.creator != LAUNCH or chosen or now - deployment.create_time >= UNLISTED:
        return None
    return deployment.only[0]


def token_of(action: LifecycleAction, deployment_group_id: str) -> str:
    """The client token of a deployment for an action: however often the action is told, it is made once."""
    return f"lifecycle:{action.token}:{deployment_group_id}"
