"""Values of the domain in the members of the API's shapes, and back. Knows no store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from domain import reasons
from domain.api_errors import InvalidTagsToAdd, TagRequired
from domain.applications import Application
from domain.configs import DeploymentConfig, RoutingConfig
from domain.deployments import Deployment, DeploymentStatus, Progress, TargetRecord
from domain.errors import InvalidRevision
from domain.fleet import Instance, TargetKind
from domain.group_options import DeploymentOption, DeploymentStyle, DeploymentType, OutdatedInstancesStrategy
from domain.groups import DeploymentGroup, TagFilter, TagFilterType, TargetInstances
from domain.lifecycle import TABLE
from domain.revisions import Revision, RevisionLocation
from domain.scaling import ScalingHook, Transition
from domain.values import Value
from workflows import alarms, reporting
from workflows.put_off import put_off_by
from workflows.reserved_buckets import meant, told
from workflows.scaling_hooks import hook_named

Given = Mapping[str, Any]
"""What a caller gave: validated against the operation's shape, under the members' names on the wire."""
Answer = dict[str, Any]

SERVER = "Server"


def plain(value: Value | None) -> Any:
    """A value as JSON values without absent members."""
    return None if value is None else value.model_dump(mode="json", exclude_none=True)


def application_info(application: Application) -> Answer:
    """`ApplicationInfo`."""
    return {
        "applicationId": application.application_id,
        "applicationName": application.application_name,
        "createTime": application.create_time,
        "linkedToGitHub": False,
        "computePlatform": application.compute_platform,
    }


def tags_from(items: Sequence[Given] | None, *, most: int) -> dict[str, str]:
    """The tags of a resource; raises InvalidTagsToAdd."""
    tags = {item.get("Key") or "": item.get("Value") or "" for item in items or ()}
    sound = all(1 <= len(key) <= 128 and len(value) <= 256 for key, value in tags.items())
    if not sound or len(tags) != len(items or ()) or len(tags) > most:
        raise InvalidTagsToAdd
    return tags


def tags_of(tags: Mapping[str, str]) -> list[Answer]:
    """A list of `Tag`, by key."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def some(items: Sequence[Given] | None) -> Sequence[Given]:
    """The tags that were given; raises TagRequired if none were."""
    if not items:
        raise TagRequired
    return items


def filter_from(item: Given) -> TagFilter:
    """`TagFilter` or `EC2TagFilter`; without a type it is what its members make of it."""
    key, value = item.get("Key"), item.get("Value")
    by_members = {
        (True, False): TagFilterType.KEY_ONLY,
        (False, True): TagFilterType.VALUE_ONLY,
    }.get((bool(key), value is not None), TagFilterType.KEY_AND_VALUE)
    return TagFilter(key=key, value=value, type=TagFilterType(item.get("Type") or by_members))


def filters_from(items: Iterable[Given] | None) -> tuple[TagFilter, ...]:
    """A list of filters."""
    return tuple(map(filter_from, items or ()))


def tag_set_from(given: Given | None, member: str) -> tuple[tuple[TagFilter, ...], ...]:
    """`EC2TagSet` or `OnPremisesTagSet`: groups of filters."""
    return tuple(map(filters_from, (given or {}).get(member) or ()))


def target_instances_from(given: Given | None) -> TargetInstances | None:
    """`TargetInstances`: where the green hosts of a deployment are; None where none are given."""
    if given is None:
        return None
    return TargetInstances(
        tag_filters=filters_from(given.get("tagFilters")),
        ec2_tag_set=tag_set_from(given.get("ec2TagSet"), "ec2TagSetList"),
        auto_scaling_groups=tuple(given.get("autoScalingGroups") or ()),
    )


def target_instances_of(wanted: TargetInstances | None) -> Answer | None:
    """`TargetInstances`, in the members that were given."""
    if wanted is None:
        return None
    groups = [list(map(filter_of, one)) for one in wanted.ec2_tag_set]
    return {
        "tagFilters": list(map(filter_of, wanted.tag_filters)) or None,
        "ec2TagSet": {"ec2TagSetList": groups} if groups else None,
        "autoScalingGroups": list(wanted.auto_scaling_groups) or None,
    }


def filter_of(condition: TagFilter) -> Answer:
    """`TagFilter` or `EC2TagFilter`."""
    return {"Key": condition.key, "Value": condition.value, "Type": condition.type.value}


def location_from(given: Given | None) -> RevisionLocation | None:
    """`RevisionLocation`, None where none is given; a reserved bucket is what it stands for. Raises InvalidRevision."""
    if given is None:
        return None
    if strange := [member for member in ("string", "appSpecContent") if given.get(member) is not None]:
        raise InvalidRevision(f"{strange[0]} is for Lambda and ECS; servers install revisions from S3 or GitHub.")
    try:
        return meant(RevisionLocation.model_validate(given))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise InvalidRevision(f"The revision is not one that servers can install: {where}: {problem['msg']}.") from None


