"""What every fleet knows of hosts that are no more: what is certain, of its own hosts alone, however many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from adapters.aws import Aws, AwsAccess
from adapters.fleet import ec2, registered
from adapters.fleet.ec2 import Ec2Fleet
from adapters.fleet.registered import RegisteredFleet
from adapters.fleet.united import UnitedFleet
from adapters.store.memory import MemoryStore
from domain.errors import WorldError
from domain.fleet import Fate, Instance, Target, TargetKind
from domain.ports import Fleet
from tests.aws import REGION, FakeAws, fake_aws


class Hosts(Protocol):
    """A fleet, and a way to its hosts."""

    fleet: Fleet
    fate: Fate

    def make(self, count: int) -> list[Target]: ...
    def end(self, target: Target) -> None: ...


def target(name: str, service: str) -> Target:
    arn = f"arn:aws:{service}:{REGION}:000000000000:instance/{name}"
    return Target(target_id=name, arn=arn, queue=f"host.{name}")


@dataclass
class Registered:
    store: MemoryStore = field(default_factory=MemoryStore)
    fate: Fate = Fate.DEREGISTERED

    def __post_init__(self) -> None:
        self.fleet: Fleet = RegisteredFleet(self.store.instances)

    def make(self, count: int) -> list[Target]:
        made = [target(f"web-{number}", "codedeploy") for number in range(count)]
        for each in made:
            instance = Instance(instance_id=each.target_id, kind=TargetKind.ON_PREMISES, arn=each.arn)
            self.store.instances.add(each.target_id, instance)
        return made

    def end(self, target: Target) -> None:
        at = {"deregister_time": 1.0}
        self.store.instances.change(target.target_id, lambda each: each.model_copy(update=at))


@dataclass
class Ec2:
    aws: FakeAws
    fate: Fate = Fate.TERMINATED

    def __post_init__(self) -> None:
        self.fleet: Fleet = Ec2Fleet(self.aws.access)

    def make(self, count: int) -> list[Target]:
        return [target(name, "ec2") for name in self.aws.run(count)]

    def end(self, target: Target) -> None:
        self.aws.client("ec2").terminate_instances(InstanceIds=[target.target_id])


class United(Ec2):
    """EC2's hosts, where there are registered ones too."""

    def __post_init__(self) -> None:
        self.fleet = UnitedFleet(Registered().fleet, Ec2Fleet(self.aws.access))


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeAws]:
    with fake_aws() as server:
        yield server


@pytest.fixture(params=["registered", "ec2", "united"])
def hosts(request: pytest.FixtureRequest, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    monkeypatch.setattr(ec2, "IDS", 3)
    monkeypatch.setattr(registered, "PAGE", 3)
    return Registered() if request.param == "registered" else Ec2(aws) if request.param == "ec2" else United(aws)


def test_what_is_there_is_not_gone(hosts: Hosts) -> None:
    assert hosts.fleet.gone(hosts.make(2)) == {}
    assert hosts.fleet.gone([]) == {}


def test_what_is_no_more_is_told_page_by_page(hosts: Hosts) -> None:
    made = hosts.make(8)
    for each in (made[0], made[3], made[7]):
        hosts.end(each)
    assert hosts.fleet.gone(made) == {each.target_id: hosts.fate for each in (made[0], made[3], made[7])}


def test_a_host_that_stopped_is_there(aws: FakeAws) -> None:
    hosts = Ec2(aws)
    (stopped,) = hosts.make(1)
    aws.client("ec2").stop_instances(InstanceIds=[stopped.target_id])
    assert hosts.fleet.gone([stopped]) == {}


def test_of_what_aws_does_not_know_nothing_is_certain(aws: FakeAws) -> None:
    assert Ec2(aws).fleet.gone([target("i-0123456789abcdef0", "ec2")]) == {}


def test_what_was_removed_is_gone() -> None:
    hosts = Registered()
    (removed,) = hosts.make(1)
    hosts.store.instances.remove(removed.target_id)
    assert hosts.fleet.gone([removed]) == {"web-0": Fate.DEREGISTERED}


def test_nobody_speaks_for_hosts_of_another_fleet(aws: FakeAws) -> None:
    cloud, premises = Ec2(aws), Registered()
    (machine,), (rack,) = cloud.make(1), premises.make(1)
    cloud.end(machine)
    premises.end(rack)
    assert cloud.fleet.gone([machine, rack]) == {machine.target_id: Fate.TERMINATED}
    assert premises.fleet.gone([machine, rack]) == {rack.target_id: Fate.DEREGISTERED}
    both = UnitedFleet(premises.fleet, cloud.fleet)
    assert both.gone([machine, rack]) == {machine.target_id: Fate.TERMINATED, rack.target_id: Fate.DEREGISTERED}


def test_a_fleet_that_is_away_keeps_no_other_from_telling() -> None:
    premises = Registered()
    (rack,) = premises.make(1)
    premises.end(rack)
    away = Ec2Fleet(Aws(AwsAccess(REGION, "http://127.0.0.1:1", access_key_id="key", secret_access_key="secret")))
    machine = target("i-0123456789abcdef0", "ec2")
    with pytest.raises(WorldError, match="ec2:DescribeInstances"):
        away.gone([machine])
    assert UnitedFleet(away, premises.fleet).gone([machine, rack]) == {rack.target_id: Fate.DEREGISTERED}
