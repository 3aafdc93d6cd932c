"""`slipway demo --balancer` and `slipway demo --blue-green`: deployments behind a real HAProxy while requests come in
at a fixed rate, and what became of each request."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live

from cli.demo import DemoFailed, clean_up, start_installation
from cli.deploy import upload
from cli.following import follow
from cli.traffic.counts import Counts
from cli.traffic.groups import BLUE_GREEN, GREEN_HOSTS, add_balanced_group, balancer_settings, change_group
from cli.traffic.haproxy import HAProxy, HAProxyMissing, Server, find_haproxy
from cli.traffic.load_process import LoadProcess
from cli.traffic.ports import pick_ports
from cli.traffic.sample import place_host, write_version
from cli.world import site, world
from console.traffic import TrafficView, draw_traffic, traffic_totals
from domain.configs import ALL_AT_ONCE, HALF_AT_A_TIME, ONE_AT_A_TIME
from domain.deployments import CreateDeployment

RATE = 500.0
"""Requests a second."""
CALM = 10.0
"""Seconds after which all requests must have gone where they go now."""
APPLICATION, GROUP = "webapp", "production"
WEB = ("web-1", "web-2", "web-3", "web-4")
BLUE = ("blue-1", "blue-2", "blue-3", "blue-4")
GREEN = ("green-1", "green-2", "green-3", "green-4")
EVENT_SECONDS = 12
"""The limit of an event: so long a version that is never healthy is waited for."""


@dataclass(frozen=True)
class Stage:
    """Where it plays: an installation with its hosts, the balancer in front of them, and a place for revisions."""

    home: Path
    balancer: HAProxy
    scratch: Path
    console: Console


def run_in_place(home: Path, console: Console) -> dict[str, object]:
    """Three versions on four hosts, two of them under load, and one that the balancer never finds healthy."""
    with stage(home, console, in_service=WEB) as here:
        told = [deploy(here, "v1", ALL_AT_ONCE, "before anyone asks: to all hosts at once")]
        with LoadProcess(home, here.balancer.port, rate=RATE) as load:
            told.append(deploy(here, "v2", HALF_AT_A_TIME, "to half of the hosts at a time", load=load))
            told.append(deploy(here, "v3", ONE_AT_A_TIME, "to one host at a time", load=load))
            never = "whose /healthz never says yes: it gets no request, v3 serves on"
            told.append(deploy(here, "v4", ONE_AT_A_TIME, never, load=load, healthy=False))
            calm_down(load, console)
            counts = load.end()
        return tell(counts, told, console, never="v4")


def run_blue_green(home: Path, console: Console) -> dict[str, object]:
    """One version on four blue hosts, the next on four green ones, to which traffic goes over under load."""
    with stage(home, console, in_service=BLUE, waiting=GREEN) as here:
        told = [deploy(here, "v1", ALL_AT_ONCE, "on blue, before anyone asks")]
        change_group(site(), APPLICATION, GROUP, BLUE_GREEN)
        with LoadProcess(home, here.balancer.port, rate=RATE) as load:
            title = "on green; traffic goes over one host at a time, then blue is taken out"
            told.append(deploy(here, "v2", ONE_AT_A_TIME, title, load=load, target_instances=GREEN_HOSTS))
            calm_down(load, console)
            counts = load.end()
        return tell(counts, told, console)


@contextmanager
def stage(home: Path, console: Console, *, in_service: Sequence[str], waiting: Sequence[str] = ()) -> Iterator[Stage]:
    """An installation with a group of hosts, and a HAProxy in front of them; both are gone afterwards."""
    if find_haproxy() is None:
        raise HAProxyMissing
    clean_up(home)
    home.mkdir(parents=True)
    front, *ports = pick_ports(1 + len(in_service) + len(waiting))
    placed = dict(zip((*in_service, *waiting), ports, strict=True))
    for host, port in placed.items():
        place_host(home / "hosts" / host / "root", host, port)
    servers = [Server(host, port, in_service=host in in_service) for host, port in placed.items()]
    try:
        with tempfile.TemporaryDirectory(prefix="slipway-demo-") as scratch, HAProxy(home, front, servers) as balancer:
            start_installation(home, list(placed), console, environment=balancer_settings(balancer))
            add_balanced_group(site(), APPLICATION, GROUP, balancer, event_seconds=EVENT_SECONDS)
            yield Stage(home, balancer, Path(scratch), console)
    except BaseException:
        clean_up(home, keep_logs=True)
        raise
    clean_up(home)


def deploy(
    here: Stage,
    version: str,
    config: str,
    title: str,
    *,
    load: LoadProcess | None = None,
    healthy: bool = True,
    target_instances: Mapping[str, Any] | None = None,
) -> str:
    """Deploy a version and follow it to its end, which is a failure if the version is not healthy; its id."""
    from tasks.admitting import create_deployment

    here.console.rule(f"Version {version[1:]}, {title}")
    request = CreateDeployment(
        application_name=APPLICATION,
        deployment_group_name=GROUP,
        revision=upload(write_version(here.scratch, version, healthy=healthy)),
        deployment_config_name=config,
        target_instances=target_instances,
    )
    deployment_id = create_deployment(world(), request)

    def traffic() -> RenderableType:
        return draw_traffic(as_view(load.counts())) if load else ""

    ended = follow(world(), deployment_id, console=here.console, below=traffic if load else None)
    if ended != (0 if healthy else 1):
        raise DemoFailed("the deployment did not end as it should; `slipway list` and the logs say more")
    return deployment_id


def calm_down(load: LoadProcess, console: Console) -> None:
    """Show the requests until one version has answered all of a second."""
    deadline = time.monotonic() + CALM
    with Live(console=console, refresh_per_second=8) as live:
        while True:
            counts = load.counts()
            live.update(draw_traffic(as_view(counts)))
            answering = [version for version, rate in counts.versions_lately.items() if rate]
            if len(answering) <= 1 or time.monotonic() > deadline:
                break
            time.sleep(0.1)
    if not console.is_terminal:
        console.print()


def as_view(counts: Counts) -> TrafficView:
    """The counts as they are drawn."""
    return TrafficView(
        asked=counts.asked,
        rate=counts.lately,
        answered=counts.ok,
        failed=counts.failed,
        p50=counts.p50,
        p99=counts.p99,
        worst=counts.worst,
        versions=counts.versions,
        rates=counts.versions_lately,
        retried=counts.retried,
        late=counts.late,
        reasons=counts.reasons,
    )


def tell(counts: Counts, deployments: Sequence[str], console: Console, *, never: str = "") -> dict[str, object]:
    """The last word; raises DemoFailed if a request was lost, or if the version that may `never` answer did."""
    console.rule("What became of the requests")
    console.print(f"  {traffic_totals(as_view(counts))}", highlight=False)
    late = "" if counts.kept_rate else f"; {counts.late} were sent late, for the machine was busy"
    rate = f"{counts.sent:,} sent in {counts.seconds:.0f} s, {counts.rate:.0f} a second of {counts.asked:.0f}{late}"
    latency = f"p50 {counts.p50 * 1000:.0f} ms, p99 {counts.p99 * 1000:.0f} ms, worst {counts.worst * 1000:.0f} ms"
    console.print(f"  {rate}; {latency}", highlight=False, soft_wrap=True)
    if counts.failed or never in counts.versions:
        raise DemoFailed("requests were lost, or answered by a version that is not healthy")
    return {"deployments": list(deployments), "requests": asdict(counts)}