def revision_info(revision: Revision, groups: Sequence[str]) -> Answer:
    """`GenericRevisionInfo`; `groups` are those whose target revision it is."""
    return {
        "description": revision.description,
        "deploymentGroups": list(groups),
        "firstUsedTime": revision.first_used_time,
        "lastUsedTime": revision.last_used_time,
        "registerTime": revision.register_time,
    }


def config_info(config: DeploymentConfig) -> Answer:
    """`DeploymentConfigInfo`."""
    return {
        "deploymentConfigId": config.deployment_config_id,
        "deploymentConfigName": config.deployment_config_name,
        "minimumHealthyHosts": plain(config.minimum_healthy_hosts),
        "createTime": config.create_time,
        "computePlatform": SERVER,
        "zonalConfig": plain(config.zonal_config),
    }


def routing_info(config: RoutingConfig) -> Answer:
    """`DeploymentConfigInfo` of another compute platform."""
    routing: Answer = {"type": config.type}
    kinds = {"TimeBasedCanary": ("timeBasedCanary", "canary"), "TimeBasedLinear": ("timeBasedLinear", "linear")}
    if config.type in kinds:
        member, word = kinds[config.type]
        routing[member] = {f"{word}Percentage": config.percentage, f"{word}Interval": config.interval}
    return {
        "deploymentConfigName": config.deployment_config_name,
        "computePlatform": config.compute_platform,
        "trafficRoutingConfig": routing,
    }


_DEFAULT_STYLE = {
    "deploymentType": DeploymentType.IN_PLACE.value,
    "deploymentOption": DeploymentOption.WITHOUT_TRAFFIC_CONTROL.value,
}


def _style(style: DeploymentStyle | None) -> Answer:
    """`DeploymentStyle`, with the defaults for what was not given."""
    return {**_DEFAULT_STYLE, **(plain(style) or {})}


def group_info(group: DeploymentGroup, application_name: str) -> Answer:
    """`DeploymentGroupInfo`: what was stored, and the documented defaults. As from AWS, members that list targets and
    triggers are there when they are empty too."""
    info: Answer = {
        "applicationName": application_name,
        "deploymentGroupId": group.deployment_group_id,
        "deploymentGroupName": group.deployment_group_name,
        "deploymentConfigName": group.deployment_config_name,
        "serviceRoleArn": group.service_role_arn,
        "autoScalingGroups": [_auto_scaling_group(group, name) for name in group.auto_scaling_groups],
        "targetRevision": location_of(group.target_revision),
        "triggerConfigurations": [plain(trigger) for trigger in group.trigger_configurations],
        "alarmConfiguration": plain(group.alarm_configuration),
        "autoRollbackConfiguration": plain(group.auto_rollback_configuration),
        "deploymentStyle": _style(group.deployment_style),
        "outdatedInstancesStrategy": group.outdated_instances_strategy or OutdatedInstancesStrategy.UPDATE.value,
        "blueGreenDeploymentConfiguration": plain(group.blue_green_deployment_configuration),
        "loadBalancerInfo": plain(group.load_balancer_info),
        "lastSuccessfulDeployment": plain(group.last_successful_deployment),
        "lastAttemptedDeployment": plain(group.last_attempted_deployment),
        "computePlatform": SERVER,
        "ec2DeploymentOptions": plain(group.ec2_deployment_options),
        "terminationHookEnabled": bool(group.termination_hook_enabled),
    }
    return {**info, **_selection(group)}


def _auto_scaling_group(group: DeploymentGroup, name: str) -> Answer:
    """`AutoScalingGroup`, with the hooks on it."""
    return {
        "name": name,
        "hook": hook_named(group.hooks, name, Transition.LAUNCHING),
        "terminationHook": hook_named(group.hooks, name, Transition.TERMINATING),
    }


def hook_left(hook: ScalingHook) -> Answer:
    """`AutoScalingGroup` with a hook that could not be removed."""
    return {"name": hook.auto_scaling_group, "hook": hook.name}


def _selection(group: DeploymentGroup) -> Answer:
    """Targets in the form in which they were given: a plain list, or a set of groups."""
    chosen: Answer = {}
    if group.ec2_tag_set:
        chosen["ec2TagSet"] = {"ec2TagSetList": [list(map(filter_of, one)) for one in group.ec2_tag_set]}
    else:
        chosen["ec2TagFilters"] = list(map(filter_of, group.ec2_tag_filters))
    if group.on_premises_tag_set:
        groups = [list(map(filter_of, one)) for one in group.on_premises_tag_set]
        chosen["onPremisesTagSet"] = {"onPremisesTagSetList": groups}
    else:
        chosen["onPremisesInstanceTagFilters"] = list(map(filter_of, group.on_premises_instance_tag_filters))
    return chosen


def location_of(location: RevisionLocation | None) -> Any:
    """`RevisionLocation`, in members that clients know."""
    return plain(told(location)) if location else None


