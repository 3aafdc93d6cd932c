"""Classic Load Balancers in AWS, by their names; one call moves one instance.

Source: Elastic Load Balancing API reference (2012-06-01), `InstanceState`, and botocore's waiters of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from adapters.aws import Aws, answering
from adapters.load_balancers.naming import refusing, shown
from adapters.load_balancers.target_groups import instance_id
from domain.errors import BalancerMissing, BalancerRefuses
from domain.fleet import Target
from domain.traffic import Standing

_DRAINING = "deregistration currently in progress"
"""An instance that drains is InService still; only the description says what goes on."""


class _Seen(NamedTuple):
    registered: bool
    state: str
    description: str

    @property
    def draining(self) -> bool:
        return _DRAINING in self.description.lower()

    @property
    def told(self) -> str:
        return f"{self.state}: {self.description}" if self.description not in {"", "N/A"} else self.state


class ClassicBalancer:
    """One Classic Load Balancer."""

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws, self._name = aws, name

    def block(self, target: Target, *, waited: float) -> Standing:  # noqa: ARG002
        """Done once it is registered no more and does not drain; how long that takes is the balancer's setting."""
        with refusing():
            instance = instance_id(target, f"the load balancer {self._name}")
            seen = self._look(instance)
            if seen.registered and not seen.draining:
                # Also one that is OutOfService: it is ill, and would be sent requests once it got well.
                self._move("deregister_instances_from_load_balancer", instance)
                seen = self._look(instance)
        done = not seen.registered and not seen.draining and seen.state != "InService"
        return Standing(done=done, detail=seen.told)

    def allow(self, target: Target, *, waited: float) -> Standing:  # noqa: ARG002
        """Done once it is registered and InService."""
        with refusing():
            instance = instance_id(target, f"the load balancer {self._name}")
            seen = self._look(instance)
            if not seen.registered or seen.draining:
                self._move("register_instances_with_load_balancer", instance)
                seen = self._look(instance)
        done = seen.registered and seen.state == "InService" and not seen.draining
        return Standing(done=done, detail=seen.told)

    def check(self) -> None:
        """Raises BalancerMissing where there is no such load balancer."""
        self._registered()

    def _registered(self) -> frozenset[str]:
        client = self._aws.client("elb")
        with answering("elasticloadbalancing", "DescribeLoadBalancers"):
            try:
                (found,) = client.describe_load_balancers(LoadBalancerNames=[self._name])["LoadBalancerDescriptions"]
            except (client.exceptions.AccessPointNotFoundException, ValueError):
                raise BalancerMissing(
                    f"There is no Classic Load Balancer {shown(self._name)} in {client.meta.region_name}; target "
                    "groups of other load balancers belong into targetGroupInfoList."
                ) from None
        return frozenset(each["InstanceId"] for each in found["Instances"])

    def _look(self, instance: str) -> _Seen:
        registered = instance in self._registered()
        client = self._aws.client("elb")
        asked: dict[str, Any] = {"LoadBalancerName": self._name, "Instances": [{"InstanceId": instance}]}
        with answering("elasticloadbalancing", "DescribeInstanceHealth"):
            try:
                (seen,) = client.describe_instance_health(**asked)["InstanceStates"]
            except client.exceptions.InvalidEndPointException:
                return _Seen(registered, "OutOfService", "AWS knows no such instance")
        return _Seen(registered, seen["State"], seen.get("Description") or "")

    def _move(self, operation: str, instance: str) -> None:
        client = self._aws.client("elb")
        with answering("elasticloadbalancing", client.meta.method_to_api_mapping[operation]):
            try:
                getattr(client, operation)(LoadBalancerName=self._name, Instances=[{"InstanceId": instance}])
            except client.exceptions.InvalidEndPointException as error:
                if operation.startswith("register"):
                    raise BalancerRefuses(
                        f"The load balancer {self._name} does not take {instance}: {shown(str(error))}"
                    ) from error
