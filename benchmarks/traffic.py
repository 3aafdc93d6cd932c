"""What traffic steps add to a host's share of a deployment, behind a real HAProxy and under load, against what the
balancer itself needs; and whether a request is lost.

Goal: at most 1.5 times what it needs, and no request lost. What it needs is measured by hand in the same run, in turns:
drain a host until its last request is answered, then put it back until its health check has passed anew. Every request
takes REQUEST_MS, so that each drain meets one in flight that takes as long. Without HAProxy nothing is measured.
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from benchmarks.fixtures import wait_for_end
from benchmarks.rig import Result, Rig, median, say, timed, wait_until
from cli.traffic.counts import Counts
from cli.traffic.groups import add_balanced_group, balancer_settings
from cli.traffic.haproxy import BACKEND, HAProxy, HAProxyMissing, Server, find_haproxy
from cli.traffic.load_process import LoadProcess
from cli.traffic.ports import pick_ports
from cli.traffic.sample import end_samples, place_host, write_version
from config.settings import load_settings
from domain.configs import ALL_AT_ONCE, ONE_AT_A_TIME
from domain.deployments import CreateDeployment, EventRecord
from domain.lifecycle import Event
from domain.revisions import LocalLocation, RevisionLocation, RevisionType
from tasks.admitting import create_deployment
from tasks.runtime import World
from workers.app import make_app
from workers.wiring import make_site, make_world

GOAL = 1.5
RATE = 500.0
REQUEST_MS = 150
APPLICATION, GROUP = "webapp", "production"
versions = count(1)


class Stage(NamedTuple):
    """What is measured on."""

    rig: Rig
    world: World
    balancer: HAProxy


@contextmanager
def stage(hosts: int) -> Iterator[Stage]:
    """An installation behind a HAProxy, with a first version on all hosts."""
    front, *ports = pick_ports(1 + hosts)
    servers = [Server(f"web-{number}", port) for number, port in enumerate(ports, start=1)]
    with Rig() as rig, HAProxy(rig.home, front, servers) as balancer:
        roots = {each.name: rig.home / "hosts" / each.name / "root" for each in servers}
        rig.environment |= {**balancer_settings(balancer), "SLIPWAY_AGENT__LOCAL_REVISIONS": "true"}
        rig.enter_environment()
        try:
            for name in ("control", "watch"):
                rig.spawn("cli.main", name)
            for server in servers:
                root = roots[server.name]
                place_host(root, server.name, server.port)
                where = ("--id", server.name, "--root", str(root), "--state", str(root.with_name("state")))
                rig.spawn("cli.main", "agent", *where)
            settings = load_settings()
            world = make_world(settings, make_app(settings, "client"))
            add_balanced_group(make_site(settings, world), APPLICATION, GROUP, balancer, event_seconds=60)
            wait_until(lambda: all(world.store.seen(list(roots))), "the agents' hello")
            made = Stage(rig, world, balancer)
            deploy(made, ALL_AT_ONCE)
            yield made
        finally:
            end_samples(roots.values())


def deploy(here: Stage, config: str) -> list[float]:
    """Deploy a fresh version; the seconds that traffic steps took on each host."""
    behavior = {"fast_ms": [REQUEST_MS, REQUEST_MS], "slow_ms": REQUEST_MS}
    made = write_version(here.rig.home, f"v{next(versions)}", **behavior)
    request = CreateDeployment(
        application_name=APPLICATION,
        deployment_group_name=GROUP,
        revision=RevisionLocation(
            revision_type=RevisionType.LOCAL, local_location=LocalLocation(path=str(made), bundle_type="directory")
        ),
        deployment_config_name=config,
        client_request_token=str(uuid.uuid4()),
    )
    deployment_id = create_deployment(here.world, request)
    ended = wait_for_end(here.world, deployment_id)
    if ended.status != "Succeeded":
        raise RuntimeError(f"{deployment_id} ended {ended.status}: {ended.error_information}")
    found = here.world.store.targets(deployment_id, first=0, count=ended.total)
    return [traffic_seconds(record.events) for record in found]


def traffic_seconds(events: Mapping[Event, EventRecord]) -> float:
    """From the first event before ApplicationStop to its start, and from ValidateService's end to that of the last."""
    out = _at(events[Event.APPLICATION_STOP].start_time) - _at(events[Event.BEFORE_BLOCK_TRAFFIC].start_time)
    back = _at(events[Event.AFTER_ALLOW_TRAFFIC].end_time) - _at(events[Event.VALIDATE_SERVICE].end_time)
    return out + back


def _at(moment: float | None) -> float:
    if moment is None:
        raise RuntimeError("an event has no time: the deployment did not go through traffic steps")
    return moment


def by_hand(balancer: HAProxy, host: str) -> float:
    """The seconds that the balancer itself takes to drain a host and to find it healthy anew."""
    took: list[float] = []
    with timed(took):
        balancer.ask(f"set server {BACKEND}/{host} state drain")
        wait_until(lambda: balancer.busy(host) == 0, f"the last request on {host}")
    with timed(took):
        for order in ("health down", "state ready"):
            balancer.ask(f"set server {BACKEND}/{host} {order}")
        wait_until(lambda: balancer.statuses()[host] == "UP", f"the health of {host}")
    return sum(took)


def run(*, hosts: int, rounds: int) -> list[Result]:
    """Measure and print."""
    ours: list[float] = []
    minimum: list[float] = []
    lost = 0
    with stage(hosts) as here:
        for _ in range(rounds):
            with loaded(here.rig.home, here.balancer) as ended:
                ours += deploy(here, ONE_AT_A_TIME)
                minimum += [by_hand(here.balancer, each.name) for each in here.balancer.servers]
            counts = ended[0]
            lost += counts.failed + counts.retried
            say(f"traffic: {counts.sent} requests, {counts.rate:.0f} a second, {counts.failed} lost {counts.reasons}")
    ratio = median(ours) / median(minimum)
    say(
        f"traffic: {hosts} hosts one at a time: {median(ours):.2f} s a host (worst {max(ours):.2f}), "
        f"by hand {median(minimum):.2f} s (worst {max(minimum):.2f}), ratio {ratio:.2f}"
    )
    return [
        Result("traffic steps a host, against the balancer's own", ratio, GOAL),
        Result("traffic, requests lost or sent twice", lost, 0),
    ]


@contextmanager
def loaded(folder: Path, balancer: HAProxy) -> Iterator[list[Counts]]:
    """Requests come in during the block; what became of them is there after it."""
    ended: list[Counts] = []
    with LoadProcess(folder, balancer.port, rate=RATE) as load:
        wait_until(lambda: load.counts().ok > RATE / 5, "answers")
        yield ended
        ended.append(load.end())


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """The command line."""
    parser = argparse.ArgumentParser(prog="traffic", description=__doc__)
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(arguments)
    if find_haproxy() is None:
        say(f"traffic: {HAProxyMissing()}")
        return []
    return run(hosts=given.hosts, rounds=2 if given.quick else given.rounds)


if __name__ == "__main__":
    main()
