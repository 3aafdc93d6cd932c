"""Deployment groups: which targets an application is deployed to and how.

Source: AWS CodeDeploy API reference, `DeploymentGroupInfo`; members that Slipway adds are marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import AliasChoices, Field, field_validator

from domain.appspec import FileExistsBehavior
from domain.configs import ONE_AT_A_TIME
from domain.group_options import (
    AlarmConfiguration,
    AutoRollbackConfiguration,
    BlueGreenDeploymentConfiguration,
    DeploymentStyle,
    Ec2DeploymentOptions,
    LoadBalancerInfo,
    OutdatedInstancesStrategy,
    TriggerConfig,
)
from domain.revisions import RevisionLocation
from domain.scaling import ScalingHook
from domain.values import Entry, Instant, Value


class TagFilterType(StrEnum):
    """What of a tag a filter looks at."""

    KEY_ONLY = "KEY_ONLY"
    VALUE_ONLY = "VALUE_ONLY"
    KEY_AND_VALUE = "KEY_AND_VALUE"


class TagFilter(Value):
    """A condition on tags; `*` in the value stands for any run of characters, all else is case sensitive."""

    key: str | None = Field(None, validation_alias=AliasChoices("key", "Key"))
    value: str | None = Field(None, validation_alias=AliasChoices("value", "Value"))
    type: TagFilterType = Field(TagFilterType.KEY_AND_VALUE, validation_alias=AliasChoices("type", "Type"))


class TargetInstances(Value):
    """Where the green hosts of a blue/green deployment are found: by tags, EC2 or registered alike, and by Auto Scaling
    group (API type `TargetInstances`)."""

    tag_filters: tuple[TagFilter, ...] = ()
    ec2_tag_set: tuple[tuple[TagFilter, ...], ...] = ()
    auto_scaling_groups: tuple[str, ...] = ()

    @field_validator("ec2_tag_set", mode="before")
    @classmethod
    def _list_within(cls, given: Any) -> Any:
        """The API wraps the groups of a tag set in an object."""
        return given.get("ec2TagSetList") or () if isinstance(given, Mapping) else given


class Selection(Value):
    """How a group selects its hosts: the members of `DeploymentGroup` of these names; None leaves one as it is."""

    ec2_tag_filters: tuple[TagFilter, ...] | None = None
    ec2_tag_set: tuple[tuple[TagFilter, ...], ...] | None = None
    on_premises_instance_tag_filters: tuple[TagFilter, ...] | None = None
    on_premises_tag_set: tuple[tuple[TagFilter, ...], ...] | None = None
    auto_scaling_groups: tuple[str, ...] | None = None


class Busy(StrEnum):
    """What becomes of a second deployment while one runs (ours; AWS always refuses)."""

    REFUSE = "REFUSE"
    QUEUE = "QUEUE"


class LastDeployment(Value):
    """What a group remembers of its last attempted or last successful deployment."""

    deployment_id: str
    status: str
    create_time: Instant
    end_time: Instant | None = None


class DeploymentGroup(Entry):
    """A deployment group.

    Tag filters come as groups: any filter of a group may match (OR), every group must (AND). `ec2_tag_filters` and
    `on_premises_instance_tag_filters` are the one-group form of the same thing.
    """

    application_id: str
    deployment_group_id: str
    deployment_group_name: str
    deployment_config_name: str = ONE_AT_A_TIME
    service_role_arn: str | None = None
    ec2_tag_filters: tuple[TagFilter, ...] = ()
    ec2_tag_set: tuple[tuple[TagFilter, ...], ...] = ()
    on_premises_instance_tag_filters: tuple[TagFilter, ...] = ()
    on_premises_tag_set: tuple[tuple[TagFilter, ...], ...] = ()
    auto_scaling_groups: tuple[str, ...] = ()
    trigger_configurations: tuple[TriggerConfig, ...] = ()
    alarm_configuration: AlarmConfiguration | None = None
    auto_rollback_configuration: AutoRollbackConfiguration | None = None
    deployment_style: DeploymentStyle | None = None
    outdated_instances_strategy: OutdatedInstancesStrategy | None = None
    blue_green_deployment_configuration: BlueGreenDeploymentConfiguration | None = None
    load_balancer_info: LoadBalancerInfo | None = None
    ec2_deployment_options: Ec2DeploymentOptions | None = None
    termination_hook_enabled: bool | None = None
    tags: Mapping[str, str] = {}
    """Of the resource itself; they select no targets."""
    target_revision: RevisionLocation | None = None
    last_attempted_deployment: LastDeployment | None = None
    last_successful_deployment: LastDeployment | None = None
    create_time: Instant = 0.0
    serves_by: str | None = None
    """The blue/green deployment that brought the hosts which the group selects now."""

    busy: Busy = Busy.REFUSE
    """Ours: refuse or queue a second deployment."""
    event_seconds: int | None = None
    """Ours: the limit of one lifecycle event, where it differs from the settings'."""
    appspec_filename: str | None = None
    """Ours: the name of the AppSpec file, where it is not appspec.yml or appspec.yaml."""
    file_exists_behavior: FileExistsBehavior | None = None
    """Ours: the default for deployments that do not say."""
    restore_overwritten: bool = False
    """Ours: a rollback gives others' files back that OVERWRITE replaced."""
    hooks: tuple[ScalingHook, ...] = ()
    """The lifecycle hooks that were installed for it on its Auto Scaling groups."""

    @property
    def identity(self) -> str:
        """The group's id."""
        return self.deployment_group_id

    @property
    def entry_name(self) -> str:
        """The application's id and the group's name."""
        return group_name(self.application_id, self.deployment_group_name)


def group_name(application_id: str, deployment_group_name: str) -> str:
    """The name by which the store finds a group: group names are unique within their application, which may be renamed
    itself."""
    return f"{application_id}/{deployment_group_name}"
