"""Environments in memory, for tests and for trying things out: a test says how long making and retiring takes, that it
comes to nothing, or that the world is away."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence

from adapters.environments.telling import is_instance
from domain.environments import GreenOrder, Provisioned, Retirement
from domain.errors import AutoScalingGroupMissing, CannotBegin, CannotProvision, WorldError
from domain.fleet import Instance


class MemoryEnvironments:
    """Environments by name, each with its hosts. Green gets a name of its own and takes blue's place by it."""

    def __init__(self, blue: Mapping[str, Sequence[Instance]] | None = None, *, steps: int = 0) -> None:
        self.hosts: dict[str, tuple[Instance, ...]] = {name: tuple(hosts) for name, hosts in (blue or {}).items()}
        """All that there are now."""
        self.steps = steps
        """So many calls of each kind for a deployment are answered by "not yet"."""
        self.away = False
        """Every call raises WorldError."""
        self.refusal = ""
        """What provisioning comes to nothing for, if it does."""
        self.orders: list[GreenOrder] = []
        """What green was asked for, call by call."""
        self.terminated: set[str] = set()
        """Hosts that are no more."""
        self._made: dict[str, str] = {}
        self._known = {"", *self.hosts}
        self._calls: Counter[tuple[str, str]] = Counter()
        self._lock = threading.RLock()

    def named(self, source: str) -> MemoryEnvironment:
        """The environment of that name; with an empty one, whoever terminates single hosts."""
        if source not in self._known:
            raise AutoScalingGroupMissing(f"There is no environment {source}; take it out of the deployment group.")
        return MemoryEnvironment(self)

    def _yet(self, call: str, deployment_id: str) -> bool:
        """Whether it is not yet time for a call to be done."""
        if self.away:
            raise WorldError(f"The environments do not answer {call}")
        self._calls[call, deployment_id] += 1
        return self._calls[call, deployment_id] <= self.steps

    def provision(self, order: GreenOrder) -> Provisioned | None:
        """Make as many hosts as blue has."""
        with self._lock:
            self.orders.append(order)
            if self._yet("provision", order.deployment_id):
                return None
            if self.refusal or not order.source:
                raise CannotProvision(self.refusal or "Single hosts cannot be copied; name an environment.")
            if order.deployment_id not in self._made:
                self._make(order)
            name = self._made[order.deployment_id]
            return Provisioned(name=name, hosts=self.hosts[name])

    def _make(self, order: GreenOrder) -> None:
        name = f"{order.source}-{order.deployment_id}"
        blue = self.hosts.get(order.source, ())
        if not blue:
            raise CannotProvision(f"{order.source} has no healthy host, so there is nothing to copy.")
        self.hosts[name] = tuple(_copied(host, f"{name}-{number}", name) for number, host in enumerate(blue))
        self._made[order.deployment_id] = name
        self._known.add(name)

    def retire(self, retirement: Retirement) -> bool:
        """Terminate blue if asked to."""
        with self._lock:
            order = retirement.order
            if self._yet("retire", order.deployment_id):
                return False
            gone = {host.target_id for host in retirement.hosts} if retirement.terminate else set()
            if not order.source:
                _only_in_the_cloud(retirement)
            elif retirement.terminate:
                gone |= {host.instance_id for host in self.hosts.pop(order.source, ())}
            self.terminated |= gone
            self._keep_but(gone)
            return True

    def abandon(self, order: GreenOrder) -> bool:
        """Forget what was made for the order."""
        with self._lock:
            if self._yet("abandon", order.deployment_id):
                return False
            if (name := self._made.pop(order.deployment_id, None)) is not None:
                self.terminated |= {host.instance_id for host in self.hosts.pop(name, ())}
            return True

    def _keep_but(self, gone: set[str]) -> None:
        for name, hosts in self.hosts.items():
            self.hosts[name] = tuple(host for host in hosts if host.instance_id not in gone)


class MemoryEnvironment:
    """One of them, or whoever terminates single hosts."""

    def __init__(self, world: MemoryEnvironments) -> None:
        self._world = world

    def provision(self, order: GreenOrder) -> Provisioned | None:
        """Make the green hosts; None while they are not ready."""
        return self._world.provision(order)

    def retire(self, retirement: Retirement) -> bool:
        """Let green take blue's place; True once done."""
        return self._world.retire(retirement)

    def abandon(self, order: GreenOrder) -> bool:
        """Remove what was made for the order; True once done."""
        return self._world.abandon(order)


def _copied(host: Instance, name: str, group: str) -> Instance:
    return host.model_copy(update={"instance_id": name, "arn": f"{host.arn}/{name}", "auto_scaling_groups": (group,)})


def _only_in_the_cloud(retirement: Retirement) -> None:
    if not all(is_instance(host) for host in retirement.hosts):
        raise CannotBegin("An on-premises host cannot be terminated from here; end it yourself.")
