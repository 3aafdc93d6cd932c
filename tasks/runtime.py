"""The world a process works in: the ports that wiring filled in, found by every task of the process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event

from domain.errors import AwsOff, SlipwayError
from domain.limits import Limits, Quotas
from domain.metrics import Family
from domain.ports import (
    Alarms,
    Dispatcher,
    Environments,
    Fleet,
    LoadBalancers,
    Meter,
    Publisher,
    ScalingActions,
    Sources,
    Store,
)


class SilentMeter:
    """Counts nothing."""

    def count(self, family: Family, *labels: str) -> None:
        """Nothing."""

    def observe(self, family: Family, seconds: float, *labels: str) -> None:
        """Nothing."""


def _no_scaling() -> ScalingActions:
    raise AwsOff


@dataclass(frozen=True, slots=True)
class World:
    """What the control plane's tasks may touch."""

    store: Store
    fleet: Fleet
    sources: Sources
    balancers: LoadBalancers
    environments: Environments
    alarms: Alarms
    dispatch: Dispatcher
    publishers: Mapping[str, Publisher]
    """By the name of the channel."""
    limits: Limits
    now: Callable[[], float]
    token: Callable[[], str]
    """A fresh attempt token."""
    new_id: Callable[[], str]
    """A fresh deployment id."""
    quotas: Quotas = field(default_factory=Quotas)
    meter: Meter = field(default_factory=SilentMeter)
    scaling: Callable[[], ScalingActions] = _no_scaling
    """Auto Scaling; raises AwsOff."""
    bell: Event = field(default_factory=Event)
    """Wakes the tellers of this process: something is to be told."""


class NotWired(SlipwayError):
    """The process was started without a world; start it with the slipway command."""


_world: World | None = None


def enter(world: World) -> None:
    """Make this the world of the process."""
    global _world
    _world = world


def current() -> World:
    """The world of the process; raises NotWired before one was entered."""
    if _world is None:
        raise NotWired
    return _world
