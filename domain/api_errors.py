"""The caller errors of the API's operations on resources, beside those that admission has in domain.errors.

Source: AWS CodeDeploy API reference, the errors of each operation.
"""

from __future__ import annotations

from domain.errors import CallerError


class ApplicationLimitExceeded(CallerError):
    """More applications than the quota allows."""

    code = "ApplicationLimitExceededException"


class DeploymentGroupLimitExceeded(CallerError):
    """More deployment groups than the quota allows."""

    code = "DeploymentGroupLimitExceededException"


class DeploymentConfigLimitExceeded(CallerError):
    """More deployment configurations than the quota allows."""

    code = "DeploymentConfigLimitExceededException"


class DeploymentConfigInUse(CallerError):
    """The deployment configuration is in use."""

    code = "DeploymentConfigInUseException"


class InvalidOperation(CallerError):
    """This cannot be done with that resource."""

    code = "InvalidOperationException"


class InvalidComputePlatform(CallerError):
    """Slipway deploys to servers: the compute platform is Server."""

    code = "InvalidComputePlatformException"


class InvalidTrafficRoutingConfiguration(CallerError):
    """Traffic routing is for Lambda and ECS; a server configuration has none."""

    code = "InvalidTrafficRoutingConfigurationException"


class InvalidZonalDeploymentConfiguration(CallerError):
    """The zonal configuration is not valid."""

    code = "InvalidZonalDeploymentConfigurationException"


class RevisionDoesNotExist(CallerError):
    """The application has no such revision."""

    code = "RevisionDoesNotExistException"


class BatchLimitExceeded(CallerError):
    """More items than one call may ask for."""

    code = "BatchLimitExceededException"


class BucketNameFilterRequired(CallerError):
    """A key prefix needs the bucket that it is in."""

    code = "BucketNameFilterRequiredException"


class InvalidBucketNameFilter(CallerError):
    """The bucket name to filter by is not valid."""

    code = "InvalidBucketNameFilterException"


class InvalidNextToken(CallerError):
    """The next token is not one that this call gave out."""

    code = "InvalidNextTokenException"


class RoleRequired(CallerError):
    """A service role ARN is needed."""

    code = "RoleRequiredException"


class InvalidRole(CallerError):
    """The service role must be an IAM role ARN: arn:aws:iam::ACCOUNT:role/NAME."""

    code = "InvalidRoleException"


class InvalidAutoScalingGroup(CallerError):
    """An Auto Scaling group is not there, or there are more than 10."""

    code = "InvalidAutoScalingGroupException"


class LifecycleHookLimitExceeded(CallerError):
    """The Auto Scaling group has as many lifecycle hooks as it may have."""

    code = "LifecycleHookLimitExceededException"


class InvalidTriggerConfig(CallerError):
    """A trigger needs a name of its own, the ARN of an SNS topic, and events."""

    code = "InvalidTriggerConfigException"


class TriggerTargetsLimitExceeded(CallerError):
    """At most 10 triggers are allowed."""

    code = "TriggerTargetsLimitExceededException"


class InvalidAlarmConfig(CallerError):
    """The alarm configuration is not valid."""

    code = "InvalidAlarmConfigException"


class AlarmsLimitExceeded(CallerError):
    """More alarms than a deployment group may have."""

    code = "AlarmsLimitExceededException"


class InvalidAutoRollbackConfig(CallerError):
    """Automatic rollback that is enabled needs the events that start it."""

    code = "InvalidAutoRollbackConfigException"


class InvalidLoadBalancerInfo(CallerError):
    """The load balancer information is not valid."""

    code = "InvalidLoadBalancerInfoException"


class InvalidBlueGreenDeploymentConfiguration(CallerError):
    """The blue/green configuration is not valid."""

    code = "InvalidBlueGreenDeploymentConfigurationException"


class InvalidECSService(CallerError):
    """ECS services are not for a server application."""

    code = "InvalidECSServiceException"


class InvalidTargetGroupPair(CallerError):
    """Target group pairs are not for a server application."""

    code = "InvalidTargetGroupPairException"


