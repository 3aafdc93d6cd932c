"""What the parts of the store in memory share: one lock and everything below it."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import RLock

from adapters.store.logs import Log
from adapters.store.memory_shelf import kept
from domain.deployments import Deployment, Lane, Progress, TargetRecord
from domain.fleet import AgentSeen, HostRecord
from domain.happenings import Happening
from domain.values import Instant


@dataclass(slots=True)
class Run:
    """One deployment and what belongs to it."""

    deployment: Deployment
    order: dict[int, str] = field(default_factory=dict)
    records: dict[str, TargetRecord] = field(default_factory=dict)
    listed: bool = True
    phase_of: dict[str, int] = field(default_factory=dict)
    """The phase in which a target was taken."""
    progress: dict[int, Progress] = field(default_factory=dict)
    lanes: dict[tuple[int, int], Lane] = field(default_factory=dict)
    due: dict[tuple[int, int], Instant] = field(default_factory=dict)
    logs: dict[tuple[str, str], Log] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        """The deployment has ended."""
        return self.deployment.status.final


class MemoryPart:
    """One part of the store's methods."""

    def __init__(self, log_limit: int, most_waiting: int) -> None:
        self._lock = RLock()
        self._log_limit = log_limit
        self._runs: dict[str, Run] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._running: dict[str, str] = {}
        self._waiting: dict[str, deque[str]] = {}
        self._hosts: dict[tuple[str, str], HostRecord] = {}
        self._seen: dict[str, AgentSeen] = {}
        self._agents: dict[str, Instant] = {}
        self._happened: deque[tuple[int, Happening]] = deque(maxlen=most_waiting)
        self._numbers = itertools.count(1)

    def _tell(self, happenings: Sequence[Happening]) -> None:
        self._happened.extend((next(self._numbers), kept(happening)) for happening in happenings)
