"""The store in memory: for tests and for trying things out. It passes the contract of the Redis store and forgets all
when the process ends."""

from __future__ import annotations

import copy
import secrets
import time
from collections.abc import Sequence

from adapters.store.memory_deployments import MemoryDeployments
from adapters.store.memory_directory import MemoryDirectory
from adapters.store.memory_lanes import MemoryLanes
from adapters.store.memory_reports import MemoryReports
from adapters.store.memory_shelf import MemoryShelf
from adapters.store.outbox import checked_place
from domain.access import AccessKey
from domain.applications import Application
from domain.configs import DeploymentConfig
from domain.environments import EnvironmentRecord
from domain.fleet import ArnHolder, Instance
from domain.groups import DeploymentGroup
from domain.happenings import Happening
from domain.moves import Shown
from domain.ports import Directory, Shelf
from domain.revisions import Revision


class MemoryStore(MemoryDeployments, MemoryLanes, MemoryReports):
    """Everything under one lock; `log_limit` is in bytes per event."""

    def __init__(self, *, log_limit: int = 1_048_576) -> None:
        super().__init__(log_limit)
        self._owner = secrets.token_hex(8)
        self._claims: dict[str, tuple[str, float]] = {}
        self._applications = MemoryDirectory[Application](self._lock)
        self._groups = MemoryDirectory[DeploymentGroup](self._lock)
        self._configs = MemoryShelf[DeploymentConfig](self._lock)
        self._instances = MemoryShelf[Instance](self._lock)
        self._revisions = MemoryShelf[Revision](self._lock)
        self._access_keys = MemoryShelf[AccessKey](self._lock)
        self._iam_arns = MemoryShelf[ArnHolder](self._lock)
        self._environments = MemoryShelf[EnvironmentRecord](self._lock)

    def peer(self) -> MemoryStore:
        """The same store as another process would hold it: it shares everything but leases."""
        other = copy.copy(self)
        other._owner = secrets.token_hex(8)
        return other

    @property
    def applications(self) -> Directory[Application]:
        """By id, and by name."""
        return self._applications

    @property
    def groups(self) -> Directory[DeploymentGroup]:
        """By id, and by `domain.groups.group_name`."""
        return self._groups

    @property
    def configs(self) -> Shelf[DeploymentConfig]:
        """Custom ones, by name."""
        return self._configs

    @property
    def instances(self) -> Shelf[Instance]:
        """On-premises instances, by name."""
        return self._instances

    @property
    def revisions(self) -> Shelf[Revision]:
        """By `domain.revisions.revision_name`."""
        return self._revisions

    @property
    def access_keys(self) -> Shelf[AccessKey]:
        """By access key id."""
        return self._access_keys

    @property
    def iam_arns(self) -> Shelf[ArnHolder]:
        """By ARN."""
        return self._iam_arns

    @property
    def environments(self) -> Shelf[EnvironmentRecord]:
        """By deployment id."""
        return self._environments

    def shown(self, deployment_ids: Sequence[str]) -> list[Shown | None]:
        """Deployments in the order of the ids, with their counters and under today's names."""
        with self._lock:
            return [self._shown(deployment_id) for deployment_id in deployment_ids]

    def _shown(self, deployment_id: str) -> Shown | None:
        deployment = self.deployment(deployment_id)
        if deployment is None:
            return None
        application = self.applications.get(deployment.application_id)
        group = self.groups.get(deployment.deployment_group_id)
        return Shown(
            deployment=deployment,
            progress=self.progress(deployment_id, deployment.phase),
            application_name=application.application_name if application else None,
            group_name=group.deployment_group_name if group else None,
        )

    def outbox(self, *, limit: int = 100) -> list[tuple[str, Happening]]:
        """Happenings not told yet, oldest first, each with its place in the outbox."""
        with self._lock:
            return list(self._outbox.items())[: max(limit, 0)]

    def outbox_count(self) -> int:
        """How many happenings were not told yet."""
        with self._lock:
            return len(self._outbox)

    def told(self, places: Sequence[str]) -> None:
        """Move happenings that were told from the outbox to the history."""
        with self._lock:
            for place in places:
                if (happening := self._outbox.pop(place, None)) is not None:
                    self._history.append((self._place(), happening))

    def history(self, *, after: str = "", limit: int = 100) -> list[tuple[str, Happening]]:
        """Happenings told lately, oldest first, each with a cursor; raises CallerError for a cursor that is none."""
        last = int(checked_place(after).partition("-")[0]) if after else 0
        with self._lock:
            found = [entry for entry in self._history if int(entry[0].partition("-")[0]) > last]
            return found[: max(limit, 0)]

    def claim(self, name: str, seconds: float) -> bool:
        """Take (or, as its holder, keep) a lease; the holder is this store."""
        with self._lock:
            now = time.monotonic()
            owner, until = self._claims.get(name, (self._owner, 0.0))
            if owner != self._owner and now < until:
                return False
            self._claims[name] = (self._owner, now + seconds)
            return True

    def ping(self) -> None:
        """Return: memory always answers."""

    def close(self) -> None:
        """Nothing to give back."""
