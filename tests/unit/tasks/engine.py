"""A world in memory for the engine's tasks: the store forgets all, and what would be sent is only written down."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.alarms.memory import MemoryAlarms
from adapters.environments.memory import MemoryEnvironments
from adapters.load_balancers.memory import MemoryLoadBalancers
from adapters.store.memory import MemoryStore
from domain.applications import Application
from domain.errors import InvalidRevision
from domain.fleet import Fate, Instance, Target, TargetKind
from domain.groups import DeploymentGroup
from domain.limits import Limits, Quotas
from domain.reports import BundleSource
from domain.revisions import RevisionLocation
from tasks.runtime import World
from tests.unit.workflows.engine_values import NOW, a_group

MOST_TARGETS = 1000


class Sent:
    """A dispatcher that writes down what it was asked to send."""

    def __init__(self) -> None:
        self.said: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **_: self.said.append((name, args))

    def named(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of each call of that name."""
        return [args for said, args in self.said if said == name]


class Links:
    """Links to every revision, until there are none any more."""

    def __init__(self) -> None:
        self.gone = False
        self.fault: Exception | None = None

    def check(self, revision: RevisionLocation, *, now: float) -> None:
        self.source_of(revision, now=now)

    def source_of(self, revision: RevisionLocation, *, now: float) -> BundleSource:  # noqa: ARG002
        if self.fault is not None:
            raise self.fault
        if self.gone:
            raise InvalidRevision("the bucket is not to be reached any more")
        return BundleSource(location="http://127.0.0.1/bundle", bundle_type="zip")


@dataclass
class Hosts:
    """The hosts there are."""

    names: Sequence[str]
    kinds: frozenset[TargetKind] = frozenset({TargetKind.ON_PREMISES})
    environments: frozenset[str] = frozenset({"shop-vms"})
    trouble: Exception | None = None
    fates: dict[str, Fate] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of those that have others than the rest."""

    def instances(self, group: DeploymentGroup) -> Sequence[Instance]:  # noqa: ARG002
        if self.trouble is not None:
            raise self.trouble
        return [
            Instance(
                instance_id=name,
                kind=TargetKind.ON_PREMISES,
                arn=f"arn:{name}",
                tags=self.tags.get(name, {"role": "web"}),
            )
            for name in self.names
        ]

    def gone(self, targets: Sequence[Target]) -> Mapping[str, Fate]:
        if self.trouble is not None:
            raise self.trouble
        ids = {target.target_id for target in targets}
        return {name: fate for name, fate in self.fates.items() if name in ids}


@dataclass
class Engine:
    """The world, and a grip on its parts."""

    hosts: Hosts = field(default_factory=lambda: Hosts(("web-1", "web-2")))
    store: MemoryStore = field(default_factory=MemoryStore)
    sent: Sent = field(default_factory=Sent)
    links: Links = field(default_factory=Links)
    balancers: MemoryLoadBalancers = field(default_factory=MemoryLoadBalancers)
    environments: MemoryEnvironments = field(default_factory=MemoryEnvironments)
    alarms: MemoryAlarms = field(default_factory=MemoryAlarms)
    now: float = NOW
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.store.applications.add(Application(application_id="a-1", application_name="shop", create_time=NOW))
        filters = ({"key": "role", "value": "web"},)
        self.store.groups.add(a_group(on_premises_instance_tag_filters=filters))

    def world(self) -> World:
        """The world, as of this moment."""
        numbers = self._numbers
        return World(
            store=self.store,
            fleet=self.hosts,
            sources=self.links,
            balancers=self.balancers,
            environments=self.environments,
            alarms=self.alarms,
            dispatch=self.sent,
            publishers={},
            limits=Limits(),
            quotas=Quotas(targets=MOST_TARGETS),
            now=lambda: self.now,
            token=lambda: f"token-{next(numbers)}",
            new_id=lambda: f"d-NEW{next(numbers):06}",
        )
