"""What applications, groups, configurations and instances must look like to be kept.

Source: AWS CodeDeploy API reference; AWS CodeDeploy user guide, "CodeDeploy quotas".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.configs import DeploymentConfig, MinimumHealthyHostsType
from domain.errors import (
    ApplicationDoesNotExist,
    ApplicationNameRequired,
    DeploymentConfigDoesNotExist,
    DeploymentGroupNameRequired,
    InvalidApplicationName,
    InvalidDeploymentConfigName,
    InvalidDeploymentGroupName,
    InvalidEC2Tag,
    InvalidEC2TagCombination,
    InvalidInstanceName,
    InvalidMinimumHealthyHostValue,
    InvalidOnPremisesTagCombination,
    InvalidTag,
    TagLimitExceeded,
    TagSetListLimitExceeded,
)
from domain.groups import DeploymentGroup, TagFilter, TagFilterType
from workflows.admission import NAME

MOST_TAGS = 10
MOST_TAG_GROUPS = 3
LONGEST_KEY, LONGEST_VALUE = 128, 256
RESERVED_PREFIX = "CodeDeployDefault."


def check_application_name(name: str) -> None:
    """Raises ApplicationNameRequired or InvalidApplicationName."""
    if not name:
        raise ApplicationNameRequired
    if not NAME.fullmatch(name):
        raise InvalidApplicationName


def check_group(group: DeploymentGroup, *, application: bool, config: bool) -> None:
    """A group that can be kept; `application` and `config` say whether those it names exist."""
    if not group.deployment_group_name:
        raise DeploymentGroupNameRequired
    if not NAME.fullmatch(group.deployment_group_name):
        raise InvalidDeploymentGroupName
    check_application_name(group.application_name)
    if group.ec2_tag_filters and group.ec2_tag_set:
        raise InvalidEC2TagCombination
    if group.on_premises_instance_tag_filters and group.on_premises_tag_set:
        raise InvalidOnPremisesTagCombination
    _check_filters(group.ec2_tag_filters, group.ec2_tag_set, InvalidEC2Tag)
    _check_filters(group.on_premises_instance_tag_filters, group.on_premises_tag_set, InvalidTag)
    if not application:
        raise ApplicationDoesNotExist(f"No application is named {group.application_name}.")
    if not config:
        raise DeploymentConfigDoesNotExist(f"No deployment configuration is named {group.deployment_config_name}.")


def _check_filters(
    one_group: Sequence[TagFilter],
    groups: Sequence[Sequence[TagFilter]],
    invalid: type[InvalidTag | InvalidEC2Tag],
) -> None:
    if len(groups) > MOST_TAG_GROUPS:
        raise TagSetListLimitExceeded
    for group in (one_group, *groups):
        if len(group) > MOST_TAGS:
            raise TagLimitExceeded
        for condition in group:
            needs_key = condition.type is not TagFilterType.VALUE_ONLY
            if needs_key and not condition.key:
                raise invalid(f"a tag filter of type {condition.type} needs a key")


def check_config(config: DeploymentConfig) -> None:
    """A custom configuration that can be kept."""
    name, minimum = config.deployment_config_name, config.minimum_healthy_hosts
    if not NAME.fullmatch(name) or name.startswith(RESERVED_PREFIX):
        raise InvalidDeploymentConfigName
    percent = minimum.type is MinimumHealthyHostsType.FLEET_PERCENT
    if (
        minimum.type is MinimumHealthyHostsType.MOST_CONCURRENCY
        or minimum.value < 0
        or (percent and minimum.value > 99)
    ):
        raise InvalidMinimumHealthyHostValue


def check_instance(name: str, tags: Mapping[str, str]) -> None:
    """An on-premises instance that can be registered."""
    if not NAME.fullmatch(name) or name.startswith("i-"):
        raise InvalidInstanceName
    if len(tags) > MOST_TAGS:
        raise TagLimitExceeded
    for key, value in tags.items():
        if not 1 <= len(key) <= LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise InvalidTag
