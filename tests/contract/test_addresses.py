"""Every kind of address the settings take, on real servers: as the broker, as the result backend and as the store."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu import Connection
from kombu.exceptions import OperationalError

from adapters.store.redis import RedisStore
from config.queues import celery_config
from config.sections import BrokerSettings, StoreSettings
from config.settings import Settings
from config.urls import celery_url
from tests.services import background, free_port, require, wait_until
from workers.app import make_app
from workers.broker import connection
from workers.embedded import find_server

PASSWORD = "p/w #1"
WRITTEN = "p%2Fw%20%231"


class Server:
    """One Redis that is reached in three ways, by a password that has to be written with care."""

    def __init__(self, folder: Path) -> None:
        self.plain, self.tls, self.socket = free_port(), free_port(), folder / "redis.sock"
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"

    def certify(self) -> None:
        """Make a certificate for this machine that is its own authority."""
        subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
        files = ("-keyout", str(self.key), "-out", str(self.certificate))
        command = [require(shutil.which("openssl"), "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
        subprocess.run([*command, "-days", "2", *files, *subject], check=True, capture_output=True)

    def command(self) -> list[str]:
        """The command line; its password is a test's."""
        return [
            *(find_server(), "--bind", "127.0.0.1", "--port", str(self.plain), "--requirepass", PASSWORD),
            *("--unixsocket", str(self.socket), "--save", "", "--dir", str(self.socket.parent)),
            *("--tls-port", str(self.tls), "--tls-auth-clients", "no"),
            *("--tls-cert-file", str(self.certificate), "--tls-key-file", str(self.key)),
        ]

    def url(self, kind: str) -> str:
        """How a person would write the address."""
        return {
            "redis": f"redis://:{WRITTEN}@127.0.0.1:{self.plain}/2",
            "rediss": f"rediss://:{WRITTEN}@localhost:{self.tls}/2?ssl_ca_certs={self.certificate}",
            "unix": f"unix://:{WRITTEN}@{self.socket}?db=2",
            "unix, password as option": f"unix://{self.socket}?db=2&password={WRITTEN}",
            "redis+socket": f"redis+socket://:{WRITTEN}@{self.socket}?virtual_host=2",
        }[kind]

    def client(self) -> redis.Redis:
        """One that looks at the database the addresses name."""
        return redis.Redis(unix_socket_path=str(self.socket), password=PASSWORD, db=2, decode_responses=True)

    def answers(self) -> bool:
        """Whether it does."""
        with contextlib.closing(self.client()) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        made = Server(Path(folder))
        made.certify()
        with background(made.command(), Path(folder) / "log") as process:
            up = wait_until(lambda: made.answers() or process.poll() is not None, "the server's answer", limit=20)
            require((up and made.answers()) or None, "redis-server that speaks TLS")
            yield made


@pytest.fixture(params=["redis", "rediss", "unix", "unix, password as option", "redis+socket"])
def settings(request: pytest.FixtureRequest, server: Server) -> Settings:
    """The store at an address of each kind, which is the broker's too; nothing is in it yet."""
    with contextlib.closing(server.client()) as client:
        client.flushdb()
    return Settings(store=StoreSettings.model_validate({"url": server.url(request.param)}))


def carried(link: Connection, name: str) -> Any:
    """What comes out of a queue that a message was put in."""
    with link, link.SimpleQueue(name) as queue:
        queue.put({"hello": name})
        message = queue.get(timeout=10)
        message.ack()
        return message.payload


def test_it_carries_messages(settings: Settings) -> None:
    assert carried(connection(settings, "control"), "test.addresses") == {"hello": "test.addresses"}


def test_it_keeps_results(settings: Settings, server: Server) -> None:
    app = make_app(settings, "control")
    app.backend.store_result("task-1", {"a": 1}, "SUCCESS")
    assert app.AsyncResult("task-1").get(timeout=10) == {"a": 1}
    with contextlib.closing(server.client()) as client:
        assert client.delete("celery-task-meta-task-1") == 1, "in the database that the address names"


def test_it_keeps_deployments(settings: Settings, server: Server) -> None:
    with contextlib.closing(RedisStore(settings.store_url, prefix="addresses")) as store:
        store.ping()
        assert store.claim("one", 5.0)
    with contextlib.closing(server.client()) as client:
        assert client.keys("addresses*")


def test_a_certificate_nobody_vouches_for_is_refused(server: Server) -> None:
    url = f"rediss://:{WRITTEN}@localhost:{server.tls}/2"
    settings = Settings(store=StoreSettings.model_validate({"url": url}))
    with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        redis.Redis.from_url(settings.store_url).ping()
    with (
        pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"),
        Connection(celery_url(settings.broker_url)) as link,
    ):
        _ = link.default_channel


def test_rabbitmq_carries_messages_and_redis_the_rest(server: Server, rabbitmq_url: str) -> None:
    settings = Settings(
        store=StoreSettings.model_validate({"url": server.url("unix")}),
        broker=BrokerSettings.model_validate({"url": rabbitmq_url}),
    )
    assert carried(connection(settings, "control"), "test.addresses") == {"hello": "test.addresses"}
    found = celery_config(settings, "control")
    assert found["broker_url"] == rabbitmq_url
    assert found["result_backend"].startswith("redis+socket://")
