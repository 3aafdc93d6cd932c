"""Terminates single EC2 instances: blue where its hosts are nobody's copy. Makes none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from adapters.aws import Aws, answering
from domain.environments import GreenOrder, Provisioned, Retirement
from domain.errors import CannotBegin, CannotProvision, WorldError
from domain.fleet import Target

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
        done = [self._end(cloud[at : at + PAGE], refused) for at in range(0, len(cloud), PAGE)]
        if not all(done):
            return False
        if left := [host.target_id for host in retirement.hosts if not is_instance(host)]:
            refused.append(f"On-premises hosts cannot be terminated from here; end them yourself: {_named(left)}.")
        if refused:
            raise CannotBegin(" ".join(refused))
        return True

    def _end(self, ids: Sequence[str], refused: list[str]) -> bool:
        """One page of them: True once there is no more to do."""
        alive = self._alive(ids)
        members = self._members(alive)
        kept: set[str] = set()
        for instance_id, (group, state) in members.items():
            if not state.startswith("Terminat") and not self._end_member(instance_id, group, refused):
                kept.add(instance_id)
        kept |= self._end_single([instance_id for instance_id in alive if instance_id not in members], refused)
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

    def _end_member(self, instance_id: str, group: str, refused: list[str]) -> bool:
        """Let its group end it and not make another; False where it does not."""
        client = self._aws.client("autoscaling")
        with _refusing(f"{instance_id} of the Auto Scaling group {group}", refused) as answer:
            with answering("autoscaling", "TerminateInstanceInAutoScalingGroup"):
                client.terminate_instance_in_auto_scaling_group(
                    InstanceId=instance_id, ShouldDecrementDesiredCapacity=True
                )
        return answer()

    def _end_single(self, ids: Sequence[str], refused: list[str]) -> set[str]:
        """End them; those that are to stay."""
        # One by one: AWS takes a list as a whole or not at all, and one protected instance would keep all the others.
        return {instance_id for instance_id in ids if not self._end_one(instance_id, refused)}

    def _end_one(self, instance_id: str, refused: list[str]) -> bool:
        client = self._aws.client("ec2")
        with _refusing(instance_id, refused) as answer, answering("ec2", "TerminateInstances"):
            client.terminate_instances(InstanceIds=[instance_id])
        return answer()


def is_instance(host: Target) -> bool:
    """Whether it is an EC2 instance: the names of on-premises hosts never begin so."""
    return host.target_id.startswith("i-")


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


@contextmanager
def _refusing(what: str, refused: list[str]) -> Iterator[Callable[[], bool]]:
    """Notes an answer that stays the same; what is given tells whether there was none."""
    before = len(refused)
    try:
        yield lambda: len(refused) == before
    except WorldError as error:
        told: Mapping[str, Any] = getattr(error.__cause__, "response", {}).get("Error", {})
        if told.get("Code") not in REFUSED:
            raise
        refused.append(f"AWS does not terminate {what} ({told['Code']}: {str(told.get('Message', '')).rstrip('.')}).")
