"""What a deployment group may say beside its targets: triggers, alarms, rollback, style, balancers, blue/green.

Source: AWS CodeDeploy API reference, `DeploymentGroupInfo` and the types it names. Members keep None apart from what
was given, for a group is read back as it was written.
"""

from __future__ import annotations

from enum import StrEnum

from domain.values import Value


class AutoRollbackEvent(StrEnum):
    """What makes a deployment roll back."""

    DEPLOYMENT_FAILURE = "DEPLOYMENT_FAILURE"
    DEPLOYMENT_STOP_ON_ALARM = "DEPLOYMENT_STOP_ON_ALARM"
    DEPLOYMENT_STOP_ON_REQUEST = "DEPLOYMENT_STOP_ON_REQUEST"


class AutoRollbackConfiguration(Value):
    """When to roll back by itself."""

    enabled: bool | None = None
    events: tuple[AutoRollbackEvent, ...] | None = None


class Alarm(Value):
    """An alarm, by its name."""

    name: str | None = None


class AlarmConfiguration(Value):
    """Alarms that stop a deployment."""

    enabled: bool | None = None
    ignore_poll_alarm_failure: bool | None = None
    alarms: tuple[Alarm, ...] | None = None


class TriggerConfig(Value):
    """A topic that hears of some happenings."""

    trigger_name: str | None = None
    trigger_target_arn: str | None = None
    trigger_events: tuple[str, ...] | None = None


class DeploymentType(StrEnum):
    """On the same instances, or on new ones beside them."""

    IN_PLACE = "IN_PLACE"
    BLUE_GREEN = "BLUE_GREEN"


class DeploymentOption(StrEnum):
    """Whether traffic is cut before an instance is touched and restored after."""

    WITH_TRAFFIC_CONTROL = "WITH_TRAFFIC_CONTROL"
    WITHOUT_TRAFFIC_CONTROL = "WITHOUT_TRAFFIC_CONTROL"


class DeploymentStyle(Value):
    """How the group is deployed to."""

    deployment_type: DeploymentType | None = None
    deployment_option: DeploymentOption | None = None


class NamedBalancer(Value):
    """A Classic load balancer or a target group, by its name."""

    name: str | None = None


class LoadBalancerInfo(Value):
    """The load balancers in front of the group."""

    elb_info_list: tuple[NamedBalancer, ...] | None = None
    target_group_info_list: tuple[NamedBalancer, ...] | None = None


class InstanceAction(StrEnum):
    """What becomes of the blue instances."""

    TERMINATE = "TERMINATE"
    KEEP_ALIVE = "KEEP_ALIVE"


class BlueInstanceTerminationOption(Value):
    """When the blue instances go; minutes, at most 2880."""

    action: InstanceAction | None = None
    termination_wait_time_in_minutes: int | None = None


class DeploymentReadyAction(StrEnum):
    """What happens when green is installed and nobody says go on."""

    CONTINUE_DEPLOYMENT = "CONTINUE_DEPLOYMENT"
    STOP_DEPLOYMENT = "STOP_DEPLOYMENT"


class DeploymentReadyOption(Value):
    """The wait before traffic goes to green; minutes, at most 2880."""

    action_on_timeout: DeploymentReadyAction | None = None
    wait_time_in_minutes: int | None = None


class GreenFleetProvisioningAction(StrEnum):
    """Where the green instances come from."""

    DISCOVER_EXISTING = "DISCOVER_EXISTING"
    COPY_AUTO_SCALING_GROUP = "COPY_AUTO_SCALING_GROUP"


class GreenFleetProvisioningOption(Value):
    """Where the green instances come from."""

    action: GreenFleetProvisioningAction | None = None


class BlueGreenDeploymentConfiguration(Value):
    """How a blue/green deployment goes."""

    terminate_blue_instances_on_deployment_success: BlueInstanceTerminationOption | None = None
    deployment_ready_option: DeploymentReadyOption | None = None
    green_fleet_provisioning_option: GreenFleetProvisioningOption | None = None


class Ec2DeploymentOptions(Value):
    """Auto Scaling processes to suspend while the group is deployed to."""

    auto_scaling_group_processes_to_suspend: tuple[str, ...] | None = None


class OutdatedInstancesStrategy(StrEnum):
    """What becomes of instances that Auto Scaling launched with the earlier revision during a deployment."""

    UPDATE = "UPDATE"
    IGNORE = "IGNORE"