class InvalidAutoScalingGroupProcessToSuspend(CallerError):
    """The processes that can be suspended are Terminate, AZRebalance, InstanceRefresh and ScheduledActions."""

    code = "InvalidAutoScalingGroupProcessToSuspendException"


class InvalidTagsToAdd(CallerError):
    """Tags need a key of 1 to 128 characters each, no key twice, and values of at most 256; at most 50 of them."""

    code = "InvalidTagsToAddException"


class TagRequired(CallerError):
    """At least one tag is needed."""

    code = "TagRequiredException"


class ResourceArnRequired(CallerError):
    """The ARN of a resource is needed."""

    code = "ResourceArnRequiredException"


class InvalidArn(CallerError):
    """This is not the ARN of a resource of this installation."""

    code = "InvalidArnException"


class ArnNotSupported(CallerError):
    """Resources of this kind have no tags; applications and deployment groups do."""

    code = "ArnNotSupportedException"


class InvalidTimeRange(CallerError):
    """The time range must begin before it ends."""

    code = "InvalidTimeRangeException"


class InvalidDeploymentId(CallerError):
    """A deployment id is d- and nine capital letters or digits."""

    code = "InvalidDeploymentIdException"


class DeploymentIsNotInReadyState(CallerError):
    """The deployment does not wait for what was asked."""

    code = "DeploymentIsNotInReadyStateException"


class DeploymentIdRequired(CallerError):
    """A deployment id is needed."""

    code = "DeploymentIdRequiredException"


class DeploymentNotStarted(CallerError):
    """The deployment has not started yet, so it has no targets."""

    code = "DeploymentNotStartedException"


class DeploymentTargetIdRequired(CallerError):
    """A target id is needed."""

    code = "DeploymentTargetIdRequiredException"


class DeploymentTargetListSizeExceeded(CallerError):
    """More targets than one call may ask for."""

    code = "DeploymentTargetListSizeExceededException"


class InstanceIdRequired(CallerError):
    """An instance id is needed."""

    code = "InstanceIdRequiredException"


class InstanceDoesNotExist(CallerError):
    """The deployment has no such instance."""

    code = "InstanceDoesNotExistException"


class InvalidInstanceStatus(CallerError):
    """This is not a status of a target."""

    code = "InvalidInstanceStatusException"


class InvalidInstanceType(CallerError):
    """The label of an instance is Blue or Green."""

    code = "InvalidInstanceTypeException"


class InvalidDeploymentInstanceType(CallerError):
    """Only a blue/green deployment has blue and green instances."""

    code = "InvalidDeploymentInstanceTypeException"


class InvalidTargetFilterName(CallerError):
    """Targets can be filtered by TargetStatus and ServerInstanceLabel."""

    code = "InvalidTargetFilterNameException"


class UnsupportedActionForDeploymentType(CallerError):
    """This cannot be done with a deployment of this type."""

    code = "UnsupportedActionForDeploymentTypeException"


class IamUserArnAlreadyRegistered(CallerError):
    """An on-premises instance with this IAM user ARN is registered already."""

    code = "IamUserArnAlreadyRegisteredException"


class IamSessionArnAlreadyRegistered(CallerError):
    """An on-premises instance with this IAM session ARN is registered already."""

    code = "IamSessionArnAlreadyRegisteredException"


class InstanceLimitExceeded(CallerError):
    """More instances than one call may name."""

    code = "InstanceLimitExceededException"


class InvalidTagFilter(CallerError):
    """A tag filter needs a key, a value or both, as its type says."""

    code = "InvalidTagFilterException"


class GitHubAccountTokenDoesNotExist(CallerError):
    """There is no GitHub token of this name."""

    code = "GitHubAccountTokenDoesNotExistException"


class GitHubAccountTokenNameRequired(CallerError):
    """The name of a GitHub token is needed."""

    code = "GitHubAccountTokenNameRequiredException"


class OperationNotSupported(CallerError):
    """This is not supported here."""

    code = "OperationNotSupportedException"
