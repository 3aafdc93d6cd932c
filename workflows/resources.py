"""What applications, groups, configurations and instances must look like to be kept.

Source: AWS CodeDeploy API reference; AWS CodeDeploy user guide, "CodeDeploy quotas".
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from domain.api_errors import (
    InvalidAutoScalingGroup,
    InvalidBlueGreenDeploymentConfiguration,
    InvalidRole,
    InvalidZonalDeploymentConfiguration,
)
from domain.configs import DeploymentConfig, MinimumHealthyHostsType, ZonalConfig
from domain.errors import (
    ApplicationNameRequired,
    CallerError,
    DeploymentConfigNameRequired,
    DeploymentGroupNameRequired,
    IamArnRequired,
    InstanceNameRequired,
    InvalidApplicationName,
    InvalidDeploymentConfigName,
    InvalidDeploymentGroupName,
    InvalidEC2Tag,
    InvalidEC2TagCombination,
    InvalidIamSessionArn,
    InvalidIamUserArn,
    InvalidInstanceName,
    InvalidMinimumHealthyHostValue,
    InvalidOnPremisesTagCombination,
    InvalidTag,
    InvalidTargetInstances,
    MultipleIamArnsProvided,
    TagLimitExceeded,
    TagSetListLimitExceeded,
)
from domain.groups import DeploymentGroup, TagFilter, TagFilterType, TargetInstances
from domain.limits import Quotas
from workflows.admission import NAME, zones_complaint
from workflows.group_checks import check_auto_scaling_groups, check_options

LONGEST_EVENT = 7 * 86_400
"""Seconds."""
MOST_TAGS = 10
MOST_TAG_GROUPS = 3
LONGEST_KEY, LONGEST_VALUE = 128, 256
RESERVED_PREFIX = "CodeDeployDefault."
USER_ARN = re.compile(r"arn:aws(-cn|-us-gov)?:iam::\d{12}:user/[A-Za-z0-9/+=,.@_-]+", re.ASCII)
ROLE_ARN = re.compile(r"arn:aws(-cn|-us-gov)?:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
SESSION_ARN = re.compile(r"arn:aws(-cn|-us-gov)?:sts::\d{12}:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+", re.ASCII)


def check_application_name(name: str) -> None:
    """Raises ApplicationNameRequired or InvalidApplicationName."""
    if not name:
        raise ApplicationNameRequired
    if not NAME.fullmatch(name):
        raise InvalidApplicationName


def check_group(group: DeploymentGroup, quotas: Quotas) -> None:
    """The form of a group. Raises the CallerErrors of CreateDeploymentGroup, but for what does not exist."""
    if not group.deployment_group_name:
        raise DeploymentGroupNameRequired
    if not NAME.fullmatch(group.deployment_group_name):
        raise InvalidDeploymentGroupName
    if group.event_seconds is not None and not 1 <= group.event_seconds <= LONGEST_EVENT:
        raise CallerError(f"A lifecycle event may have 1 to {LONGEST_EVENT} seconds, not {group.event_seconds}.")
    if group.service_role_arn is not None and not ROLE_ARN.fullmatch(group.service_role_arn):
        raise InvalidRole
    _check_selection(group)
    check_options(group, quotas)


def check_group_config(group: DeploymentGroup, config: DeploymentConfig | None) -> None:
    """Whether a group can be deployed to by the configuration that it names; one that is not known is told elsewhere.

    Raises InvalidBlueGreenDeploymentConfiguration: of what there is for zones, operations on groups model no error.
    """
    if config is not None and (complaint := zones_complaint(group, config)):
        raise InvalidBlueGreenDeploymentConfiguration(complaint)


def _check_selection(group: DeploymentGroup) -> None:
    if group.ec2_tag_filters and group.ec2_tag_set:
        raise InvalidEC2TagCombination
    if group.on_premises_instance_tag_filters and group.on_premises_tag_set:
        raise InvalidOnPremisesTagCombination
    check_filters(group.ec2_tag_filters, group.ec2_tag_set, InvalidEC2Tag)
    check_filters(group.on_premises_instance_tag_filters, group.on_premises_tag_set, InvalidTag)


def check_target_instances(wanted: TargetInstances | None) -> None:
    """Raises InvalidTargetInstances for what cannot name the green hosts of a deployment."""
    if wanted is None:
        return
    if wanted.tag_filters and wanted.ec2_tag_set:
        raise InvalidTargetInstances("Give tagFilters or ec2TagSet for the target instances, not both.")
    try:
        check_filters(wanted.tag_filters, wanted.ec2_tag_set, InvalidEC2Tag)
        check_auto_scaling_groups(wanted.auto_scaling_groups)
    except (InvalidEC2Tag, TagSetListLimitExceeded, InvalidAutoScalingGroup) as error:
        raise InvalidTargetInstances(f"Target instances: {error.message}") from None


def check_filters(
    one_group: Sequence[TagFilter],
    groups: Sequence[Sequence[TagFilter]],
    invalid: type[InvalidTag | InvalidEC2Tag],
) -> None:
    """Tag filters in either form. Raises TagSetListLimitExceeded, or `invalid` for a filter that cannot be."""
    if len(groups) > MOST_TAG_GROUPS:
        raise TagSetListLimitExceeded
    for group in (one_group, *groups):
        if len(group) > MOST_TAGS:
            raise invalid(f"A tag group may have at most {MOST_TAGS} filters, not {len(group)}.")
        for condition in group:
            if complaint := _complaint(condition):
                raise invalid(f"A tag filter of type {condition.type} {complaint}.")


def _complaint(condition: TagFilter) -> str | None:
    kind, key, value = condition.type, condition.key or "", condition.value
    if kind is not TagFilterType.VALUE_ONLY and not 1 <= len(key) <= LONGEST_KEY:
        return f"needs a key of 1 to {LONGEST_KEY} characters"
    if kind is not TagFilterType.KEY_ONLY and value is None:
        return "needs a value (use KEY_ONLY for any value)"
    if len(value or "") > LONGEST_VALUE:
        return f"has a value of more than {LONGEST_VALUE} characters"
    return None


def check_config(config: DeploymentConfig) -> None:
    """A custom configuration that can be kept. Raises DeploymentConfigNameRequired, InvalidDeploymentConfigName,
    InvalidMinimumHealthyHostValue or InvalidZonalDeploymentConfiguration."""
    name, minimum = config.deployment_config_name, config.minimum_healthy_hosts
    if not name:
        raise DeploymentConfigNameRequired
    if not NAME.fullmatch(name) or name.startswith(RESERVED_PREFIX):
        raise InvalidDeploymentConfigName
    if not 0 <= minimum.value <= _MOST.get(minimum.type, -1):
        raise InvalidMinimumHealthyHostValue
    _check_zones(config.zonal_config)


_MOST = {MinimumHealthyHostsType.HOST_COUNT: math.inf, MinimumHealthyHostsType.FLEET_PERCENT: 99}
"""The largest value of a minimum that a caller may give, by its type."""


def _check_zones(zonal: ZonalConfig | None) -> None:
    if zonal is None:
        return
    seconds = (zonal.first_zone_monitor_duration_in_seconds, zonal.monitor_duration_in_seconds)
    if any(wait is not None and wait < 0 for wait in seconds):
        raise InvalidZonalDeploymentConfiguration("A zone cannot be monitored for less than 0 seconds.")
    minimum = zonal.minimum_healthy_hosts_per_zone
    if minimum is not None and not 0 <= minimum.value <= _MOST.get(minimum.type, -1):
        raise InvalidZonalDeploymentConfiguration(
            "The minimum healthy hosts of a zone must be HOST_COUNT 0 or more, or FLEET_PERCENT 0 to 99."
        )


def check_instance(name: str, tags: Mapping[str, str]) -> None:
    """An on-premises instance that can be registered. Raises InstanceNameRequired, InvalidInstanceName,
    TagLimitExceeded or InvalidTag."""
    if not name:
        raise InstanceNameRequired
    if not NAME.fullmatch(name) or name.startswith("i-"):
        raise InvalidInstanceName
    check_tags(tags)


def check_tags(tags: Mapping[str, str]) -> None:
    """All the tags of one instance. Raises TagLimitExceeded or InvalidTag."""
    if len(tags) > MOST_TAGS:
        raise TagLimitExceeded
    for key, value in tags.items():
        if not 1 <= len(key) <= LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise InvalidTag


def check_iam_arns(user: str | None, session: str | None) -> None:
    """The identity of an on-premises instance as AWS asks for it: exactly one of the two, and well formed."""
    if not user and not session:
        raise IamArnRequired
    if user and session:
        raise MultipleIamArnsProvided
    if user and not USER_ARN.fullmatch(user):
        raise InvalidIamUserArn
    if session and not SESSION_ARN.fullmatch(session):
        raise InvalidIamSessionArn
