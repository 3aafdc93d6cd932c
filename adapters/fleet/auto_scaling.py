"""Auto Scaling groups as AWS has them: which there are, and which instances are their members."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from adapters.aws import Aws
from domain.errors import AutoScalingGroupMissing

_LEAVING = "Terminat"
"""How the lifecycle states begin of members that nothing will bring back."""


def members_of(aws: Aws, names: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    """The members of the groups by instance id, each with the groups it is in; raises AutoScalingGroupMissing."""
    if not names:
        return {}
    found: dict[str, list[str]] = defaultdict(list)
    there: set[str] = set()
    for page in aws.pages("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=sorted(names)):
        for group in page["AutoScalingGroups"]:
            there.add(group["AutoScalingGroupName"])
            for member in group["Instances"]:
                if not member["LifecycleState"].startswith(_LEAVING):
                    found[member["InstanceId"]].append(group["AutoScalingGroupName"])
    if missing := [name for name in names if name not in there]:
        raise AutoScalingGroupMissing(
            f"There is no Auto Scaling group {', '.join(missing)}; take it out of the deployment group."
        )
    return {instance_id: tuple(sorted(groups)) for instance_id, groups in found.items()}


def missing_of(aws: Aws, names: Sequence[str]) -> Sequence[str]:
    """Those of the names that no Auto Scaling group has."""
    if not names:
        return ()
    pages = aws.pages("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=sorted(names))
    there = {group["AutoScalingGroupName"] for page in pages for group in page["AutoScalingGroups"]}
    return [name for name in names if name not in there]
