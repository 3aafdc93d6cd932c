"""The store in Redis 6.2 or newer, or Valkey: every change is one script, so it happens as a whole or not at all.

Needs one primary (no cluster) with an append-only file; what was answered is as safe as that file.
"""

from __future__ import annotations

import os
import secrets

from adapters.store.connection import Connection
from adapters.store.deployments import Deployments
from adapters.store.directories import RedisDirectory
from adapters.store.lanes import Lanes
from adapters.store.outbox import Outbox
from adapters.store.reports import Reports
from adapters.store.shelves import RedisShelf
from domain.access import AccessKey
from domain.applications import Application
from domain.channels import MOST_WAITING
from domain.configs import DeploymentConfig
from domain.environments import EnvironmentRecord
from domain.fleet import ArnHolder, Instance
from domain.groups import DeploymentGroup
from domain.ports import Directory, Shelf
from domain.revisions import Revision
from domain.scaling import OpenAction


class RedisStore(Deployments, Lanes, Reports, Outbox):
    """`url` is redis://, rediss://, unix:///path?db=0 or redis+socket:///path; `log_limit` is in bytes per event,
    `most_waiting` in happenings."""

    def __init__(
        self, url: str, *, prefix: str = "slipway", log_limit: int = 1_048_576, most_waiting: int = MOST_WAITING
    ) -> None:
        super().__init__(Connection(url, prefix, most_waiting=most_waiting), log_limit)
        self._owner = secrets.token_hex(8)
        self._parsed = {}
        self._applications = RedisDirectory(self._connection, self._keys, "application", Application)
        self._groups = RedisDirectory(self._connection, self._keys, "group", DeploymentGroup)
        self._configs = RedisShelf(self._connection, self._keys, "config", DeploymentConfig)
        self._instances = RedisShelf(self._connection, self._keys, "instance", Instance)
        self._revisions = RedisShelf(self._connection, self._keys, "revision", Revision)
        self._access_keys = RedisShelf(self._connection, self._keys, "access-key", AccessKey)
        self._iam_arns = RedisShelf(self._connection, self._keys, "iam-arn", ArnHolder)
        self._environments = RedisShelf(self._connection, self._keys, "environment", EnvironmentRecord)
        self._lifecycle_actions = RedisShelf(self._connection, self._keys, "lifecycle-action", OpenAction)

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

    def claim(self, name: str, seconds: float) -> bool:
        """Take (or, as its holder, keep) a lease; the holder is this store in this process."""
        # Pool workers are forked with the same store, and each is a holder of its own.
        owner = f"{self._owner}:{os.getpid()}"
        given = {"name": name, "owner": owner, "milliseconds": max(1, round(seconds * 1000))}
        return bool(self._connection.run("claim", given))

    def ping(self) -> None:
        """Return if the store answers."""
        self._connection.ask(lambda redis: redis.ping())

    def close(self) -> None:
        """Give the connections back."""
        self._connection.close()
