"""EC2 instances, by their tags and by membership in Auto Scaling groups."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from adapters.aws import Aws
from adapters.fleet.auto_scaling import Membership, memberships_of
from domain.fleet import Fate, Instance, Target, TargetKind
from domain.groups import DeploymentGroup, TagFilterType

STATES = ("pending", "running", "stopping", "stopped")
"""All but terminated and shutting-down: a stopped instance is a target too, and fails as one."""
GONE = ("shutting-down", "terminated")
PAGE = 1000
IDS = 200
"""Values that one filter of a call may have."""
_SPECIAL = frozenset("*?\\")


class Ec2Fleet:
    """The instances of one account and region that a group could select."""

    kinds = frozenset({TargetKind.EC2})

    def __init__(self, aws: Aws, *, environments: Collection[str] = ()) -> None:
        self._aws = aws
        self.environments = frozenset(environments)
        """Names among a group's Auto Scaling groups that AWS knows nothing of."""

    def instances(self, group: DeploymentGroup) -> Sequence[Instance]:
        """Those with tags that the group looks at, and the members of its Auto Scaling groups; each once."""
        members = memberships_of(self._aws, set(group.auto_scaling_groups) - self.environments)
        wanted = [group.ec2_tag_filters, *group.ec2_tag_set]
        found: dict[str, Instance] = {}
        if any(wanted):
            found = {each.instance_id: each for each in _described(self._aws, members, narrowing(group))}
        unknown = {instance_id: groups for instance_id, groups in members.items() if instance_id not in found}
        found |= {each.instance_id: each for each in described_instances(self._aws, unknown)}
        return list(found.values())

    def gone(self, targets: Sequence[Target]) -> Mapping[str, Fate]:
        """Those of its kind that EC2 says are terminated or about to be. It forgets them after a while: one that it
        does not know may also be one that it does not know yet."""
        ids = sorted(target.target_id for target in targets if target.kind is TargetKind.EC2)
        found: dict[str, Fate] = {}
        for at in range(0, len(ids), IDS):
            filters = [
                {"Name": "instance-state-name", "Values": list(GONE)},
                {"Name": "instance-id", "Values": ids[at : at + IDS]},
            ]
            for page in self._aws.pages("ec2", "describe_instances", Filters=filters):
                described = (each for reservation in page["Reservations"] for each in reservation["Instances"])
                found |= {each["InstanceId"]: Fate.TERMINATED for each in described}
        return found


def described_instances(aws: Aws, members: Mapping[str, Membership]) -> list[Instance]:
    """Those of the instances that there are at all, in the order of their ids; each with the groups it is a member
    of."""
    ids = sorted(members)
    pages = [ids[at : at + IDS] for at in range(0, len(ids), IDS)]
    only: list[Mapping[str, object]] = [{"Name": "instance-id", "Values": page} for page in pages]
    found = [each for one in only for each in _described(aws, members, [one])]
    return sorted(found, key=lambda each: each.instance_id)


def _described(
    aws: Aws, members: Mapping[str, Membership], filters: Sequence[Mapping[str, object]]
) -> Iterator[Instance]:
    """The instances there are at all that pass the filters; never a part of them."""
    alive = {"Name": "instance-state-name", "Values": list(STATES)}
    pages = aws.pages("ec2", "describe_instances", Filters=[alive, *filters], PaginationConfig={"PageSize": PAGE})
    meta = aws.client("ec2").meta
    for page in pages:
        for reservation in page["Reservations"]:
            arn = f"arn:{meta.partition}:ec2:{meta.region_name}:{reservation['OwnerId']}:instance/"
            for described in reservation["Instances"]:
                yield instance_of(described, arn, members.get(described["InstanceId"]))


def instance_of(described: Mapping[str, Any], arn: str, membership: Membership | None) -> Instance:
    """An instance as EC2 describes it."""
    instance_id, member = described["InstanceId"], membership or Membership()
    return Instance(
        instance_id=instance_id,
        kind=TargetKind.EC2,
        arn=arn + instance_id,
        tags={tag["Key"]: tag["Value"] for tag in described.get("Tags", ())},
        zone=described.get("Placement", {}).get("AvailabilityZone"),
        address=described.get("PrivateIpAddress") or described.get("Ipv6Address"),
        auto_scaling_groups=tuple(sorted(member.groups)),
        launching=tuple(sorted(member.launching)),
        leaving=tuple(sorted(member.leaving)),
    )


def narrowing(group: DeploymentGroup) -> list[Mapping[str, object]]:
    """What EC2 is asked to leave out, so that a group in a large account need not read all of it. Never a host that the
    group selects: keys that EC2 would take for patterns, and values without a key, narrow nothing."""
    for alternatives in (group.ec2_tag_filters, *group.ec2_tag_set):
        keys = [None if one.type is TagFilterType.VALUE_ONLY else one.key for one in alternatives]
        if keys and all(key and _SPECIAL.isdisjoint(key) for key in keys):
            return [{"Name": "tag-key", "Values": sorted({str(key) for key in keys})}]
    return []
