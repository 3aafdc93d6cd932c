"""Target groups of Application and Network Load Balancers in AWS, by their names. One call moves one instance, and what
counts is the state that AWS tells.

Source: Elastic Load Balancing API reference (2015-12-01), `TargetHealth`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from adapters.aws import Aws, answering
from adapters.load_balancers.known_arns import KnownArns
from adapters.load_balancers.naming import refusing, shown
from domain.errors import BalancerMissing, BalancerRefuses
from domain.fleet import Target
from domain.traffic import Standing

SETTLES_SECONDS = 120.0
"""So long a group that was attached to a listener may say that it is not in use."""
_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}")
_NOT_REGISTERED, _NOT_IN_USE = "Target.NotRegistered", "Target.NotInUse"


def instance_id(target: Target, balancer: str) -> str:
    """The id of the EC2 instance; raises BalancerRefuses for a host that is none."""
    if not _INSTANCE_ID.fullmatch(target.target_id):
        raise BalancerRefuses(
            f"{shown(target.target_id)} is no EC2 instance, and {balancer} takes EC2 instances only: take the balancer "
            "out of the deployment group, or map its name to a local one in the setting load_balancers."
        )
    return target.target_id


class TargetGroupBalancer:
    """One target group; instances are registered on the group's own port. `known` is what the process has seen."""

    def __init__(self, aws: Aws, name: str, known: KnownArns | None = None) -> None:
        self._aws, self._name, self._known = aws, name, known or KnownArns()

    def block(self, target: Target, *, waited: float) -> Standing:  # noqa: ARG002
        """Done once AWS says that it is registered no more; until then it drains as long as the group allows."""
        with self._minding_errors():
            instance, arn = instance_id(target, f"the target group {self._name}"), self._arn()
            health = self._health(arn, instance)
            if _gone(health) or health["State"].endswith("draining"):
                return Standing(done=_gone(health), detail=_told(health))
            # A registered one is `unused` too while no listener leads to its group: it leaves for good all the same.
            self._move("deregister_targets", arn, instance)
            health = self._health(arn, instance)
        return Standing(done=health["State"] == "unused", detail=_told(health))

    def allow(self, target: Target, *, waited: float) -> Standing:
        """Done once AWS says that it is healthy."""
        with self._minding_errors():
            instance, arn = instance_id(target, f"the target group {self._name}"), self._arn()
            health = self._health(arn, instance)
            if health["State"] == "unused" or health["State"].endswith("draining"):
                self._move("register_targets", arn, instance)
                health = self._health(arn, instance)
        if health.get("Reason") == _NOT_IN_USE and waited > SETTLES_SECONDS:
            raise BalancerRefuses(
                f"The target group {self._name} sends {instance} nothing: no listener of a load balancer leads to the "
                "group, or the load balancer is not in the instance's Availability Zone. Attach the one, or enable the "
                "other."
            )
        return Standing(done=health["State"] == "healthy", detail=_told(health))

    def check(self) -> None:
        """Raises BalancerMissing where there is no such group, or one that takes no instances."""
        self._known.keep(self._name, self._looked_up())

    @contextmanager
    def _minding_errors(self) -> Iterator[None]:
        try:
            with refusing():
                yield
        except Exception:
            self._known.forget(self._name)
            raise

    def _arn(self) -> str:
        return self._known.get(self._name) or self._known.keep(self._name, self._looked_up())

    def _looked_up(self) -> str:
        client = self._aws.client("elbv2")
        with answering("elasticloadbalancing", "DescribeTargetGroups"):
            try:
                (group,) = client.describe_target_groups(Names=[self._name])["TargetGroups"]
            except (client.exceptions.TargetGroupNotFoundException, ValueError):
                raise BalancerMissing(
                    f"There is no target group {shown(self._name)} in {client.meta.region_name}; a group is named by "
                    "its name, not by its ARN."
                ) from None
        if group["TargetType"] != "instance":
            raise BalancerMissing(f"The target group {self._name} takes {group['TargetType']} targets, not instances.")
        return str(group["TargetGroupArn"])

    def _health(self, arn: str, instance: str) -> Mapping[str, Any]:
        client = self._aws.client("elbv2")
        with answering("elasticloadbalancing", "DescribeTargetHealth"):
            try:
                answer = client.describe_target_health(TargetGroupArn=arn, Targets=[{"Id": instance}])
            except client.exceptions.InvalidTargetException:
                return {"State": "unused", "Reason": _NOT_REGISTERED, "Description": "AWS knows no such instance"}
            health: Mapping[str, Any] = answer["TargetHealthDescriptions"][0]["TargetHealth"]
            return health

    def _move(self, operation: str, arn: str, instance: str) -> None:
        client = self._aws.client("elbv2")
        with answering("elasticloadbalancing", client.meta.method_to_api_mapping[operation]):
            try:
                getattr(client, operation)(TargetGroupArn=arn, Targets=[{"Id": instance}])
            except client.exceptions.InvalidTargetException as error:
                # Another process was faster, or the instance is gone.
                if operation == "register_targets":
                    raise BalancerRefuses(
                        f"The target group {self._name} does not take {instance}: {shown(str(error))}. It must exist "
                        "and be in the group's VPC."
                    ) from error
            except client.exceptions.TooManyTargetsException as error:
                raise BalancerRefuses(f"The target group {self._name} is full: {shown(str(error))}") from error


def _gone(health: Mapping[str, Any]) -> bool:
    return health.get("State") == "unused" and health.get("Reason") == _NOT_REGISTERED


def _told(health: Mapping[str, Any]) -> str:
    if _gone(health):
        return "not registered"
    about = " ".join(str(health[key]) for key in ("Reason", "Description") if health.get(key))
    return f"{health['State']}: {about}" if about else str(health["State"])
