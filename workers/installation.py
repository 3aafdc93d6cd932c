"""An embedded installation: Redis, bundle store, API, control, trigger, watch, Flower and simulated hosts on one
machine, below one home directory."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import time
from collections.abc import Mapping, Sequence

from adapters.store.redis import RedisStore
from config.endpoint import Endpoint, remove_endpoint, write_aws_files, write_endpoint
from config.settings import Settings
from domain.access import AccessKey, Policy
from workers.access import create_key, list_keys
from workers.embedded import EmbeddedRedis
from workers.supervisor import Job, Supervisor
from workflows.access import secret_of

OWN_KEY = "made by slipway up for this machine"
"""The description of an embedded installation's own access key."""
NOT_FOR_HOSTS = (
    *("SLIPWAY_S3__", "SLIPWAY_GITHUB__", "SLIPWAY_AWS__", "SLIPWAY_LOAD_BALANCERS", "SLIPWAY_ENVIRONMENTS"),
    *("SLIPWAY_ALARMS",),
    "SLIPWAY_PUBLISHERS",
)
"""What begins so is the control plane's: hosts need none of it, and their scripts see their agent's variables."""
SLIPWAY = (sys.executable, "-m", "cli.main")


class Installation:
    """All processes of one home directory."""

    def __init__(self, settings: Settings, *, agents: Sequence[str] = (), flower: bool = True) -> None:
        self._settings = settings
        self._home = settings.home.resolve()
        self._agents = agents
        self._flower = flower
        self._redis = EmbeddedRedis(self._home / "redis")
        self.supervisor = Supervisor(self._home / "logs")

    def start(self) -> Endpoint:
        """Start everything and say where it is; the processes may take a moment until they answer."""
        given = self._settings.store.url
        url = given.get_secret_value() if given else self._redis.start()
        endpoint = self._endpoint(url)
        environment = self._environment(endpoint)
        for name, command in services_of(self._settings, flower=self._flower).items():
            self.supervisor.start(Job(name, (*SLIPWAY, *command), environment))
        for host in self._agents:
            self.supervisor.start(self._agent(host, environment))
        write_endpoint(self._home, endpoint)
        self._write_credentials(endpoint)
        return endpoint

    def stop(self) -> None:
        """End everything; data stays below the home directory."""
        remove_endpoint(self._home)
        self.supervisor.stop()
        self._redis.stop()

    def _agent(self, host: str, environment: Mapping[str, str]) -> Job:
        root = self._home / "hosts" / host
        command = (*SLIPWAY, "agent", "--id", host, "--root", str(root / "root"), "--state", str(root / "state"))
        return Job(f"agent-{host}", command, for_hosts(environment))

    def _endpoint(self, url: str) -> Endpoint:
        mine = self._settings
        port, api_port = mine.bundles.port or free_port(), mine.api.port or free_port()
        flower_port = mine.flower.port or free_port()
        return Endpoint(
            broker_url=mine.broker.url.get_secret_value() if mine.broker.url else url,
            store_url=url,
            bundles_url=f"http://127.0.0.1:{port}",
            bundles_key=self._secret("bundles.key"),
            bundles_token=self._secret("bundles.token"),
            api_url=f"http://127.0.0.1:{api_port}",
            api_key=self._secret("api.key"),
            flower_url=f"http://127.0.0.1:{flower_port}" if self._flower else "",
            pid=os.getpid(),
        )

    def _write_credentials(self, endpoint: Endpoint) -> None:
        """Keep an administrator's key for this machine's user, in the files that AWS's own tools read."""
        store = RedisStore(endpoint.store_url, prefix=self._settings.prefix)
        try:
            made = self._administrator(store)
        finally:
            store.close()
        secret = secret_of(endpoint.api_key.encode(), made)
        write_aws_files(self._home, endpoint.api_url, made.access_key_id, secret, region=self._settings.region)

    def _administrator(self, store: RedisStore) -> AccessKey:
        for key in list_keys(store):
            if key.description == OWN_KEY and key.revoke_time is None:
                return key
        return create_key(store, policy=Policy.ADMINISTRATOR, description=OWN_KEY, now=time.time())

    def _secret(self, name: str) -> str:
        """A secret of this installation, made at first use, so that links signed before a restart stay good."""
        path = self._home / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(32))
        return path.read_text()

    def _environment(self, endpoint: Endpoint) -> dict[str, str]:
        environment = {
            **os.environ,
            "SLIPWAY_HOME": str(self._home),
            "SLIPWAY_BROKER__URL": endpoint.broker_url,
            "SLIPWAY_STORE__URL": endpoint.store_url,
            "SLIPWAY_BUNDLES__BASE_URL": endpoint.bundles_url,
            "SLIPWAY_BUNDLES__HOST": "127.0.0.1",
            "SLIPWAY_BUNDLES__PORT": endpoint.bundles_url.rpartition(":")[2],
            "SLIPWAY_BUNDLES__DIRECTORY": str(self._home / "bundles"),
            "SLIPWAY_BUNDLES__KEY": endpoint.bundles_key,
            "SLIPWAY_BUNDLES__TOKEN": endpoint.bundles_token,
            "SLIPWAY_API__HOST": "127.0.0.1",
            "SLIPWAY_API__PORT": endpoint.api_url.rpartition(":")[2],
            "SLIPWAY_API__KEY": endpoint.api_key,
        }
        if endpoint.flower_url:
            environment["SLIPWAY_FLOWER__PORT"] = endpoint.flower_url.rpartition(":")[2]
        return environment


def services_of(settings: Settings, *, flower: bool) -> dict[str, tuple[str, ...]]:
    """The control plane's processes by name, each with its command."""
    names = ["control", "watch", "trigger", "bundles", "api"]
    names += ["flower"] if flower else []
    names += ["scaling"] if settings.aws.lifecycle_queue_url else []
    services: dict[str, tuple[str, ...]] = {name: (name,) for name in names}
    if settings.load_balancers or settings.aws.enabled:
        # A balancer that is slow to answer keeps no deployment waiting that has none.
        services["control"] = ("control", "--queue", "control")
        services["traffic"] = ("control", "--queue", "traffic")
    return services


def for_hosts(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the control plane's keys to other places."""
    return {name: value for name, value in environment.items() if not name.upper().startswith(NOT_FOR_HOSTS)}


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
