"""What applications, groups, configurations and instances must look like to be kept.

Source: AWS CodeDeploy API reference; AWS CodeDeploy user guide, "CodeDeploy quotas".
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from domain.configs import DeploymentConfig, MinimumHealthyHostsType
from domain.errors import (
    ApplicationDoesNotExist,
    ApplicationNameRequired,
    CallerError,
    DeploymentConfigDoesNotExist,
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
    MultipleIamArnsProvided,
    TagLimitExceeded,
    TagSetListLimitExceeded,
)
from domain.groups import DeploymentGroup, TagFilter, TagFilterType
from workflows.admission import NAME

MOST_TAGS = 10
MOST_TAG_GROUPS = 3
LONGEST_KEY, LONGEST_VALUE = 128, 256
RESERVED_PREFIX = "CodeDeployDefault."
USER_ARN = re.compile(r"arn:aws(-cn|-us-gov)?:iam::\d{12}:user/[A-Za-z0-9/+=,.@_-]+", re.ASCII)
SESSION_ARN = re.compile(r"arn:aws(-cn|-us-gov)?:sts::\d{12}:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+", re.ASCII)


def check_application_name(name: str) -> None:
    """Raises ApplicationNameRequired or InvalidApplicationName."""
    if not name:
        raise ApplicationNameRequired
    if not NAME.fullmatch(name):
        raise InvalidApplicationName


def check_group(group: DeploymentGroup, *, application: bool, config: bool) -> None:
    """A group that can be kept; `application` and `config` say whether those it names exist.

    Raises the CallerErrors of CreateDeploymentGroup: what is missing first, then form, then what does not exist.
    """
    if not group.application_name:
        raise ApplicationNameRequired
    if not group.deployment_group_name:
        raise DeploymentGroupNameRequired
    check_application_name(group.application_name)
    if not NAME.fullmatch(group.deployment_group_name):
        raise InvalidDeploymentGroupName
    if group.event_seconds is not None and group.event_seconds < 1:
        raise CallerError(f"A lifecycle event must have at least one second, not {group.event_seconds}.")
    _check_selection(group)
    if not application:
        raise ApplicationDoesNotExist(f"No application is named {group.application_name}.")
    if not config:
        raise DeploymentConfigDoesNotExist(f"No deployment configuration is named {group.deployment_config_name}.")


def _check_selection(group: DeploymentGroup) -> None:
    if group.ec2_tag_filters and group.ec2_tag_set:
        raise InvalidEC2TagCombination
    if group.on_premises_instance_tag_filters and group.on_premises_tag_set:
        raise InvalidOnPremisesTagCombination
    _check_filters(group.ec2_tag_filters, group.ec2_tag_set, InvalidEC2Tag)
    _check_filters(group.on_premises_instance_tag_filters, group.on_premises_tag_set, InvalidTag)


def _check_filters(
    one_group: Sequence[TagFilter],
    groups: Sequence[Sequence[TagFilter]],
    invalid: type[InvalidTag | InvalidEC2Tag],
) -> None:
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
    """A custom configuration that can be kept. Raises DeploymentConfigNameRequired, InvalidDeploymentConfigName or
    InvalidMinimumHealthyHostValue."""
    name, minimum = config.deployment_config_name, config.minimum_healthy_hosts
    if not name:
        raise DeploymentConfigNameRequired
    if not NAME.fullmatch(name) or name.startswith(RESERVED_PREFIX):
        raise InvalidDeploymentConfigName
    most = {MinimumHealthyHostsType.HOST_COUNT: math.inf, MinimumHealthyHostsType.FLEET_PERCENT: 99}
    if not 0 <= minimum.value <= most.get(minimum.type, -1):
        raise InvalidMinimumHealthyHostValue


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
