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
from adapters.store.memory_outbox import MemoryOutbox
from adapters.store.memory_reports import MemoryReports
from adapters.store.memory_shelf import MemoryShelf
from domain.access import AccessKey
from domain.applications import Application
from domain.channels import MOST_WAITING
from domain.configs import DeploymentConfig
from domain.environments import EnvironmentRecord
from domain.fleet import ArnHolder, Instance
from domain.groups import DeploymentGroup
from domain.moves import Shown
from domain.ports import Directory, Shelf
from domain.revisions import Revision
from domain.scaling import OpenAction


class MemoryStore(MemoryDeployments, MemoryLanes, MemoryReports, MemoryOutbox):
    """Everything under one lock; `log_limit` is in bytes per event, `most_waiting` in happenings."""

    def __init__(self, *, log_limit: int = 1_048_576, most_waiting: int = MOST_WAITING) -> None:
        super().__init__(log_limit, most_waiting)
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
        self._lifecycle_actions = MemoryShelf[OpenAction](self._lock)

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

    @property
    def lifecycle_actions(self) -> Shelf[OpenAction]:
        """By token."""
        return self._lifecycle_actions

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
