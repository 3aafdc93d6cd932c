"""What every source of requests must do, on a real Redis and a real RabbitMQ."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
import redis
from kombu import Connection

import adapters.trigger.redis as redis_trigger
from adapters.trigger import open_trigger
from domain.triggers import TriggerSource
from tests.site import wait_until


class Broker(Protocol):
    """A broker as its other users see it."""

    url: str

    def send(self, queue: str, body: bytes, **about: Any) -> None: ...
    def read(self, queue: str) -> dict[str, Any]: ...


class RedisBroker:
    def __init__(self, url: str) -> None:
        self.url = url
        self._redis = redis.Redis.from_url(url)

    def send(self, queue: str, body: bytes, **about: Any) -> None:
        if about:
            properties = {**about, "body_encoding": "base64"}
            body = json.dumps({"body": base64.b64encode(body).decode(), "properties": properties}).encode()
        self._redis.lpush(queue, body)

    def read(self, queue: str) -> dict[str, Any]:
        raw: Any = self._redis.brpop([queue], timeout=20)
        content: dict[str, Any] = json.loads(raw[1])
        if "properties" in content:
            content = json.loads(base64.b64decode(content["body"]))
        return content


class RabbitBroker:
    def __init__(self, url: str) -> None:
        self.url = url

    def send(self, queue: str, body: bytes, **about: Any) -> None:
        with Connection(self.url) as link:
            channel: Any = link.default_channel
            channel.queue_declare(queue, durable=True, auto_delete=False)
            link.Producer(channel).publish(
                body,
                exchange="",
                routing_key=queue,
                content_type="application/octet-stream",
                content_encoding="binary",
                **about,
            )

    def read(self, queue: str) -> dict[str, Any]:
        with Connection(self.url) as link:
            channel: Any = link.default_channel
            channel.queue_declare(queue, durable=True, auto_delete=False)
            message = wait_until(lambda: channel.basic_get(queue, no_ack=True), f"a message on {queue}", limit=20)
            content: dict[str, Any] = json.loads(message.body)
            return content


@pytest.fixture
def redis_broker(redis_url: str) -> RedisBroker:
    return RedisBroker(redis_url)


@pytest.fixture
def rabbit_broker(rabbitmq_url: str) -> RabbitBroker:
    return RabbitBroker(rabbitmq_url)


@pytest.fixture(params=["redis", "rabbit"])
def broker(request: pytest.FixtureRequest) -> Broker:
    found: Broker = request.getfixturevalue(f"{request.param}_broker")
    return found


@pytest.fixture
def queue() -> str:
    return f"requests-{uuid.uuid4().hex}"


Open = Callable[[], TriggerSource]


@pytest.fixture
def open_source(broker: Broker, queue: str) -> Iterator[Open]:
    opened: list[TriggerSource] = []

    def open_one() -> TriggerSource:
        opened.append(open_trigger(broker.url, queue=queue, dead_queue=f"{queue}.dead"))
        return opened[-1]

    yield open_one
    for source in opened:
        source.close()


def received(source: TriggerSource) -> Any:
    return wait_until(lambda: source.receive(1.0), "a request", limit=40)


def test_any_bytes_come_through(broker: Broker, queue: str, open_source: Open) -> None:
    source = open_source()
    for body in (b'{"a": 1}', b"\xff\x00raw", b"plain words"):
        broker.send(queue, body)
        incoming = received(source)
        assert incoming.body == body
        source.settle(incoming)
    assert source.receive(1.0) is None


def test_requests_come_in_the_order_they_were_sent(broker: Broker, queue: str, open_source: Open) -> None:
    for number in range(5):
        broker.send(queue, str(number).encode())
    source = open_source()
    for number in range(5):
        incoming = received(source)
        assert incoming.body == str(number).encode()
        source.settle(incoming)


def test_about_the_message(broker: Broker, queue: str, open_source: Open) -> None:
    broker.send(queue, b"{}", message_id="m", reply_to="answers", correlation_id="c")
    incoming = received(open_source())
    assert (incoming.message_id, incoming.reply_to, incoming.correlation_id) == ("m", "answers", "c")


def test_an_answer_reaches_who_asked(broker: Broker, queue: str, open_source: Open) -> None:
    answers = f"answers-{queue}"
    broker.send(answers, b'{"first": 1}')
    broker.read(answers)
    broker.send(queue, b"{}", reply_to=answers, correlation_id="c")
    source = open_source()
    incoming = received(source)
    source.reply(incoming, {"deploymentId": "d-ABCDEFGHI"})
    source.settle(incoming)
    assert broker.read(answers) == {"deploymentId": "d-ABCDEFGHI"}


def test_a_buried_message_is_kept_and_comes_no_more(broker: Broker, queue: str, open_source: Open) -> None:
    broker.send(queue, b"rubbish")
    source = open_source()
    source.bury(received(source), {"reason": "not JSON", "body": "rubbish"})
    assert source.receive(1.0) is None
    assert broker.read(f"{queue}.dead") == {"reason": "not JSON", "body": "rubbish"}


def test_a_message_of_a_consumer_that_died_comes_again(
    broker: Broker, queue: str, open_source: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_trigger, "LEASE", 0)
    broker.send(queue, b"important")
    dead = open_source()
    assert received(dead).body == b"important"
    dead.close()
    heir = open_source()
    assert received(heir).body == b"important"
