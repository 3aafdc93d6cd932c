"""Terminates single EC2 instances: blue where its hosts are nobody's copy. Makes none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from adapters.aws import Aws, answering, told_by
from adapters.environments.telling import is_instance, named
from domain.environments import GreenOrder, Provisioned, Retirement
from domain.errors import CannotBegin, CannotProvision, WorldError

PAGE = 50
"""Instances of one call: what DescribeAutoScalingInstances takes."""
GONE = frozenset({"shutting-down", "terminated"})
REFUSED = frozenset({"OperationNotPermitted", "ValidationError", "UnsupportedOperation"})
"""Answers that stay the same until somebody changes the instance or its group."""


class SingleInstances:
    """The instances of one account and region."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def provision(self, order: GreenOrder) -> Provisioned | None:
        """Raises CannotProvision: there is nothing to copy."""
        raise CannotProvision(
            f"The deployment group {order.deployment_group_name} names no Auto Scaling group or environment from which "
            "green hosts could be made. Name one, or tell the deployment which hosts are green."
        )

    def abandon(self, order: GreenOrder) -> bool:  # noqa: ARG002
        """Nothing was made."""
        return True

    def retire(self, retirement: Retirement) -> bool:
        """Terminate blue if asked to; True once every instance is on its way out. Raises CannotBegin where some are to
        stay, once the others are gone."""
        if not retirement.terminate:
            return True
        cloud = [host.target_id for host in retirement.hosts if is_instance(host)]
        refused: list[str] = []
        for at in range(0, len(cloud), PAGE):
            if not self._end(cloud[at : at + PAGE], refused):
                return False
        if left := [host.target_id for host in retirement.hosts if not is_instance(host)]:
            refused.append(f"On-premises hosts cannot be terminated from here; end them yourself: {named(left)}.")
        if refused:
            raise CannotBegin(" ".join(refused))
        return True

    def _end(self, ids: Sequence[str], refused: list[str]) -> bool:
        """End one page of them; True once those that AWS ends are on their way out."""
        alive = self._alive(ids)
        members = self._members(alive)
        kept = {name for name, (group, state) in members.items() if self._keeps_member(name, group, state, refused)}
        kept |= self._keeps([name for name in alive if name not in members], refused)
        return not alive or not set(self._alive(alive)) - kept

    def _alive(self, ids: Collection[str]) -> list[str]:
        """Those that are not on their way out. AWS does not tell of instances that are long gone."""
        if not ids:
            return []
        only = [{"Name": "instance-id", "Values": list(ids)}]
        pages = self._aws.pages("ec2", "describe_instances", Filters=only)
        found = [each for page in pages for each in page["Reservations"]]
        return [each["InstanceId"] for one in found for each in one["Instances"] if each["State"]["Name"] not in GONE]

    def _members(self, ids: Sequence[str]) -> Mapping[str, tuple[str, str]]:
        """Those that an Auto Scaling group holds, with the group and their state in it."""
        if not ids:
            return {}
        pages = self._aws.pages("autoscaling", "describe_auto_scaling_instances", InstanceIds=list(ids))
        found = [each for page in pages for each in page["AutoScalingInstances"]]
        return {each["InstanceId"]: (each["AutoScalingGroupName"], each["LifecycleState"]) for each in found}

    def _keeps_member(self, name: str, group: str, state: str, refused: list[str]) -> bool:
        """Have its group end it and make no other in its place; whether AWS does not."""
        if state.startswith("Terminat"):
            return False
        client = self._aws.client("autoscaling")
        why = _refusal(
            "autoscaling:TerminateInstanceInAutoScalingGroup",
            lambda: client.terminate_instance_in_auto_scaling_group(
                InstanceId=name, ShouldDecrementDesiredCapacity=True
            ),
        )
        if why:
            refused.append(f"AWS does not terminate {name} of the Auto Scaling group {group} {why}.")
        return bool(why)

    def _keeps(self, names: Sequence[str], refused: list[str]) -> set[str]:
        """End them; those that AWS does not end."""
        if not names:
            return set()
        client = self._aws.client("ec2")
        why = _refusal("ec2:TerminateInstances", lambda: client.terminate_instances(InstanceIds=list(names)))
        if not why:
            return set()
        if len(names) > 1:
            # AWS takes a list as a whole or not at all: one protected instance keeps all others.
            return set().union(*(self._keeps([name], refused) for name in names))
        refused.append(f"AWS does not terminate {names[0]} {why}.")
        return set(names)


def _refusal(call: str, act: Callable[[], object]) -> str:
    """Make a call; why AWS refuses it, where its answer will stay the same."""
    service, _, operation = call.partition(":")
    try:
        with answering(service, operation):
            act()
    except WorldError as error:
        code, message = told_by(error)
        if code not in REFUSED:
            raise
        return f"({code}: {message})"
    return ""
