"""One family of errors that say whose fault it is: the caller's, the host's or the world's. A bug raises its own kind.

The docstring of a class is its default message. Caller errors carry the AWS exception name as `code`.
"""

from __future__ import annotations


class SlipwayError(Exception):
    """Something Slipway knows about went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or type(self).__name__).strip().splitlines()[0])

    @property
    def message(self) -> str:
        """The text for a person."""
        return str(self.args[0])


class CallerError(SlipwayError):
    """The request cannot be carried out as it stands."""

    code = "InvalidInputException"


class InvalidInput(CallerError):
    """The input is not valid."""

    code = "InvalidInputException"


class AccessDenied(CallerError):
    """The access key's policy does not allow this."""

    code = "AccessDeniedException"


class AccessKeyDoesNotExist(CallerError):
    """There is no such access key."""

    code = "NoSuchEntity"


class WorldError(SlipwayError):
    """Something outside did not answer as it should; trying again may help."""


class ArchiveUnavailable(WorldError):
    """The archive of a commit cannot be had at this moment."""

    def __init__(self, message: str | None = None, *, until: float | None = None) -> None:
        super().__init__(message)
        self.until = until
        """Before this moment (seconds since the epoch) there is no use in asking again, where that is known."""


class ArchiveRefused(WorldError):
    """The archive of a commit is not given out."""


class ArchiveMissing(ArchiveRefused):
    """There is no such commit, or it is not shown."""


class CannotBegin(SlipwayError):
    """A deployment cannot find its targets, and trying again would not help.

    `code` is one of the deployment error codes of the API.
    """

    code = "INTERNAL_ERROR"


class MissingRights(CannotBegin):
    """AWS refuses a call."""

    code = "IAM_ROLE_PERMISSIONS"


class MissingCredentials(CannotBegin):
    """There are no credentials for AWS."""

    code = "IAM_ROLE_MISSING"


class NoSubscription(CannotBegin):
    """The account cannot use the service."""

    code = "NO_EC2_SUBSCRIPTION"


class AutoScalingGroupMissing(CannotBegin):
    """An Auto Scaling group of the deployment group is not there."""

    code = "AUTO_SCALING_CONFIGURATION"


class AwsOff(CannotBegin):
    """This installation does not speak to AWS: turn it on with SLIPWAY_AWS__ENABLED=true (`aws: {enabled: true}`)."""

    code = "AUTO_SCALING_CONFIGURATION"


class HookRefused(CannotBegin):
    """Auto Scaling does not take a lifecycle hook."""

    code = "AUTO_SCALING_CONFIGURATION"


class TooManyHooks(HookRefused):
    """The Auto Scaling group has as many lifecycle hooks as it may have."""


class BalancerMissing(CannotBegin):
    """A load balancer of the deployment group is not there, or is of a kind that takes no hosts."""

    code = "ELASTIC_LOAD_BALANCING_INVALID"


class BalancerRefuses(SlipwayError):
    """A load balancer will not take this host in or out, and asking again would not help."""


class CannotProvision(CannotBegin):
    """The hosts of a green environment cannot be made."""

    code = "AUTO_SCALING_CONFIGURATION"


class AlarmUnreadable(CannotBegin):
    """The state of an alarm cannot be read, and asking again would not help."""

    code = "ALARM_ACTIVE"


class AlarmMissing(AlarmUnreadable):
    """There is no such alarm."""


class PublishRefused(SlipwayError):
    """A channel does not take this very event."""


class Conflict(WorldError):
    """The record changed under every attempt to write it."""


class NameTaken(SlipwayError):
    """Another has the name already."""


class IllegalMove(SlipwayError):
    """A status may not change this way."""


class HostError(SlipwayError):
    """A step on the host failed.

    `code` is one of the lifecycle error codes of the API (`ScriptMissing`, `ScriptFailed`, `UnknownError` …).
    """

    code = "UnknownError"


class InvalidAppSpec(HostError):
    """The AppSpec file is not valid."""


class BundleError(HostError):
    """The bundle cannot be fetched or unpacked."""


class InstallError(HostError):
    """The revision cannot be installed."""


class ApplicationDoesNotExist(CallerError):
    """No application has this name."""

    code = "ApplicationDoesNotExistException"


class ApplicationAlreadyExists(CallerError):
    """An application with this name exists already."""

    code = "ApplicationAlreadyExistsException"


class ApplicationNameRequired(CallerError):
    """An application name is needed."""

    code = "ApplicationNameRequiredException"


class InvalidApplicationName(CallerError):
    """The application name must be 1 to 100 characters of A-Z a-z 0-9 + = , . @ _ -."""

    code = "InvalidApplicationNameException"


class DeploymentGroupDoesNotExist(CallerError):
    """No deployment group has this name in the application."""

    code = "DeploymentGroupDoesNotExistException"


class DeploymentGroupAlreadyExists(CallerError):
    """A deployment group with this name exists already in the application."""

    code = "DeploymentGroupAlreadyExistsException"


class DeploymentGroupNameRequired(CallerError):
    """A deployment group name is needed."""

    code = "DeploymentGroupNameRequiredException"


