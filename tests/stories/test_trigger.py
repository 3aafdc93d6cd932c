"""Deployments started by messages: from a queue that any producer can write, with answers and dead letters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from adapters.store.connection import plain
from domain.deployments import DeploymentStatus
from domain.groups import Busy
from tests.site import Site, wait_until, write_revision
from workers.broker import connection

TRIGGER, DEAD = "slipway.trigger", "slipway.trigger.dead"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as running:
        for process in ("control", "watch", "trigger"):
            running.start(process)
        running.register(["web-1"])
        running.agent("web-1")
        running.group()
        running.group("patient", busy=Busy.QUEUE)
        yield running


@pytest.fixture
def broker(site: Site) -> redis.Redis:
    # The client's own limit on an answer is shorter than a busy machine takes to start a trigger.
    return redis.Redis.from_url(plain(site.settings.broker_url), decode_responses=True, socket_timeout=60)


def request(revision: Path, **more: Any) -> dict[str, Any]:
    location = {"path": str(revision), "bundleType": "directory"}
    return {
        "applicationName": "app",
        "deploymentGroupName": "web",
        "revision": {"revisionType": "Local", "localLocation": location},
        **more,
    }


def answer(broker: redis.Redis, queue: str) -> dict[str, Any]:
    raw: Any = broker.brpop([queue], timeout=30)
    assert raw, f"no answer on {queue}"
    content: dict[str, Any] = json.loads(raw[1])
    return content


def test_a_plain_json_message_starts_a_deployment(site: Site, broker: redis.Redis, tmp_path: Path) -> None:
    revision = write_revision(tmp_path / "v1", {"ValidateService": "true"})
    broker.lpush(TRIGGER, json.dumps(request(revision, replyTo="answers.plain", correlationId="c-1")))
    answered = answer(broker, "answers.plain")
    assert answered["correlationId"] == "c-1"
    assert site.ended(answered["deploymentId"]).status is DeploymentStatus.SUCCEEDED
    assert (site.root("web-1") / "app" / "version.txt").read_text() == "v1"


def test_a_kombu_producer_is_answered_as_kombu_reads(site: Site, tmp_path: Path) -> None:
    revision = write_revision(tmp_path / "v2", {"ValidateService": "true"})
    with connection(site.settings, "client") as link, link.SimpleQueue("answers.kombu") as answers:
        link.Producer().publish(
            request(revision), routing_key=TRIGGER, serializer="json", reply_to="answers.kombu", correlation_id="c-2"
        )
        message = answers.get(timeout=30)
        message.ack()
    assert message.properties["correlation_id"] == "c-2"
    assert site.ended(message.payload["deploymentId"]).status is DeploymentStatus.SUCCEEDED


def test_a_message_that_comes_twice_makes_one_deployment(site: Site, broker: redis.Redis, tmp_path: Path) -> None:
    revision = write_revision(tmp_path / "v3", {"ValidateService": "true"})
    message = json.dumps(request(revision, replyTo="answers.twice", messageId="m-3"))
    broker.lpush(TRIGGER, message, message)
    first, second = answer(broker, "answers.twice"), answer(broker, "answers.twice")
    assert first["deploymentId"] == second["deploymentId"]
    site.ended(first["deploymentId"])


def test_a_busy_group_refuses_with_the_running_id(site: Site, broker: redis.Redis, tmp_path: Path) -> None:
    go = tmp_path / "go"
    slow = write_revision(tmp_path / "slow", {"ApplicationStart": f'until [ -e "{go}" ]; do sleep 0.05; done'})
    broker.lpush(TRIGGER, json.dumps(request(slow, replyTo="answers.busy")))
    running = answer(broker, "answers.busy")["deploymentId"]
    broker.lpush(TRIGGER, json.dumps(request(slow, replyTo="answers.busy")))
    refused = answer(broker, "answers.busy")["error"]
    assert refused["code"] == "DeploymentLimitExceededException"
    assert refused["runningDeploymentId"] == running
    assert running in refused["message"]
    go.touch()
    site.ended(running)


def test_a_patient_group_queues_in_order(site: Site, broker: redis.Redis, tmp_path: Path) -> None:
    go = tmp_path / "go"
    ids = []
    for number in range(3):
        script = f'until [ -e "{go}" ]; do sleep 0.05; done; echo {number} >>"{tmp_path}/order"'
        revision = write_revision(tmp_path / f"q{number}", {"ApplicationStart": script})
        message = request(revision, deploymentGroupName="patient", replyTo="answers.queue")
        broker.lpush(TRIGGER, json.dumps({**message, "fileExistsBehavior": "OVERWRITE"}))
        ids.append(answer(broker, "answers.queue")["deploymentId"])
    statuses = [site.world.store.deployment(each) for each in ids[1:]]
    assert [each.status for each in statuses if each] == [DeploymentStatus.QUEUED] * 2
    go.touch()
    for each in ids:
        assert site.ended(each).status is DeploymentStatus.SUCCEEDED
    assert (tmp_path / "order").read_text().split() == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"not json", "not JSON"),
        (b"[1, 2]", "expected a JSON object"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"revision": {"revisionType": "Nowhere"}}', "revision.revisionType"),
        (b'{"applicationName": "nobody", "deploymentGroupName": "web"}', "RevisionRequiredException"),
    ],
    ids=["text", "list", "bytes", "shape", "refused"],
)
def test_what_cannot_be_used_is_kept_with_the_reason(
    site: Site, broker: redis.Redis, message: bytes, reason: str
) -> None:
    broker.delete(DEAD)
    broker.lpush(TRIGGER, message)
    letter = answer(broker, DEAD)
    assert reason in letter["reason"]
    assert letter["body"]


def test_a_killed_trigger_loses_nothing(site: Site, broker: redis.Redis, tmp_path: Path) -> None:
    revision = write_revision(tmp_path / "v4", {"ValidateService": "true"})
    site.kill("trigger")
    broker.lpush(TRIGGER, json.dumps(request(revision, replyTo="answers.killed")))
    site.start("trigger")
    assert site.ended(answer(broker, "answers.killed")["deploymentId"]).status is DeploymentStatus.SUCCEEDED
    wait_until(lambda: not broker.llen(TRIGGER), "an empty queue")
