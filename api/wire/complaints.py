"""Which error of AWS a problem with a member is: one table from shapes to names. An operation answers with a name only
if it models that error, else with ValidationException.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from api.wire.errors import WireError, invalid
from api.wire.model import errors_of


class Kind(Enum):
    """What may be wrong with a member whose type is right."""

    MISSING = "missing"
    EMPTY = "empty"
    FORM = "form"
    TOO_MANY = "too many"


@dataclass(frozen=True)
class Problem:
    """A member that breaks a constraint of its shape."""

    kind: Kind
    shapes: tuple[str, ...]
    """The shapes around the member, the outermost first, its own last; without the operation's input."""
    text: str
    """In AWS's words."""


Names = Mapping[str, tuple[str, ...]]

MISSING: Final[Names] = {
    "ApplicationName": ("ApplicationNameRequired",),
    "ApplicationsList": ("ApplicationNameRequired",),
    "Arn": ("ResourceArnRequired",),
    "DeploymentConfigName": ("DeploymentConfigNameRequired",),
    "DeploymentGroupName": ("DeploymentGroupNameRequired",),
    "DeploymentGroupsList": ("DeploymentGroupNameRequired",),
    "DeploymentId": ("DeploymentIdRequired",),
    "DeploymentsList": ("DeploymentIdRequired",),
    "GitHubAccountTokenName": ("GitHubAccountTokenNameRequired",),
    "InstanceId": ("InstanceIdRequired",),
    "InstancesList": ("InstanceIdRequired",),
    "InstanceName": ("InstanceNameRequired",),
    "InstanceNameList": ("InstanceNameRequired",),
    "RevisionLocation": ("RevisionRequired",),
    "RevisionLocationList": ("RevisionRequired",),
    "Role": ("RoleRequired",),
    "Tag": ("TagRequired",),
    "TagKeyList": ("TagRequired",),
    "TagList": ("TagRequired",),
    "TargetId": ("DeploymentTargetIdRequired",),
    "TargetIdList": ("DeploymentTargetIdRequired",),
}
"""For what is needed and not there."""

TOO_MANY: Final[Names] = {
    "AlarmList": ("AlarmsLimitExceeded",),
    "ApplicationsList": ("BatchLimitExceeded",),
    "DeploymentGroupsList": ("BatchLimitExceeded",),
    "DeploymentsList": ("BatchLimitExceeded",),
    "EC2TagSetList": ("TagSetListLimitExceeded",),
    "ECSServiceList": ("ECSServiceMappingLimitExceeded",),
    "InstanceNameList": ("BatchLimitExceeded", "InstanceLimitExceeded"),
    "InstancesList": ("BatchLimitExceeded",),
    "OnPremisesTagSetList": ("TagSetListLimitExceeded",),
    "RevisionLocationList": ("BatchLimitExceeded",),
    "TagList": ("TagLimitExceeded", "InvalidTagsToAdd"),
    "TargetIdList": ("DeploymentTargetListSizeExceeded",),
    "TriggerConfigList": ("TriggerTargetsLimitExceeded",),
}
"""For lists that are longer than anyone may send."""

FORM: Final[Names] = {
    "AlarmConfiguration": ("InvalidAlarmConfig",),
    "ApplicationName": ("InvalidApplicationName",),
    "ApplicationRevisionSortBy": ("InvalidSortBy",),
    "Arn": ("InvalidArn",),
    "AutoRollbackConfiguration": ("InvalidAutoRollbackConfig",),
    "AutoScalingGroupNameList": ("InvalidAutoScalingGroup",),
    "BlueGreenDeploymentConfiguration": ("InvalidBlueGreenDeploymentConfiguration",),
    "ComputePlatform": ("InvalidComputePlatform",),
    "DeploymentConfigName": ("InvalidDeploymentConfigName",),
    "DeploymentGroupName": ("InvalidDeploymentGroupName",),
    "DeploymentId": ("InvalidDeploymentId",),
    "DeploymentMode": ("InvalidInput",),
    "DeploymentStatus": ("InvalidDeploymentStatus",),
    "DeploymentStyle": ("InvalidDeploymentStyle",),
    "DeploymentWaitType": ("InvalidDeploymentWaitType",),
    "EC2DeploymentOptions": ("InvalidAutoScalingGroupProcessToSuspend",),
    "EC2TagFilterList": ("InvalidEC2Tag",),
    "EC2TagSetList": ("InvalidEC2Tag",),
    "ECSServiceList": ("InvalidECSService",),
    "ExternalId": ("InvalidExternalId",),
    "FileExistsBehavior": ("InvalidFileExistsBehavior",),
    "GitHubAccountTokenName": ("InvalidGitHubAccountTokenName",),
    "IamSessionArn": ("InvalidIamSessionArn",),
    "IamUserArn": ("InvalidIamUserArn",),
    "InstanceId": ("InvalidInstanceName",),
    "InstanceName": ("InvalidInstanceName",),
    "InstanceStatus": ("InvalidInstanceStatus",),
    "InstanceType": ("InvalidInstanceType",),
    "LifecycleEventHookExecutionId": ("InvalidLifecycleEventHookExecutionId",),
    "LifecycleEventStatus": ("InvalidLifecycleEventHookExecutionStatus",),
    "ListStateFilterAction": ("InvalidDeployedStateFilter",),
    "LoadBalancerInfo": ("InvalidLoadBalancerInfo",),
    "MinimumHealthyHosts": ("InvalidMinimumHealthyHostValue",),
    "NextToken": ("InvalidNextToken",),
    "OutdatedInstancesStrategy": ("InvalidInput",),
    "RegistrationStatus": ("InvalidRegistrationStatus",),
    "RevisionLocation": ("InvalidRevision",),
    "Role": ("InvalidRole",),
    "S3Bucket": ("InvalidBucketNameFilter",),
    "S3Key": ("InvalidKeyPrefixFilter",),
    "SortOrder": ("InvalidSortOrder",),
    "TagFilterList": ("InvalidTag", "InvalidTagFilter"),
    "TagKeyList": ("InvalidTagsToAdd",),
    "TagList": ("InvalidTagsToAdd", "InvalidTag"),
    "TargetFilterName": ("InvalidTargetFilterName",),
    "TargetGroupPairInfoList": ("InvalidTargetGroupPair",),
    "TargetId": ("InvalidDeploymentTargetId",),
    "TargetInstances": ("InvalidTargetInstances",),
    "TimeRange": ("InvalidTimeRange",),
    "TrafficRoutingConfig": ("InvalidTrafficRoutingConfiguration",),
    "TriggerConfigList": ("InvalidTriggerConfig",),
    "ZonalConfig": ("InvalidZonalDeploymentConfiguration",),
}
"""For what is there and is not as it should be. A shape without a row is answered as the nearest one around it."""

_TRIED: Final[Mapping[Kind, tuple[Names, ...]]] = {
    Kind.MISSING: (MISSING, FORM),
    Kind.EMPTY: (MISSING, FORM),
    Kind.FORM: (FORM,),
    Kind.TOO_MANY: (TOO_MANY, FORM),
}


def complaint(operation: str, problem: Problem) -> WireError:
    """The error to answer the problem with."""
    modelled = errors_of(operation)
    for name in _candidates(problem):
        if name in modelled:
            return WireError(name, problem.text)
    return invalid(f"1 validation error detected: {problem.text}")


def _candidates(problem: Problem) -> Iterator[str]:
    for names in _TRIED[problem.kind]:
        for shape in reversed(problem.shapes):
            yield from (f"{name}Exception" for name in names.get(shape, ()))