def deployment_info(
    deployment: Deployment, progress: Progress | None, *, application_name: str, group_name: str
) -> Answer:
    """`DeploymentInfo`; the names are those of today."""
    begun = deployment.phases or deployment.status.final
    return {
        "applicationName": application_name,
        "deploymentGroupName": group_name,
        "deploymentConfigName": deployment.deployment_config_name,
        "deploymentId": deployment.deployment_id,
        "previousRevision": location_of(deployment.previous_revision),
        "revision": location_of(deployment.revision),
        "status": deployment.status.value,
        "errorInformation": plain(deployment.error_information),
        "createTime": deployment.create_time,
        "startTime": deployment.start_time,
        "completeTime": deployment.complete_time,
        "deploymentOverview": plain(reporting.overview(deployment, progress)) if begun else None,
        "description": deployment.description,
        "creator": deployment.creator,
        "ignoreApplicationStopFailures": deployment.ignore_application_stop_failures,
        "autoRollbackConfiguration": plain(deployment.auto_rollback_configuration),
        "rollbackInfo": plain(deployment.rollback_info),
        "updateOutdatedInstancesOnly": deployment.update_outdated_instances_only,
        "deploymentStyle": _style(deployment.deployment_style),
        "targetInstances": target_instances_of(deployment.target_instances),
        "instanceTerminationWaitTimeStarted": deployment.termination_wait_started,
        "blueGreenDeploymentConfiguration": plain(deployment.blue_green_deployment_configuration),
        "loadBalancerInfo": plain(deployment.load_balancer_info),
        "fileExistsBehavior": deployment.file_exists_behavior.value,
        "deploymentMode": None if deployment.deployment_mode == "STANDARD" else deployment.deployment_mode,
        "deploymentStatusMessages": _status_messages(deployment) or None,
        "computePlatform": SERVER,
        "overrideAlarmConfiguration": plain(deployment.override_alarm_configuration),
        "ec2DeploymentOptions": plain(deployment.ec2_deployment_options),
        "relatedDeployments": _related(deployment),
    }


def _status_messages(deployment: Deployment) -> list[str]:
    """What a person should know of a deployment: what stays true, and what it waits for now."""
    waits = {reasons.ALARMS_AWAITED: alarms.awaited(deployment), reasons.PUT_OFF: put_off_by(deployment)}
    return [*deployment.status_messages, *(text.format(why=why) for text, why in waits.items() if why)]


def _related(deployment: Deployment) -> Answer | None:
    """`RelatedDeployments`: of those that brought instances level, and of the one that they followed."""
    root, updates = deployment.auto_update_root, list(deployment.auto_updates)
    related = {
        "autoUpdateOutdatedInstancesRootDeploymentId": root,
        "autoUpdateOutdatedInstancesDeploymentIds": updates or None,
    }
    return related if root or updates else None


def target_info(record: TargetRecord, deployment: Deployment) -> Answer:
    """`InstanceTarget`."""
    view = reporting.target_view(record, deployment)
    return {
        "deploymentId": deployment.deployment_id,
        "targetId": view.target.target_id,
        "targetArn": view.target.arn,
        "status": view.status.value,
        "lastUpdatedAt": view.last_updated_at,
        "lifecycleEvents": _events(view),
        "instanceLabel": deployment.label(record.index),
    }


def instance_summary(record: TargetRecord, deployment: Deployment) -> Answer:
    """`InstanceSummary`, by which the deprecated operations speak of a target."""
    info = target_info(record, deployment)
    return {**info, "instanceId": info["targetArn"], "instanceType": info["instanceLabel"]}


def _events(view: TargetRecord) -> list[Answer]:
    shown = []
    for row in TABLE:
        held = view.events.get(row.event)
        if held is not None:
            shown.append(
                {
                    "lifecycleEventName": row.event.value,
                    "diagnostics": plain(held.diagnostics),
                    "startTime": held.start_time,
                    "endTime": held.end_time,
                    "status": held.status.value,
                }
            )
    return shown


def instance_info(instance: Instance) -> Answer:
    """`InstanceInfo` of an on-premises instance."""
    assert instance.kind is TargetKind.ON_PREMISES  # noqa: S101  (no other kind is registered)
    return {
        "instanceName": instance.instance_id,
        "iamSessionArn": instance.iam_session_arn,
        "iamUserArn": instance.iam_user_arn,
        "instanceArn": instance.arn,
        "registerTime": instance.register_time,
        "deregisterTime": instance.deregister_time,
        "tags": tags_of(instance.tags),
    }


def stop_answer(deployment: Deployment) -> Answer:
    """The answer of StopDeployment."""
    if deployment.status is DeploymentStatus.STOPPED:
        return {"status": "Succeeded", "statusMessage": "The deployment is stopped."}
    return {"status": "Pending", "statusMessage": "No more lifecycle events are started; those that run may end."}
