"""Environments of each kind for tests, with blue hosts in them: what is there, and who makes and retires it."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from adapters.aws import Aws, AwsAccess
from adapters.environments.auto_scaling import AutoScalingEnvironment
from adapters.environments.command import CommandEnvironment, Programs
from adapters.environments.errands import Errands
from adapters.environments.instances import SingleInstances
from adapters.environments.memory import MemoryEnvironments
from adapters.environments.named import NamedEnvironments
from adapters.environments.program import Program
from adapters.environments.registry import Registry
from adapters.store.memory import MemoryStore
from domain.environments import GreenOrder, Retirement
from domain.fleet import Instance, Target, TargetKind
from domain.ports import Environments, Store
from tests.aws import KEYS, REGION, FakeAws

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "environments" / "spare_pool.py"
_numbers = itertools.count()


@dataclass(frozen=True)
class Site:
    """An environment with blue hosts, seen by two processes."""

    environments: Environments
    another: Environments
    source: str
    blue: frozenset[str]
    alive: Callable[[], set[str]]
    """The hosts there are now."""


def an_order(source: str, deployment_id: str = "") -> GreenOrder:
    """What a deployment asks for; each is another, unless it is named."""
    return GreenOrder(
        deployment_id=deployment_id or f"d-{next(_numbers)}",
        application_name="shop",
        deployment_group_name="web",
        deployment_group_id="g-1",
        source=source,
    )


def a_retirement(order: GreenOrder, hosts: Sequence[str], *, terminate: bool = True) -> Retirement:
    """What becomes of blue."""
    targets = tuple(Target(target_id=name, arn=f"arn:{name}", queue=f"host.{name}") for name in hosts)
    return Retirement(order=order, hosts=targets, terminate=terminate)


def a_host(name: str, group: str, **known: Any) -> Instance:
    """A registered host of a group."""
    arn = f"arn:aws:codedeploy:{REGION}:000000000000:instance/{name}_x"
    return Instance(
        instance_id=name, kind=TargetKind.ON_PREMISES, arn=arn, auto_scaling_groups=(group,) if group else (), **known
    )


@contextlib.contextmanager
def in_memory(_folder: Path) -> Iterator[Site]:
    """The double."""
    names = ("i-0a", "i-0b")
    double = MemoryEnvironments({"blue": [a_host(name, "blue") for name in names]}, steps=1)

    def alive() -> set[str]:
        return {host.instance_id for hosts in double.hosts.values() for host in hosts}

    yield Site(double, double, "blue", frozenset(names), alive)


@dataclass
class Tap:
    """Our way to a fake AWS, with a record of the calls that change something, and what moto lacks."""

    aws: Aws
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    notifications: list[Mapping[str, str]] = field(default_factory=list)
    activities: list[Mapping[str, str]] = field(default_factory=list)
    more: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """What is told of Auto Scaling groups beside what moto knows, by their names."""
    before: Callable[[str], None] = lambda _name: None
    after: Callable[[str], None] = lambda _name: None
    """Called around each call that changes something: a test may raise there."""

    @property
    def names(self) -> list[str]:
        """The calls by name, in order."""
        return [name for name, _ in self.calls]

    def hear(self, params: Mapping[str, Any], model: Any, **_: object) -> Any:
        """Note a call; answer those that moto does not know."""
        if model.name == "DescribeNotificationConfigurations":
            return SimpleNamespace(status_code=200), {"NotificationConfigurations": self.notifications}
        if model.name == "DescribeScalingActivities":
            return SimpleNamespace(status_code=200), {"Activities": self.activities}
        if model.name.startswith("Describe"):
            return None
        self.before(model.name)
        self.calls.append((model.name, params["body"]))
        return (SimpleNamespace(status_code=200), {}) if model.name == "PutNotificationConfiguration" else None

    def heard(self, parsed: dict[str, Any], model: Any, **_: object) -> None:
        """After a call."""
        for group in parsed.get("AutoScalingGroups", ()):
            group.update(self.more.get(group["AutoScalingGroupName"], {}))
        if not model.name.startswith("Describe"):
            self.after(model.name)


def tapped(fake: FakeAws, who: str = "one") -> Tap:
    """The way of one process to the fake AWS, with nothing on record."""
    tap = _tap(fake.url, who)
    tap.calls.clear()
    tap.notifications.clear()
    tap.activities = []
    tap.more.clear()
    tap.before = tap.after = lambda _name: None
    return tap


@cache
def _tap(url: str, _who: str) -> Tap:
    # A client takes half a second to make.
    tap = Tap(Aws(AwsAccess(region=REGION, endpoint_url=url, **KEYS)))
    for service in ("autoscaling", "ec2"):
        tap.aws.client(service).meta.events.register(f"before-call.{service}", tap.hear)
        tap.aws.client(service).meta.events.register(f"after-call.{service}", tap.heard)
    return tap


def running(fake: FakeAws) -> set[str]:
    """The instances that run."""
    only = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    found = fake.client("ec2").describe_instances(Filters=only)["Reservations"]
    return {each["InstanceId"] for one in found for each in one["Instances"]}


def scaling(tap: Tap, store: Store) -> NamedEnvironments:
    """Auto Scaling groups and single instances, as a process has them."""
    return NamedEnvironments(
        {}, single=SingleInstances(tap.aws), scaling=AutoScalingEnvironment(tap.aws, store.environments)
    )


def in_the_cloud(fake: FakeAws) -> Callable[[Path], contextlib.AbstractContextManager[Site]]:
    """An Auto Scaling group."""

    @contextlib.contextmanager
    def site(_folder: Path) -> Iterator[Site]:
        source = f"blue-{next(_numbers)}"
        blue = frozenset(fake.auto_scaling_group(source, 2))
        others = running(fake) - blue
        store = MemoryStore()
        yield Site(
            scaling(tapped(fake), store),
            scaling(tapped(fake, "another"), store.peer()),
            source,
            blue,
            lambda: running(fake) - others,
        )

    return site


def by_programs(store: Store, programs: Programs, *, lease_seconds: float = 5.0) -> NamedEnvironments:
    """The environment `blue` by programs, as a process has it."""
    registry = Registry(
        store.instances,
        arn_of=lambda name: f"arn:aws:codedeploy:{REGION}:000000000000:instance/{name}_x",
        queue_of=lambda agent: f"host.{agent}",
        now=lambda: 1.0,
    )
    errands = Errands(store.claim, lease_seconds=lease_seconds)
    single = SingleInstances(Aws(AwsAccess(region=REGION, endpoint_url="http://127.0.0.1:1", **KEYS)))
    command = CommandEnvironment(programs, store.environments, registry, errands)
    return NamedEnvironments({"blue": command}, single=single, scaling=None)


def the_example(pool: Path, *, size: int, taken: Mapping[str, str]) -> Programs:
    """The example's programs with a pool of machines."""
    machines = [{"id": f"vm-{number}", "address": f"10.0.0.{number}:8080"} for number in range(size)]
    (pool / "machines.json").write_text(json.dumps(machines))
    (pool / "taken.json").write_text(json.dumps(dict(taken)))
    make = Program([sys.executable, "-I", str(EXAMPLE), "make"], 20.0, {"SPARE_POOL": str(pool)})
    remove = replace(make, command=[sys.executable, "-I", str(EXAMPLE), "remove"])
    return Programs(provision=make, retire=remove)


@contextlib.contextmanager
def outside(folder: Path) -> Iterator[Site]:
    """Programs with a pool of spare machines."""
    names = ("vm-0", "vm-1")
    programs = the_example(folder, size=6, taken=dict.fromkeys(names, "d-0"))
    store = MemoryStore()
    for name in names:
        store.instances.add(name, a_host(name, "blue"))
    yield Site(
        by_programs(store, programs),
        by_programs(store.peer(), programs),
        "blue",
        frozenset(names),
        lambda: set(json.loads((folder / "taken.json").read_text())),
    )
