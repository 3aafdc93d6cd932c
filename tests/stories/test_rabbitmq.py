"""RabbitMQ as the broker, Redis as the store: real processes deploy, stop and tell the world what happened."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Consumer, Exchange, Queue
from kombu.message import Message

from domain.configs import HALF_AT_A_TIME
from domain.deployments import DeploymentStatus
from domain.happenings import HappeningType
from domain.lifecycle import Event
from domain.reports import ErrorCode
from tests.rabbitmq import RabbitMQ
from tests.site import Site, wait_until, write_revision

HOSTS = ("web-1", "web-2", "web-3")


@pytest.fixture(scope="module")
def site(rabbitmq: RabbitMQ) -> Iterator[Site]:
    with Site(SLIPWAY_BROKER__URL=rabbitmq.url) as running:
        running.start("control")
        running.start("watch")
        running.start("trigger")
        running.register(HOSTS)
        running.group(config=HALF_AT_A_TIME)
        for host in HOSTS:
            start_agent(running, host)
        wait_until(lambda: all(running.world.store.seen(HOSTS)), "the agents' hello")
        yield running


def start_agent(site: Site, host: str) -> None:
    """An agent that is told of the broker alone: it needs no way into the store."""
    folders = ("--root", str(site.root(host)), "--state", str(site.state(host)))
    site.start(f"agent-{host}", "agent", "--id", host, *folders, SLIPWAY_STORE__URL="")


class Listener:
    """A consumer of the events as a stranger would write it: a queue of its own on the topic exchange."""

    def __init__(self, connection: Connection, routing_key: str) -> None:
        events = Exchange("slipway.events", type="topic", durable=True)
        self._connection = connection
        self.heard: list[dict[str, Any]] = []
        self._consumer = Consumer(
            connection,
            queues=[Queue("", events, routing_key=routing_key, exclusive=True)],
            callbacks=[self._hear],
            accept=["json"],
        )
        self._consumer.consume()

    def _hear(self, body: dict[str, Any], message: Message) -> None:
        assert message.properties["message_id"] == body["eventId"]
        self.heard.append(body)
        message.ack()

    def until(self, kind: HappeningType) -> list[dict[str, Any]]:
        """All that was heard once an event of this kind was."""

        def came() -> bool:
            with contextlib.suppress(TimeoutError):
                self._connection.drain_events(timeout=0.2)
            return any(event["type"] == kind for event in self.heard)

        wait_until(came, f"{kind} on the exchange")
        return self.heard


def test_a_deployment_succeeds_and_its_events_arrive(site: Site, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    with Connection(rabbitmq.url) as connection:
        listener = Listener(connection, "#")
        deployment_id = site.deploy(write_revision(tmp_path / "v1", {"ValidateService": "true"}))
        assert site.ended(deployment_id).status is DeploymentStatus.SUCCEEDED
        heard = listener.until(HappeningType.DEPLOYMENT_SUCCESS)
    for host in HOSTS:
        assert (site.root(host) / "app" / "version.txt").read_text() == "v1"
    assert {event["deploymentId"] for event in heard} == {deployment_id}


def test_a_failed_host_is_told_under_its_own_routing_key(site: Site, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    with Connection(rabbitmq.url) as connection:
        listener = Listener(connection, "instance.failure")
        deployment_id = site.deploy(write_revision(tmp_path / "v2", {"ValidateService": "exit 3"}))
        assert site.ended(deployment_id).status is DeploymentStatus.FAILED
        heard = listener.until(HappeningType.INSTANCE_FAILURE)
    assert {event["type"] for event in heard} == {HappeningType.INSTANCE_FAILURE}


def test_agents_hear_of_a_stop(site: Site, tmp_path: Path) -> None:
    started = tmp_path / "started"
    hooks = {"ApplicationStart": f'touch "{started}"\nexec sleep 600', "ValidateService": "true"}
    deployment_id = site.deploy(write_revision(tmp_path / "v3", hooks))
    wait_until(started.exists, "ApplicationStart on a host")
    site.slipway("stop", deployment_id, "--now")
    assert site.ended(deployment_id).status is DeploymentStatus.STOPPED
    cut = [
        held.diagnostics.error_code
        for record in site.world.store.targets(deployment_id)
        if (held := record.events.get(Event.APPLICATION_START)) and held.diagnostics
    ]
    # Not by the script's own time limit, as it would be had nobody been told.
    assert cut
    assert ErrorCode.SCRIPT_TIMED_OUT not in cut


def test_a_message_on_the_trigger_queue_starts_a_deployment(site: Site, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    revision = write_revision(tmp_path / "v4", {"ValidateService": "true"})
    request = {
        "applicationName": "app",
        "deploymentGroupName": "web",
        "revision": {
            "revisionType": "Local",
            "localLocation": {"path": str(revision), "bundleType": "directory"},
        },
        "description": "by message",
    }
    with Connection(rabbitmq.url) as connection:
        connection.Producer().publish(request, exchange="", routing_key="slipway.trigger", serializer="json")

    def made() -> str | None:
        newest = site.world.store.recent(limit=1)
        deployment = site.world.store.deployment(newest[0][1]) if newest else None
        return newest[0][1] if deployment and deployment.description == "by message" else None

    assert site.ended(wait_until(made, "the deployment")).status is DeploymentStatus.SUCCEEDED


def test_the_broker_restarts_in_the_middle(site: Site, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    """Queues and messages are durable; agents and control come back by themselves and no hook runs twice."""
    go = tmp_path / "go"
    mark = 'echo "$LIFECYCLE_EVENT $SLIPWAY_ROOT" >>"' + str(tmp_path / "ran") + '"'
    hooks = {"BeforeInstall": mark, "ApplicationStart": f'{mark}\nuntil [ -e "{go}" ]; do sleep 0.05; done'}
    deployment_id = site.deploy(write_revision(tmp_path / "v5", {**hooks, "ValidateService": mark}))
    wait_until(lambda: (tmp_path / "ran").exists() and "ApplicationStart" in (tmp_path / "ran").read_text(), "a hook")
    rabbitmq.restart()
    go.touch()
    assert site.ended(deployment_id).status is DeploymentStatus.SUCCEEDED
    ran = (tmp_path / "ran").read_text().splitlines()
    assert sorted(ran) == sorted(
        f"{event} {site.root(host)}"
        for event in ("BeforeInstall", "ApplicationStart", "ValidateService")
        for host in HOSTS
    )
