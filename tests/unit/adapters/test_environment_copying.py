"""What of an Auto Scaling group is copied, and how large the copy is to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from adapters.environments import auto_scaling_copy as copying
from tests.environment_sites import an_order

ORDER = an_order("blue", "d-1")
MINIMAL: Mapping[str, Any] = {"AutoScalingGroupName": "blue", "MaxSize": 4, "Instances": [], "DesiredCapacity": 2}
TEMPLATE = {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "web", "Version": "$Latest"}
AS_IT_IS: Mapping[str, Any] = {
    "LaunchConfigurationName": "web-launch",
    "AvailabilityZones": ["us-east-1a"],
    "VPCZoneIdentifier": "subnet-1,subnet-2",
    "HealthCheckType": "ELB",
    "HealthCheckGracePeriod": 0,
    "PlacementGroup": "near",
    "TerminationPolicies": ["OldestInstance"],
    "NewInstancesProtectedFromScaleIn": True,
    "CapacityRebalance": False,
    "DefaultCooldown": 30,
    "ServiceLinkedRoleARN": "arn:aws:iam::111122223333:role/aws-service-role/autoscaling.amazonaws.com/A",
    "MaxInstanceLifetime": 86400,
    "Context": "context",
    "DesiredCapacityType": "units",
    "DefaultInstanceWarmup": 60,
    "InstanceMaintenancePolicy": {"MinHealthyPercentage": 90, "MaxHealthyPercentage": 110},
    "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
    "AvailabilityZoneImpairmentPolicy": {"ZonalShiftEnabled": False},
    "CapacityReservationSpecification": {"CapacityReservationPreference": "default"},
    "InstanceLifecyclePolicy": {"RetentionTriggers": {"TerminateHookAbandon": "retain"}},
    "DeletionProtection": "prevent-force-deletion",
}
TOLD_ONLY: Mapping[str, Any] = {
    "AutoScalingGroupARN": "arn",
    "CreatedTime": "then",
    "Status": None,
    "SuspendedProcesses": [],
    "EnabledMetrics": [],
    "WarmPoolSize": 0,
    "PredictedCapacity": 3,
    "LoadBalancerNames": ["classic"],
    "TargetGroupARNs": ["arn:target-group"],
    "TrafficSources": [{"Identifier": "arn:target-group"}],
}
"""What AWS tells of a group that no copy is given: what it finds out itself, and what would send traffic."""


def input_of(operation: str) -> Any:
    client: Any = boto3.client
    made = client("autoscaling", region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s")
    return made.meta.service_model.operation_model(operation).input_shape


def members(*states: str, weight: str | None = None) -> list[dict[str, Any]]:
    return [
        {"InstanceId": f"i-{number}", "LifecycleState": state, "HealthStatus": health, "WeightedCapacity": weight}
        for number, told in enumerate(states)
        for state, _, health in [told.partition("/")]
    ]


def test_all_that_makes_the_group_what_it_is_is_copied() -> None:
    copied = copying.copied_group({**MINIMAL, **AS_IT_IS, **TOLD_ONLY}, ORDER)
    assert {name: copied[name] for name in AS_IT_IS} == AS_IT_IS
    assert not set(copied) & set(TOLD_ONLY)
    assert (copied["AutoScalingGroupName"], copied["MinSize"], copied["DesiredCapacity"]) == (
        "CodeDeploy_web_d-1",
        0,
        0,
    )
    assert copied["MaxSize"] == 4
    assert not ParamValidator().validate(copied, input_of("CreateAutoScalingGroup")).has_errors()


def test_what_is_not_set_is_not_given() -> None:
    assert set(copying.copied_group({**MINIMAL, "PlacementGroup": None, "VPCZoneIdentifier": ""}, ORDER)) == {
        *("AutoScalingGroupName", "MinSize", "MaxSize", "DesiredCapacity", "Tags")
    }


def test_no_member_is_forgotten() -> None:
    known = {*copying.copied_group({**MINIMAL, **AS_IT_IS}, ORDER), "LaunchTemplate", "MixedInstancesPolicy"}
    # An instance to copy; hooks, which move later; zones by their ids, which go with none by name; an operator's mark.
    left = {"InstanceId", "LifecycleHookSpecificationList", "AvailabilityZoneIds", "SkipZonalShiftValidation"}
    unsent = {"LoadBalancerNames", "TargetGroupARNs", "TrafficSources", "Operator"}
    assert set(input_of("CreateAutoScalingGroup").members) == known | left | unsent


def test_launch_templates_are_named_once() -> None:
    mixed = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": TEMPLATE,
            "Overrides": [
                {"InstanceType": "t3.micro", "LaunchTemplateSpecification": TEMPLATE}, {"WeightedCapacity": "2"},
            ],
        },
        "InstancesDistribution": {"OnDemandBaseCapacity": 1},
    }  # fmt: skip
    copied = copying.copied_group({**MINIMAL, "LaunchTemplate": TEMPLATE, "MixedInstancesPolicy": mixed}, ORDER)
    once = {"LaunchTemplateId": "lt-1", "Version": "$Latest"}
    assert copied["LaunchTemplate"] == once
    template = copied["MixedInstancesPolicy"]["LaunchTemplate"]
    assert template["LaunchTemplateSpecification"] == once
    assert template["Overrides"] == [
        {"InstanceType": "t3.micro", "LaunchTemplateSpecification": once},
        {"WeightedCapacity": "2"},
    ]
    assert copied["MixedInstancesPolicy"]["InstancesDistribution"] == {"OnDemandBaseCapacity": 1}
    assert copying.copied_group({**MINIMAL, "LaunchTemplate": {"LaunchTemplateName": "web"}}, ORDER)[
        "LaunchTemplate"
    ] == {"LaunchTemplateName": "web"}


def test_tags_are_copied_but_for_those_that_are_not_ours_to_give() -> None:
    tags = [
        {"Key": "role", "Value": "web", "PropagateAtLaunch": True, "ResourceId": "blue", "ResourceType": "g"},
        {"Key": "aws:cloudformation:stack-name", "Value": "stack", "PropagateAtLaunch": True},
        {"Key": copying.TAG, "Value": "d-0", "PropagateAtLaunch": True},
    ]
    copied = copying.copied_group({**MINIMAL, "Tags": tags}, ORDER)
    assert copied["Tags"] == [
        {"Key": "role", "Value": "web", "PropagateAtLaunch": True},
        {"Key": copying.TAG, "Value": "d-1", "PropagateAtLaunch": True},
    ]
    assert copying.made_for(copied, "d-1")
    assert not copying.made_for(copied, "d-0")


@pytest.mark.parametrize(
    ("told", "copied"),
    [
        ({"MinAdjustmentStep": 1}, {"MinAdjustmentStep": 1}),
        ({"MinAdjustmentStep": 1, "MinAdjustmentMagnitude": 2}, {"MinAdjustmentMagnitude": 2}),
        ({"PolicyARN": "arn", "Alarms": [{"AlarmName": "a"}]}, {}),
        ({"Enabled": False, "ScalingAdjustment": 0}, {"Enabled": False, "ScalingAdjustment": 0}),
    ],
)
def test_policies_are_copied(told: Mapping[str, Any], copied: Mapping[str, Any]) -> None:
    made = copying.copied_policy({"PolicyName": "out", **told}, "green")
    assert made == {"AutoScalingGroupName": "green", "PolicyName": "out", **copied}


def test_notifications_are_copied_topic_by_topic() -> None:
    told = [{"TopicARN": topic, "NotificationType": kind} for topic, kind in [("t1", "b"), ("t2", "a"), ("t1", "a")]]
    assert copying.copied_notifications(told, "green") == [
        {"AutoScalingGroupName": "green", "TopicARN": "t1", "NotificationTypes": ["a", "b"]},
        {"AutoScalingGroupName": "green", "TopicARN": "t2", "NotificationTypes": ["a"]},
    ]


@pytest.mark.parametrize(
    ("told", "size"),
    [
        (members("InService/Healthy", "InService/Healthy"), 2),
        (members("InService/Healthy", "InService/Unhealthy", "Pending/Healthy", "Standby/Healthy"), 1),
        (members("Terminating/Healthy"), 0),
        (members(*["InService/Healthy"] * 6), 4),
        (members("InService/Healthy", weight="3"), 3),
    ],
)
def test_green_is_as_large_as_what_is_healthy_of_blue(told: Sequence[Mapping[str, Any]], size: int) -> None:
    assert copying.size_of({**MINIMAL, "Instances": told}) == size


def test_a_group_in_another_measure_keeps_its_size() -> None:
    blue = {**MINIMAL, "DesiredCapacityType": "vcpu", "Instances": members("InService/Healthy")}
    assert copying.size_of(blue) == 2
    assert copying.size_of({**blue, "Instances": []}) == 0


@pytest.mark.parametrize(
    ("told", "full"),
    [
        (members("InService/Healthy", "InService/Healthy"), True),
        (members("InService/Healthy", weight="2"), True),
        (members("InService/Healthy"), False),
        (members("InService/Healthy", "InService/Healthy", "Pending/Healthy"), False),
        (members("InService/Healthy", "InService/Unhealthy"), False),
        ([], False),
    ],
)
def test_green_is_full_when_all_are_in_service(told: Sequence[Mapping[str, Any]], full: bool) -> None:
    assert copying.is_full({**MINIMAL, "Instances": told}) is full
