"""What a deployment group's options must look like: triggers, alarms, rollback, style, balancers, blue/green.

Source: AWS CodeDeploy API reference, CreateDeploymentGroup; AWS CodeDeploy user guide, "CodeDeploy quotas".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from domain.api_errors import (
    InvalidAutoScalingGroup,
    InvalidAutoScalingGroupProcessToSuspend,
    InvalidBlueGreenDeploymentConfiguration,
    InvalidLoadBalancerInfo,
    InvalidTriggerConfig,
    TriggerTargetsLimitExceeded,
)
from domain.group_options import (
    BlueGreenDeploymentConfiguration,
    DeploymentOption,
    DeploymentType,
    Ec2DeploymentOptions,
    GreenFleetProvisioningAction,
    LoadBalancerInfo,
    NamedBalancer,
    TriggerConfig,
)
from domain.groups import DeploymentGroup
from domain.happenings import TRIGGER_EVENTS
from domain.limits import Quotas
from workflows.admission import check_rollback
from workflows.alarms import check_alarms
from workflows.plan import LONGEST_WAIT

MOST_TRIGGERS = 10
MOST_BALANCERS = 10
MOST_AUTO_SCALING_GROUPS = 10
TOPIC_ARN = re.compile(r"arn:aws(-cn|-us-gov)?:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_.-]{1,256}", re.ASCII)
PROCESSES = frozenset({"Terminate", "AZRebalance", "InstanceRefresh", "ScheduledActions"})


def check_options(group: DeploymentGroup, quotas: Quotas) -> None:
    """Raises the CallerErrors of CreateDeploymentGroup for options that cannot be."""
    check_auto_scaling_groups(group.auto_scaling_groups)
    _check_triggers(group.trigger_configurations)
    check_alarms(group.alarm_configuration, quotas)
    check_rollback(group.auto_rollback_configuration)
    _check_balancers(group)
    _check_blue_green(group)
    check_processes(group.ec2_deployment_options)


def check_auto_scaling_groups(names: Sequence[str]) -> None:
    """Raises InvalidAutoScalingGroup."""
    if len(names) > MOST_AUTO_SCALING_GROUPS:
        raise InvalidAutoScalingGroup(f"At most {MOST_AUTO_SCALING_GROUPS} Auto Scaling groups are allowed.")
    if not all(names) or len(set(names)) < len(names):
        raise InvalidAutoScalingGroup("Each Auto Scaling group needs a name, and may be given once.")


def _check_triggers(triggers: Sequence[TriggerConfig]) -> None:
    if len(triggers) > MOST_TRIGGERS:
        raise TriggerTargetsLimitExceeded
    for trigger in triggers:
        if not trigger.trigger_name:
            raise InvalidTriggerConfig("Each trigger needs a name.")
        if not TOPIC_ARN.fullmatch(trigger.trigger_target_arn or ""):
            raise InvalidTriggerConfig(f"The trigger {trigger.trigger_name} needs the ARN of an SNS topic.")
        events = trigger.trigger_events or ()
        if not events or not set(events) <= {kind.value for kind in TRIGGER_EVENTS}:
            raise InvalidTriggerConfig(f"The trigger {trigger.trigger_name} needs events that there are.")
    if len({trigger.trigger_name for trigger in triggers}) < len(triggers):
        raise InvalidTriggerConfig("Two triggers have the same name.")


def _check_balancers(group: DeploymentGroup) -> None:
    info = group.load_balancer_info or LoadBalancerInfo()
    for balancers in (info.elb_info_list or (), info.target_group_info_list or ()):
        _check_names(balancers)
    style = group.deployment_style
    named = info.elb_info_list or info.target_group_info_list
    if style and style.deployment_option is DeploymentOption.WITH_TRAFFIC_CONTROL and not named:
        raise InvalidLoadBalancerInfo("Traffic control needs a load balancer or a target group.")


def _check_names(balancers: Sequence[NamedBalancer]) -> None:
    names = [balancer.name for balancer in balancers]
    if len(names) > MOST_BALANCERS:
        raise InvalidLoadBalancerInfo(f"At most {MOST_BALANCERS} load balancers of a kind are allowed.")
    if not all(names) or len(set(names)) < len(names):
        raise InvalidLoadBalancerInfo("Each load balancer needs a name, and may be given once.")


def _check_blue_green(group: DeploymentGroup) -> None:
    style, config = group.deployment_style, group.blue_green_deployment_configuration
    if config is not None:
        _check_waits(config)
    if style is None or style.deployment_type is not DeploymentType.BLUE_GREEN:
        return
    if config is None:
        raise InvalidBlueGreenDeploymentConfiguration("A blue/green group needs blueGreenDeploymentConfiguration.")
    if style.deployment_option is not DeploymentOption.WITH_TRAFFIC_CONTROL:
        raise InvalidBlueGreenDeploymentConfiguration("A blue/green group needs traffic control.")
    provisioning = config.green_fleet_provisioning_option
    copies = provisioning and provisioning.action is GreenFleetProvisioningAction.COPY_AUTO_SCALING_GROUP
    if copies and len(group.auto_scaling_groups) != 1:
        raise InvalidBlueGreenDeploymentConfiguration("To copy an Auto Scaling group, name exactly one.")


def _check_waits(config: BlueGreenDeploymentConfiguration) -> None:
    ready, ending = config.deployment_ready_option, config.terminate_blue_instances_on_deployment_success
    waits = (
        ready.wait_time_in_minutes if ready else None,
        ending.termination_wait_time_in_minutes if ending else None,
    )
    if any(wait is not None and not 0 <= wait <= LONGEST_WAIT for wait in waits):
        raise InvalidBlueGreenDeploymentConfiguration(f"A wait is 0 to {LONGEST_WAIT} minutes.")


def check_processes(options: Ec2DeploymentOptions | None) -> None:
    """Raises InvalidAutoScalingGroupProcessToSuspend."""
    named = (options.auto_scaling_group_processes_to_suspend if options else None) or ()
    if not set(named) <= PROCESSES or len(set(named)) < len(named):
        raise InvalidAutoScalingGroupProcessToSuspend
