"""What moto lacks of load balancers: time. It moves an instance at once; here each move takes some looks, or as long as
a test holds it, and until then AWS's words for that are told. Who is registered, and what the calls do, is moto's."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from moto.core.responses import ActionResult
from moto.elb.responses import ELBResponse
from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup

LOOKS = 2
"""Looks that a move takes."""
CLASSIC, TARGET_GROUP = "classic", "target group"


@dataclass
class Moves:
    """Instances on their way into and out of balancers."""

    held: set[tuple[str, bool]] = field(default_factory=set)
    """Moves that do not end: the kind of balancer, and whether they lead into it."""
    seen: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    """What was told of an instance by a kind of balancer, look by look."""
    _places: dict[tuple[str, str], bool] = field(default_factory=dict)
    _left: Counter[tuple[str, str]] = field(default_factory=Counter)

    def states(self, kind: str, host: str) -> list[str]:
        """What was told of an instance, each once where it was told several times in a row."""
        told = self.seen[kind, host]
        return [state for before, state in zip(["", *told], told, strict=False) if state != before]

    def under_way(self, kind: str, host: str, *, registered: bool) -> bool:
        """One look: whether an instance is still on its way to where moto has it."""
        key = kind, host
        if self._places.setdefault(key, registered) != registered:
            self._places[key], self._left[key] = registered, LOOKS
        if self._left[key] <= 0:
            return False
        if (kind, registered) not in self.held:
            self._left[key] -= 1
        return True


@contextlib.contextmanager
def moves_taking_time() -> Iterator[Moves]:
    """Every balancer of a moto in this process takes its time."""
    moves, health, states = Moves(), FakeTargetGroup.health_for, ELBResponse.describe_instance_health

    def health_for(group: FakeTargetGroup, target: dict[str, Any], ec2: Any) -> FakeHealthStatus:
        found, host, registered = health(group, target, ec2), target["Id"], target["Id"] in group.targets
        if moves.under_way(TARGET_GROUP, host, registered=registered):
            found.status, found.reason = (
                ("initial", "Elb.RegistrationInProgress")
                if registered
                else ("draining", "Target.DeregistrationInProgress")
            )
        moves.seen[TARGET_GROUP, host].append(found.status)
        return found

    def describe(response: ELBResponse) -> ActionResult:
        answer = states(response)
        told: Any = answer.result
        for each in told["InstanceStates"]:
            host, registered = each["InstanceId"], each["State"] != "Unknown"
            if moves.under_way(CLASSIC, host, registered=registered):
                each |= (
                    {"State": "OutOfService", "Description": "Instance registration is still in progress."}
                    if registered
                    else {"State": "InService", "Description": "Instance deregistration currently in progress."}
                )
            elif not registered:
                each["State"] = "OutOfService"
            moves.seen[CLASSIC, host].append(" ".join(each[key] for key in ("State", "Description")))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeTargetGroup, "health_for", health_for)
        patch.setattr(ELBResponse, "describe_instance_health", describe)
        yield moves
