"""What a copy of an Auto Scaling group is made of: requests worked out from what AWS says of the original. Pure.

Source: Amazon EC2 Auto Scaling API reference, `AutoScalingGroup`, `CreateAutoScalingGroup`, `PutScalingPolicy`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.environments import GreenOrder

TAG = "CodeDeployProvisioningDeploymentId"
"""The tag that says which deployment made a group."""

_AS_IT_IS = (
    *("LaunchConfigurationName", "AvailabilityZones", "VPCZoneIdentifier", "HealthCheckType"),
    *("HealthCheckGracePeriod", "PlacementGroup", "TerminationPolicies", "NewInstancesProtectedFromScaleIn"),
    *("CapacityRebalance", "DefaultCooldown", "ServiceLinkedRoleARN", "MaxInstanceLifetime", "Context"),
    *("DesiredCapacityType", "DefaultInstanceWarmup", "InstanceMaintenancePolicy", "AvailabilityZoneDistribution"),
    *("AvailabilityZoneImpairmentPolicy", "CapacityReservationSpecification", "InstanceLifecyclePolicy"),
    "DeletionProtection",
)
"""Members that AWS takes as it tells them. Balancers and traffic sources are left out: a balancer that the group knows
would get green's hosts before anything is installed on them."""
_OF_POLICIES = (
    *("PolicyName", "PolicyType", "AdjustmentType", "MinAdjustmentMagnitude", "ScalingAdjustment", "Cooldown"),
    *("StepAdjustments", "MetricAggregationType", "EstimatedInstanceWarmup", "TargetTrackingConfiguration"),
    *("Enabled", "PredictiveScalingConfiguration"),
)
_OF_HOOKS = (
    *("LifecycleHookName", "LifecycleTransition", "RoleARN", "NotificationTargetARN", "NotificationMetadata"),
    *("HeartbeatTimeout", "DefaultResult"),
)
_OF_SCHEDULES = (
    *("ScheduledActionName", "StartTime", "EndTime", "Recurrence", "MinSize", "MaxSize", "DesiredCapacity", "TimeZone"),
)


def name_of(order: GreenOrder) -> str:
    """What the copy is called."""
    return f"CodeDeploy_{order.deployment_group_name}_{order.deployment_id}"


def made_for(group: Mapping[str, Any], deployment_id: str) -> bool:
    """Whether this very deployment made the group."""
    return any(tag["Key"] == TAG and tag["Value"] == deployment_id for tag in group.get("Tags", ()))


def copied_group(blue: Mapping[str, Any], order: GreenOrder) -> dict[str, Any]:
    """The request for an empty copy."""
    request = {
        "AutoScalingGroupName": name_of(order),
        "MinSize": 0,
        "MaxSize": blue["MaxSize"],
        "DesiredCapacity": 0,
        **_given(blue, _AS_IT_IS),
        "Tags": [*_tags(blue), {"Key": TAG, "Value": order.deployment_id, "PropagateAtLaunch": True}],
    }
    if template := blue.get("LaunchTemplate"):
        request["LaunchTemplate"] = _one_name(template)
    if policy := blue.get("MixedInstancesPolicy"):
        request["MixedInstancesPolicy"] = _mixed(policy)
    return request


def copied_policy(policy: Mapping[str, Any], green: str) -> dict[str, Any]:
    """The request for a scaling policy's copy."""
    # MinAdjustmentStep is what MinAdjustmentMagnitude was called once; AWS takes one of them.
    old = {} if policy.get("MinAdjustmentMagnitude") else _given(policy, ("MinAdjustmentStep",))
    return {"AutoScalingGroupName": green, **_given(policy, _OF_POLICIES), **old}


def copied_notifications(told: Sequence[Mapping[str, Any]], green: str) -> list[dict[str, Any]]:
    """The requests for the notifications' copies: AWS tells one kind at a time, and takes all kinds of a topic."""
    topics: dict[str, list[str]] = {}
    for each in told:
        topics.setdefault(each["TopicARN"], []).append(each["NotificationType"])
    return [
        {"AutoScalingGroupName": green, "TopicARN": topic, "NotificationTypes": sorted(kinds)}
        for topic, kinds in sorted(topics.items())
    ]


def copied_schedule(action: Mapping[str, Any], green: str) -> dict[str, Any]:
    """The request for a scheduled action's copy."""
    return {"AutoScalingGroupName": green, **_given(action, _OF_SCHEDULES)}


def kept_hook(hook: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a lifecycle hook, whichever group it is of."""
    return _given(hook, _OF_HOOKS)


def size_of(blue: Mapping[str, Any]) -> int:
    """How large green is to be: what blue's healthy members count for, in blue's own measure."""
    if blue.get("DesiredCapacityType", "units") != "units" and healthy_of(blue):
        return int(blue["DesiredCapacity"])
    return min(sum(weight_of(member) for member in healthy_of(blue)), int(blue["MaxSize"]))


def healthy_of(group: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The members in service."""
    return [m for m in group["Instances"] if m["LifecycleState"] == "InService" and m["HealthStatus"] == "Healthy"]


def weight_of(member: Mapping[str, Any]) -> int:
    """What a member counts for."""
    return int(member.get("WeightedCapacity") or 1)


def is_full(green: Mapping[str, Any]) -> bool:
    """Whether all that was asked for is in service, and nothing else is under way."""
    healthy = healthy_of(green)
    if not healthy or len(healthy) < len(green["Instances"]):
        return False
    measured = green.get("DesiredCapacityType", "units") == "units"
    return not measured or sum(weight_of(member) for member in healthy) >= green["DesiredCapacity"]


def _tags(blue: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that may be given: AWS keeps `aws:` for itself, and ours said who made blue."""
    return [
        {"Key": tag["Key"], "Value": tag.get("Value", ""), "PropagateAtLaunch": tag.get("PropagateAtLaunch", False)}
        for tag in blue.get("Tags", ())
        if not tag["Key"].startswith("aws:") and tag["Key"] != TAG
    ]


def _mixed(policy: Mapping[str, Any]) -> dict[str, Any]:
    template = dict(policy["LaunchTemplate"])
    template["LaunchTemplateSpecification"] = _one_name(template["LaunchTemplateSpecification"])
    if overrides := template.get("Overrides"):
        template["Overrides"] = [_override(each) for each in overrides]
    return {**policy, "LaunchTemplate": template}


def _override(override: Mapping[str, Any]) -> dict[str, Any]:
    own = override.get("LaunchTemplateSpecification")
    return {**override, "LaunchTemplateSpecification": _one_name(own)} if own else dict(override)


def _one_name(template: Mapping[str, Any]) -> dict[str, Any]:
    """A launch template by its id: AWS tells its name too, and does not take both."""
    spare = {"LaunchTemplateName"} if template.get("LaunchTemplateId") else set()
    return {name: value for name, value in template.items() if name not in spare and value}


def _given(told: Mapping[str, Any], members: Sequence[str]) -> dict[str, Any]:
    return {name: told[name] for name in members if told.get(name) not in (None, "", [], {})}