class InvalidDeploymentGroupName(CallerError):
    """The deployment group name must be 1 to 100 characters of A-Z a-z 0-9 + = , . @ _ -."""

    code = "InvalidDeploymentGroupNameException"


class DeploymentConfigDoesNotExist(CallerError):
    """No deployment configuration has this name."""

    code = "DeploymentConfigDoesNotExistException"


class DeploymentConfigAlreadyExists(CallerError):
    """A deployment configuration with this name exists already."""

    code = "DeploymentConfigAlreadyExistsException"


class InvalidDeploymentConfigName(CallerError):
    """The configuration name must be 1 to 100 of A-Z a-z 0-9 + = , . @ _ - and not begin CodeDeployDefault."""

    code = "InvalidDeploymentConfigNameException"


class DeploymentConfigNameRequired(CallerError):
    """A deployment configuration name is needed."""

    code = "DeploymentConfigNameRequiredException"


class InvalidMinimumHealthyHostValue(CallerError):
    """The minimum healthy hosts must be HOST_COUNT 0 or more, or FLEET_PERCENT 0 to 99."""

    code = "InvalidMinimumHealthyHostValueException"


class DeploymentDoesNotExist(CallerError):
    """No deployment has this id."""

    code = "DeploymentDoesNotExistException"


class DeploymentAlreadyCompleted(CallerError):
    """The deployment has ended already."""

    code = "DeploymentAlreadyCompletedException"


class DeploymentLimitExceeded(CallerError):
    """The deployment group has a deployment running already."""

    code = "DeploymentLimitExceededException"

    def __init__(self, message: str | None = None, *, running: str | None = None) -> None:
        super().__init__(message)
        self.running = running
        """The id of the deployment that is in the way, where one is."""


class DeploymentTargetDoesNotExist(CallerError):
    """The deployment has no target with this id."""

    code = "DeploymentTargetDoesNotExistException"


class DescriptionTooLong(CallerError):
    """A description may have at most 256 characters."""

    code = "DescriptionTooLongException"


class RevisionRequired(CallerError):
    """A revision is needed."""

    code = "RevisionRequiredException"


class InvalidRevision(CallerError):
    """The revision is not one that servers can install."""

    code = "InvalidRevisionException"


class RevisionMissing(InvalidRevision):
    """There is nothing at the place that the revision names."""


class InvalidFileExistsBehavior(CallerError):
    """The file-exists behaviour is DISALLOW, OVERWRITE or RETAIN."""

    code = "InvalidFileExistsBehaviorException"


class InvalidTargetInstances(CallerError):
    """Target instances can be given only for a blue/green deployment to existing instances."""

    code = "InvalidTargetInstancesException"


class TargetInstancesRequired(InvalidTargetInstances):
    """A blue/green deployment to existing instances needs targetInstances: the tags or Auto Scaling groups of green."""


class InvalidInstanceName(CallerError):
    """An instance name must be 1 to 100 characters of A-Z a-z 0-9 + = , . @ _ - and not begin with i-."""

    code = "InvalidInstanceNameException"


class InstanceNameRequired(CallerError):
    """An instance name is needed."""

    code = "InstanceNameRequiredException"


class IamArnRequired(CallerError):
    """Give the ARN of an IAM user or of an IAM session."""

    code = "IamArnRequiredException"


class MultipleIamArnsProvided(CallerError):
    """Give the ARN of an IAM user or of an IAM session, not both."""

    code = "MultipleIamArnsProvidedException"


class InvalidIamUserArn(CallerError):
    """The IAM user ARN must read arn:aws:iam::ACCOUNT:user/NAME."""

    code = "InvalidIamUserArnException"


class InvalidIamSessionArn(CallerError):
    """The IAM session ARN must read arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION."""

    code = "InvalidIamSessionArnException"


class InstanceNameAlreadyRegistered(CallerError):
    """An on-premises instance with this name is registered already."""

    code = "InstanceNameAlreadyRegisteredException"


class InstanceNotRegistered(CallerError):
    """No on-premises instance with this name is registered."""

    code = "InstanceNotRegisteredException"


class InvalidTag(CallerError):
    """A tag needs a key of 1 to 128 characters and a value of at most 256."""

    code = "InvalidTagException"


class InvalidEC2Tag(CallerError):
    """A tag filter needs a key, a value or both, as its type says."""

    code = "InvalidEC2TagException"


class InvalidEC2TagCombination(CallerError):
    """Give either ec2TagFilters or ec2TagSet, not both."""

    code = "InvalidEC2TagCombinationException"


class InvalidOnPremisesTagCombination(CallerError):
    """Give either onPremisesInstanceTagFilters or onPremisesTagSet, not both."""

    code = "InvalidOnPremisesTagCombinationException"


class TagLimitExceeded(CallerError):
    """At most 10 tags are allowed."""

    code = "TagLimitExceededException"


class TagSetListLimitExceeded(CallerError):
    """At most 3 tag groups are allowed."""

    code = "TagSetListLimitExceededException"
