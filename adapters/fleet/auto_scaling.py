"""Auto Scaling groups as AWS has them: which there are, and which instances are their members."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.aws import Aws
from domain.errors import AutoScalingGroupMissing

_COMING, _LEAVING = "Pending", "Terminat"
"""How the lifecycle states begin of members that are not in service yet, and of those that nothing will bring back."""


@dataclass(slots=True)
class Membership:
    """The groups an instance is in, those of them that launch it still, and those that are about to terminate it."""

    groups: list[str] = field(default_factory=list)
    launching: list[str] = field(default_factory=list)
    leaving: list[str] = field(default_factory=list)


def memberships_of(aws: Aws, names: Collection[str]) -> Mapping[str, Membership]:
    """The members of the groups by instance id; raises AutoScalingGroupMissing."""
    if not names:
        return {}
    found: dict[str, Membership] = {}
    there: set[str] = set()
    for page in aws.pages("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=sorted(names)):
        for group in page["AutoScalingGroups"]:
            name = group["AutoScalingGroupName"]
            there.add(name)
            for member in group["Instances"]:
                _note(found.setdefault(member["InstanceId"], Membership()), name, member["LifecycleState"])
    if missing := [name for name in names if name not in there]:
        raise AutoScalingGroupMissing(
            f"There is no Auto Scaling group {', '.join(missing)}; take it out of the deployment group."
        )
    return found


def _note(membership: Membership, name: str, state: str) -> None:
    if state.startswith(_LEAVING):
        membership.leaving.append(name)
        return
    membership.groups.append(name)
    if state.startswith(_COMING):
        membership.launching.append(name)


def missing_of(aws: Aws, names: Sequence[str]) -> Sequence[str]:
    """Those of the names that no Auto Scaling group has."""
    if not names:
        return ()
    pages = aws.pages("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=sorted(names))
    there = {group["AutoScalingGroupName"] for page in pages for group in page["AutoScalingGroups"]}
    return [name for name in names if name not in there]
