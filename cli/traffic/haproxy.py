"""A HAProxy of one's own in front of applications on this machine: its configuration, process and runtime socket.

It is set up so that a mistake shows. Nothing is retried or sent to another server, so a request that meets a host
which is not there is lost, and whoever sent it knows.
"""

from __future__ import annotations

import csv
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

from domain.errors import CallerError, SlipwayError
from workers.supervisor import die_with_parent

BACKEND = "web"
START = 10.0
"""Seconds until it must answer."""


class HAProxyMissing(CallerError):
    """There is no HAProxy on this machine: `apt install haproxy`, `dnf install haproxy` or `brew install haproxy`."""

    code = "HAProxyMissing"


class HAProxyDidNotStart(SlipwayError):
    """HAProxy did not start."""


@dataclass(frozen=True, slots=True)
class Server:
    """An application behind the balancer, by the name of its host."""

    name: str
    port: int
    in_service: bool = True
    """False: it begins in maintenance and gets no request until somebody says so."""


def find_haproxy() -> str | None:
    """Where HAProxy is installed; some systems keep it out of a user's PATH."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


def configuration(port: int, servers: Sequence[Server], runtime: Path) -> str:
    """Its configuration.

    - `retries 0` and no `option redispatch`: by default a refused connection is tried again and elsewhere, which would
      hide a host that was stopped while it had traffic.
    - `http-reuse safe`, its default, written out: the first request of a client's connection never goes over a server
      connection that has served others, so it cannot meet one that is closing.
    - Idle connections to servers are dropped after a second (`pool-purge-delay`), long before an application would.
    - `timeout http-keep-alive` is long: a client should find its idle connection open.
    - `observe layer4` and the like are left out: a server's health is what its health check says.
    """
    lines = [
        f"    server {each.name} 127.0.0.1:{each.port}{'' if each.in_service else ' disabled'}" for each in servers
    ]
    return _TEMPLATE.format(port=port, runtime=runtime, backend=BACKEND, servers="\n".join(lines))


_TEMPLATE = """\
global
    stats socket {runtime} mode 600 level admin
    stats timeout 1m
    nbthread 1
    maxconn 4000

defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 30s
    timeout queue 5s
    timeout http-request 10s
    timeout http-keep-alive 60s
    retries 0
    http-reuse safe

frontend traffic
    bind 127.0.0.1:{port}
    default_backend {backend}

backend {backend}
    balance roundrobin
    option httpchk GET /healthz
    http-check expect status 200
    default-server check inter 200ms fastinter 100ms downinter 200ms rise 2 fall 2 pool-purge-delay 1s
{servers}
"""


class HAProxy:
    """One HAProxy, for as long as the block lasts. Its configuration and log are in `folder`."""

    def __init__(self, folder: Path, port: int, servers: Sequence[Server]) -> None:
        self.port = port
        self.servers = servers
        self._config = folder / "haproxy.cfg"
        self._log = folder / "haproxy.log"
        # Not in the folder: the path of a unix socket must be short.
        self._sockets = tempfile.TemporaryDirectory(prefix="slipway-")
        self.runtime = Path(self._sockets.name) / "haproxy.sock"
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> HAProxy:
        program = find_haproxy()
        if program is None:
            raise HAProxyMissing
        self._config.write_text(configuration(self.port, self.servers, self.runtime))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  (the program we found, with a file of our own)
                [program, "-db", "-f", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=partial(die_with_parent, signal.SIGKILL),
            )
        deadline = time.monotonic() + START
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise HAProxyDidNotStart(f"HAProxy did not start: {self._log.read_text()[-1000:].strip()}")
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._sockets.cleanup()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ask(self, command: str) -> str:
        """One command of the runtime API, and its answer."""
        with socket.socket(socket.AF_UNIX) as runtime:
            runtime.settimeout(5)
            runtime.connect(str(self.runtime))
            runtime.sendall(f"{command}\n".encode())
            answer = b""
            while some := runtime.recv(65536):
                answer += some
        return answer.decode().strip()

    def statuses(self) -> dict[str, str]:
        """What it says of each server, as `UP`, `DOWN 1/2`, `DRAIN` or `MAINT`."""
        return {row["svname"]: row["status"] for row in self._rows()}

    def busy(self, server: str) -> int:
        """Requests that a server works on."""
        return sum(int(row["scur"]) for row in self._rows() if row["svname"] == server)

    def _rows(self) -> list[dict[str, str]]:
        table = self.ask(f"show stat {BACKEND} 4 -1").removeprefix("# ")
        return list(csv.DictReader(table.splitlines()))

    def _answers(self) -> bool:
        try:
            return "Uptime_sec" in self.ask("show info")
        except OSError:
            return False
