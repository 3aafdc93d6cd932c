"""The sample application on some hosts behind a real HAProxy, and requests to it, for tests of what becomes of them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from api.site import Site as Api
from cli.traffic.groups import add_balanced_group, balancer_settings, change_group
from cli.traffic.haproxy import BACKEND, HAProxy, Server, find_haproxy
from cli.traffic.ports import pick_ports
from cli.traffic.sample import end_samples, place_host, write_version
from tests.services import require, wait_until
from tests.site import Site
from workers.supervisor import die_with_parent
from workers.wiring import make_site


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
def applications(
    folder: Path, hosts: Sequence[str], waiting: Sequence[str] = ()
) -> Iterator[tuple[Applications, HAProxy]]:
    """Version v1 on `hosts`, in service at HAProxy; it knows those `waiting`, where nothing runs yet."""
    require(find_haproxy(), "haproxy")
    front, *ports = pick_ports(1 + len(hosts) + len(waiting))
    placed = dict(zip((*hosts, *waiting), ports, strict=True))
    running = Applications(folder, placed)
    try:
        for host in hosts:
            running.start(host, "v1")
        servers = [Server(host, port, in_service=host in hosts) for host, port in placed.items()]
        with HAProxy(folder, front, servers) as balancer:
            expected = dict.fromkeys(hosts, "UP") | dict.fromkeys(waiting, "MAINT")
            wait_until(lambda: balancer.statuses() == expected, "health of all hosts")
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


@contextlib.contextmanager
def balanced_site(
    blue: Sequence[str], green: Sequence[str] = (), *, event_seconds: int = 30, **environment: str
) -> Iterator[BalancedSite]:
    """An installation behind a HAProxy: the group app/web of blue hosts in service, green ones in maintenance, nothing
    deployed yet. `environment` are settings of its own."""
    require(find_haproxy(), "haproxy")
    front, *ports = pick_ports(1 + len(blue) + len(green))
    hosts = [*blue, *green]
    servers = [Server(host, port, in_service=host in blue) for host, port in zip(hosts, ports, strict=True)]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-")))
        balancer = stack.enter_context(HAProxy(folder, front, servers))
        site = stack.enter_context(Site(limits=None, **balancer_settings(balancer), **environment))
        stack.callback(lambda: end_samples(map(site.root, hosts)))
        for process in ("control", "watch"):
            site.start(process)
        for server in servers:
            place_host(site.root(server.name), server.name, server.port)
            site.agent(server.name)
        api = make_site(site.settings, site.world)
        add_balanced_group(api, "app", "web", balancer, event_seconds=event_seconds)
        wait_until(lambda: all(site.world.store.seen(hosts)), "the agents' hello")
        yield BalancedSite(site, balancer, api, folder)


@dataclass(frozen=True)
class BalancedSite:
    """The installation, its balancer, what the API's operations work with, and a place for revisions."""

    site: Site
    balancer: HAProxy
    api: Api
    folder: Path

    def change_group(self, members: Mapping[str, object]) -> None:
        """Change how the group is deployed to."""
        change_group(self.api, "app", "web", members)

    def errors(self) -> list[str]:
        """What went wrong in control: what the watch healed is not seen elsewhere."""
        return [line for line in (self.site.home / "control.log").read_text().splitlines() if " ERROR " in line]

    def version(self, name: str, **behavior: object) -> Path:
        """A revision of the sample application."""
        return write_version(self.folder, name, **behavior)
