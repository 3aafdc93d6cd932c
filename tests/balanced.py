"""The sample application on some hosts behind a real HAProxy, and requests to it, for tests of what becomes of them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import api.site
from api.operations import instances
from api.operations.applications import create_application
from api.operations.groups import add_group, update_deployment_group
from cli.traffic.groups import balancer_settings, tag_filter
from cli.traffic.haproxy import BACKEND, HAProxy, Server, find_haproxy
from cli.traffic.ports import pick_ports
from cli.traffic.sample import end_samples, place_host, write_version
from domain.fleet import ADDRESS_TAG
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


@contextlib.contextmanager
def balanced_site(blue: Sequence[str], green: Sequence[str] = ()) -> Iterator[BalancedSite]:
    """An installation behind a HAProxy: blue hosts in service, green ones in maintenance, nothing deployed yet."""
    require(find_haproxy(), "haproxy")
    front, *ports = pick_ports(1 + len(blue) + len(green))
    hosts = [*blue, *green]
    servers = [Server(host, port, in_service=host in blue) for host, port in zip(hosts, ports, strict=True)]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-")))
        balancer = stack.enter_context(HAProxy(folder, front, servers))
        site = stack.enter_context(Site(limits=None, **balancer_settings(balancer)))
        stack.callback(lambda: end_samples(map(site.root, hosts)))
        for process in ("control", "watch"):
            site.start(process)
        here = BalancedSite(site, balancer, make_site(site.settings, site.world), folder)
        here.add_hosts({host: "blue" if host in blue else "green" for host in hosts})
        yield here


@dataclass(frozen=True)
class BalancedSite:
    """The installation, its balancer, and what the API's operations work with."""

    site: Site
    balancer: HAProxy
    api: api.site.Site
    folder: Path

    def add_hosts(self, colors: Mapping[str, str]) -> None:
        """Register the hosts and start their agents."""
        create_application(self.api, {"applicationName": "app"})
        for host, color in colors.items():
            place_host(self.site.root(host), host, self.balancer.ports[host])
            address = f"127.0.0.1:{self.balancer.ports[host]}"
            instances.register(self.api, host, {"color": color, ADDRESS_TAG: address})
            self.site.agent(host)
        wait_until(lambda: all(self.site.world.store.seen(list(colors))), "the agents' hello")

    def group(self, name: str, members: Mapping[str, object], *, event_seconds: int = 30) -> None:
        """A deployment group of the blue hosts, as the API makes it."""
        filters = [tag_filter("color", "blue")]
        given = {"applicationName": "app", "deploymentGroupName": name, "onPremisesInstanceTagFilters": filters}
        add_group(self.api, {**given, **members}, {"eventSeconds": event_seconds})

    def change(self, name: str, members: Mapping[str, object]) -> None:
        """Change the group."""
        update_deployment_group(self.api, {"applicationName": "app", "currentDeploymentGroupName": name, **members})

    def version(self, name: str, **behavior: object) -> Path:
        """A revision of the sample application."""
        return write_version(self.folder, name, **behavior)
