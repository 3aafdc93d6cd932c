"""A source of alarms that takes connections and does not answer, with real workers: lanes of others move as ever."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import redis

from adapters.store.connection import plain
from domain.configs import ONE_AT_A_TIME
from domain.deployments import DeploymentStatus
from domain.group_options import AlarmConfiguration
from tests.alarm_places import server
from tests.site import Site, wait_until
from workflows.names import CONTROL_QUEUE

QUEUE = "host.simulated"
SOMEWHERE = Path("/nowhere")
WATCHING = 8
"""Deployments, twice as many as a control process has threads."""
LIMITS = {"alarm_seconds": 2, "alarm_patience_seconds": 600, "pickup_seconds": 300}


class Source:
    """A site that is checked: well, but it hangs from when it is told to until it is let go."""

    def __init__(self) -> None:
        self.hangs, self.let_go = False, threading.Event()
        self._lock = threading.Lock()
        self.asked = self.held = self.most_held = 0

    def say(self, request: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self.asked += 1
            self.held += 1
            self.most_held = max(self.held, self.most_held)
        while self.hangs and not self.let_go.wait(0.05) and not _hung_up(request.connection):
            pass
        with self._lock:
            self.held -= 1
        request.send_response(200)
        request.send_header("Content-Length", "0")
        request.end_headers()


def _hung_up(connection: socket.socket) -> bool:
    """Whoever asked waits no longer, and may ask again."""
    return bool(select.select([connection], [], [], 0)[0]) and not connection.recv(1, socket.MSG_PEEK)


@pytest.fixture
def source() -> Iterator[Source]:
    made = Source()
    yield made
    made.let_go.set()


@contextmanager
def site_of(source: Source, **limits: float) -> Iterator[Site]:
    with ExitStack() as stack:
        told = stack.enter_context(server())
        told.say = source.say
        alarms = {"health": {"kind": "http", "url": f"{told.url}/health", "seconds": 10, "failures": 100}}
        running = stack.enter_context(Site(limits={**LIMITS, **limits}, SLIPWAY_ALARMS=json.dumps(alarms)))
        running.start("control")
        running.start("watch")
        running.start("simulated", QUEUE, str(running.home / "simulated"), module="benchmarks.simulated")
        yield running


def group(site: Site, name: str, hosts: int, *, queue: str) -> None:
    site.register([f"{name}-{number}" for number in range(hosts)], queue=queue, group=name)
    filters = ({"key": "group", "value": name},)
    site.group(name, config=ONE_AT_A_TIME, on_premises_instance_tag_filters=filters)


def watching(site: Site, name: str) -> str:
    """A deployment that watches the source."""
    watched = AlarmConfiguration.model_validate({"enabled": True, "alarms": [{"name": "health"}]})
    # Two hosts that nobody serves: it is under way for as long as the test lasts.
    group(site, name, 2, queue=f"host.nobody-{name}")
    return site.deploy(SOMEWHERE, group=name, override_alarm_configuration=watched)


def status(site: Site, deployment_id: str) -> DeploymentStatus | None:
    held = site.world.store.deployment(deployment_id)
    return held.status if held else None


def test_lanes_of_others_move_while_many_watch_it(source: Source) -> None:
    with site_of(source) as site:
        under_way = [watching(site, f"under-way-{number}") for number in range(WATCHING)]
        for each in under_way:
            wait_until(lambda each=each: status(site, each) is DeploymentStatus.IN_PROGRESS, "all to be under way")  # type: ignore[misc]
        source.hangs = True
        wait_until(lambda: source.held > 0, "a look that hangs")
        beginning = [watching(site, f"beginning-{number}") for number in range(WATCHING)]
        group(site, "others", 6, queue=QUEUE)
        deployment = site.ended(site.deploy(SOMEWHERE, group="others"))
        assert deployment.status is DeploymentStatus.SUCCEEDED
        # A look at a time, however many watch it (one that was hung up on may be counted still), and no queue.
        assert source.most_held <= 2
        with redis.Redis.from_url(plain(site.settings.broker_url)) as broker:
            wait_until(lambda: broker.llen(CONTROL_QUEUE) == 0, "an empty queue")
        assert {status(site, each) for each in under_way} == {DeploymentStatus.IN_PROGRESS}
        assert {status(site, each) for each in beginning} == {DeploymentStatus.CREATED}


def test_what_it_says_late_begins_the_deployment_without_asking_again(source: Source) -> None:
    # Looks under way would be counted too.
    with site_of(source, alarm_seconds=60) as site:
        source.hangs = True
        deployment_id = watching(site, "late")
        log = site.home / "control.log"
        wait_until(lambda: "they are being read" in log.read_text(), "a begin that does not wait for it")
        assert status(site, deployment_id) is DeploymentStatus.CREATED
        source.let_go.set()
        wait_until(lambda: status(site, deployment_id) is DeploymentStatus.IN_PROGRESS, "the beginning")
        assert source.asked == 1
