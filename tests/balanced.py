"""The sample application on some hosts behind a real HAProxy, and requests to it, for tests of what becomes of them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from cli.traffic.haproxy import BACKEND, HAProxy, Server, find_haproxy
from cli.traffic.ports import pick_ports
from cli.traffic.sample import write_version
from tests.services import require, wait_until
from workers.supervisor import die_with_parent


class Applications:
    """The application as processes of the test, with nobody deploying it."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self._folder = folder
        self._ports = ports
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, host: str, version: str, **behavior: object) -> None:
        """Start a version on a host; it serves when this returns."""
        release, home = self._folder / version, self._folder / host
        if not release.exists():
            write_version(self._folder, version, **behavior)
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(release, home)
        command = ["python3", "-I", "-S", str(home / "server.py"), str(self._ports[host]), host]
        self._running[host] = subprocess.Popen(command, preexec_fn=die_with_parent)
        wait_until((home / "listening").exists, f"{version} on {host}")

    def stop(self, host: str) -> None:
        """End what runs on a host, with all that it works on."""
        process = self._running.pop(host)
        process.terminate()
        process.wait()

    def stop_all(self) -> None:
        """End everything."""
        for host in list(self._running):
            self.stop(host)


@contextlib.contextmanager
def applications(folder: Path, hosts: Sequence[str]) -> Iterator[tuple[Applications, HAProxy]]:
    """Version v1 on every host, in service at HAProxy."""
    require(find_haproxy(), "haproxy")
    front, *ports = pick_ports(1 + len(hosts))
    running = Applications(folder, dict(zip(hosts, ports, strict=True)))
    try:
        for host in hosts:
            running.start(host, "v1")
        servers = [Server(host, port) for host, port in zip(hosts, ports, strict=True)]
        with HAProxy(folder, front, servers) as balancer:
            wait_until(lambda: set(balancer.statuses().values()) == {"UP"}, "health of all hosts")
            yield running, balancer
    finally:
        running.stop_all()


def take_out(balancer: HAProxy, host: str) -> None:
    """Drain a host, by hand."""
    balancer.ask(f"set server {BACKEND}/{host} state drain")
    wait_until(lambda: balancer.busy(host) == 0, f"the last request on {host}")


def put_back(balancer: HAProxy, host: str, *, limit: float = 20.0) -> None:
    """Let a host back in, by hand, once checks have found it healthy anew: HAProxy would trust one that it knew."""
    for order in ("state drain", "health down", "state ready"):
        balancer.ask(f"set server {BACKEND}/{host} {order}")
    wait_until(lambda: balancer.statuses()[host] == "UP", f"the health of {host}", limit=limit)
