"""What every source of requests must do, on a real Redis and a real RabbitMQ."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
import redis
from amqp.basic_message import Message
from kombu import Connection

import adapters.trigger.redis as redis_trigger
from adapters.store.connection import plain
from adapters.trigger import open_trigger
from adapters.trigger.amqp import AmqpTrigger
from adapters.trigger.redis import RedisTrigger
from config.urls import celery_url
from domain.deployments import CreateDeployment, Deployment, StopDeployment
from domain.errors import WorldError
from domain.triggers import TriggerSource
from tests.contract.redis_server import serving
from tests.rabbitmq import RabbitMQ
from tests.services import wait_until
from workers.trigger import run_trigger


class Broker(Protocol):
    """A broker as its other users see it."""

    url: str

    def send(self, queue: str, body: bytes, **about: Any) -> None: ...
    def read(self, queue: str) -> dict[str, Any]: ...


class RedisBroker:
    def __init__(self, url: str) -> None:
        self.url = url
        self._redis = redis.Redis.from_url(plain(url))

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
    assert source.reply(incoming, {"deploymentId": "d-ABCDEFGHI"})
    source.settle(incoming)
    assert broker.read(answers) == {"deploymentId": "d-ABCDEFGHI"}


def test_a_buried_message_is_kept_and_comes_no_more(broker: Broker, queue: str, open_source: Open) -> None:
    broker.send(queue, b"rubbish")
    source = open_source()
    source.bury(received(source), {"reason": "not JSON", "body": "rubbish"})
    assert source.receive(1.0) is None
    assert broker.read(f"{queue}.dead") == {"reason": "not JSON", "body": "rubbish"}


def test_a_message_that_was_not_settled_comes_again(broker: Broker, queue: str, open_source: Open) -> None:
    broker.send(queue, b"important")
    first = open_source()
    assert received(first).body == b"important"
    first.close()
    assert received(open_source()).body == b"important"


def test_a_message_in_hand_is_nobody_elses(broker: Broker, queue: str, open_source: Open) -> None:
    broker.send(queue, b"mine")
    source, other = open_source(), open_source()
    incoming = received(source)
    assert other.receive(1.0) is None
    source.keep(incoming)
    source.settle(incoming)
    assert other.receive(1.0) is None


def test_kombu_asks_and_reads_the_answer(broker: Broker, queue: str, open_source: Open) -> None:
    answers = f"answers-{queue}"
    with Connection(celery_url(broker.url)) as link, link.SimpleQueue(answers) as inbox:
        source = open_source()
        assert source.receive(1.0) is None
        about: dict[str, Any] = {"reply_to": answers, "correlation_id": "c", "message_id": "m"}
        link.Producer().publish({"a": "ü"}, exchange="", routing_key=queue, serializer="json", **about)
        incoming = received(source)
        assert json.loads(incoming.body) == {"a": "ü"}
        assert (incoming.message_id, incoming.reply_to, incoming.correlation_id) == ("m", answers, "c")
        assert source.reply(incoming, {"deploymentId": "d-1"})
        source.settle(incoming)
        message = inbox.get(timeout=20)
        message.ack()
        assert (message.payload, message.properties["correlation_id"]) == ({"deploymentId": "d-1"}, "c")


def test_an_unknown_broker_is_named_without_its_password() -> None:
    with pytest.raises(ValueError, match="must begin with one of amqp://") as raised:
        open_trigger("sqs://user:secret@host", queue="q", dead_queue="dead")
    assert "secret" not in str(raised.value)


# Redis alone: lists, leases and names that anybody may give.


@pytest.fixture
def redis_source(redis_url: str, queue: str) -> Iterator[RedisTrigger]:
    with contextlib.closing(RedisTrigger(redis_url, queue=queue, dead_queue=f"{queue}.dead")) as source:
        yield source


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(plain(redis_url), decode_responses=True)


def test_members_of_plain_json_say_where_the_answer_goes(
    client: redis.Redis, redis_source: RedisTrigger, queue: str
) -> None:
    answers = f"answers-{queue}"
    client.lpush(queue, json.dumps({"replyTo": answers, "correlationId": "c", "messageId": "m"}))
    incoming = received(redis_source)
    assert (incoming.message_id, incoming.reply_to, incoming.correlation_id) == ("m", answers, "c")
    assert redis_source.reply(incoming, {"deploymentId": "d-1"})
    assert 0 < int(client.ttl(answers)) <= redis_trigger.ANSWER_SECONDS
    raw: Any = client.rpop(answers)
    assert json.loads(raw) == {"deploymentId": "d-1", "correlationId": "c"}


def test_an_answer_harms_no_key_of_another(client: redis.Redis, redis_source: RedisTrigger, queue: str) -> None:
    kept, taken = f"list-{queue}", f"hash-{queue}"
    client.lpush(kept, "theirs")
    client.hset(taken, "field", "theirs")
    client.lpush(queue, json.dumps({"replyTo": taken}), json.dumps({"replyTo": kept}))
    for lands in (False, True):
        incoming = received(redis_source)
        assert redis_source.reply(incoming, {"deploymentId": "d-1"}) is lands
        redis_source.settle(incoming)
    assert client.hgetall(taken) == {"field": "theirs"}
    assert [client.ttl(name) for name in (kept, taken)] == [-1, -1]


def test_a_crashed_consumer_leaves_its_message_to_the_next_one(
    client: redis.Redis, redis_source: RedisTrigger, redis_url: str, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.lpush(queue, "first", "second")
    crashed = RedisTrigger(redis_url, queue=queue, dead_queue=f"{queue}.dead")
    assert received(crashed).body == b"first"
    monkeypatch.setattr(redis_trigger, "LEASE", 0)
    for body in (b"first", b"second"):
        incoming = received(redis_source)
        assert incoming.body == body
        redis_source.settle(incoming)
    crashed._redis.close()


def test_a_message_whose_coming_was_not_heard_of_is_not_stranded(
    client: redis.Redis, redis_source: RedisTrigger, queue: str
) -> None:
    assert redis_source.receive(1.0) is None
    client.lpush(queue, "moved")
    client.lmove(queue, redis_source._mine, "RIGHT", "LEFT")
    incoming = received(redis_source)
    assert (incoming.body, incoming.redelivered) == (b"moved", True)
    redis_source.settle(incoming)
    assert redis_source.receive(1.0) is None


def test_nothing_is_left_of_a_consumer_that_closed(client: redis.Redis, redis_source: RedisTrigger, queue: str) -> None:
    client.lpush(queue, "one")
    assert received(redis_source).body == b"one"
    redis_source.close()
    assert client.lrange(queue, 0, -1) == ["one"]
    assert client.zcard(f"{queue}.consumers") == 0
    assert client.keys(f"{queue}.taken.*") == []


@pytest.mark.parametrize(
    "entry",
    [
        b'{"properties": {}, "body": "\\ud800"}',
        '{"properties": {"body_encoding": "base64"}, "body": "ü"}'.encode(),
        b'{"properties": {"body_encoding": "base64"}, "body": "="}',
        b'{"properties": {"message_id": [], "reply_to": {}}, "body": ""}',
        b'{"replyTo": 7, "messageId": null}',
        b"[" * 100_000,
        b'{"a": ' + b"1" * 5000 + b"}",
        b'{"properties": {}, "body": "' + b"x" * redis_trigger.LARGEST + b'"}',
    ],
    ids=lambda entry: repr(entry[:50]),
)
def test_any_entry_is_a_message_without_where_to_answer(entry: bytes) -> None:
    incoming = redis_trigger.read(entry)
    assert incoming.receipt == entry
    assert (incoming.message_id, incoming.reply_to, incoming.correlation_id) == (None, None, None)


# AMQP alone: headers that anybody may give, queues that were made by others, connections that break.


@pytest.fixture
def rabbit_source(rabbitmq_url: str, queue: str) -> Iterator[AmqpTrigger]:
    with contextlib.closing(AmqpTrigger(rabbitmq_url, queue=queue, dead_queue=f"{queue}.dead")) as source:
        yield source


@pytest.fixture
def channel(rabbitmq_url: str) -> Iterator[Any]:
    with Connection(rabbitmq_url) as link:
        yield link.default_channel


def publish(channel: Any, queue: str, body: bytes, **properties: Any) -> None:
    channel.basic_publish(Message(body, **properties), exchange="", routing_key=queue)


@pytest.mark.parametrize(
    ("body", "about"),
    [
        (rb"\ud800", {"content_encoding": "raw_unicode_escape"}),
        (b"words!", {"content_encoding": "utf-16"}),
        (b"\x80\x04N.", {"content_type": "application/x-python-serialize", "content_encoding": "binary"}),
        (zlib.compress(b"x" * 1000), {"application_headers": {"compression": "zlib"}}),
    ],
    ids=["half a character", "utf-16", "pickle", "compressed"],
)
def test_headers_do_not_change_the_bytes(
    rabbit_source: AmqpTrigger, channel: Any, queue: str, body: bytes, about: dict[str, Any]
) -> None:
    assert rabbit_source.receive(1.0) is None
    publish(channel, queue, body, **about)
    assert received(rabbit_source).body == body


def test_an_answer_to_a_queue_that_is_not_there_is_noticed(
    rabbit_source: AmqpTrigger, channel: Any, queue: str
) -> None:
    assert rabbit_source.receive(1.0) is None
    publish(channel, queue, b"{}", reply_to=f"nobody-{queue}")
    assert not rabbit_source.reply(received(rabbit_source), {"deploymentId": "d-1"})


def test_a_queue_made_with_other_arguments_is_used_as_it_is(
    rabbit_source: AmqpTrigger, channel: Any, queue: str
) -> None:
    for name in (queue, f"{queue}.dead"):
        channel.queue_declare(name, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    publish(channel, queue, b"rubbish")
    rabbit_source.bury(received(rabbit_source), {"reason": "not JSON"})
    letter = wait_until(lambda: channel.basic_get(f"{queue}.dead", no_ack=True), "the letter", limit=20)
    assert letter.headers["x-reason"] == "not JSON"


def test_a_dead_letter_queue_that_was_deleted_is_made_again(
    rabbit_source: AmqpTrigger, channel: Any, queue: str
) -> None:
    assert rabbit_source.receive(1.0) is None
    channel.queue_delete(f"{queue}.dead")
    publish(channel, queue, b"rubbish")
    rabbit_source.bury(received(rabbit_source), {"reason": "not JSON"})
    assert wait_until(lambda: channel.basic_get(f"{queue}.dead", no_ack=True), "the letter", limit=20)


def test_a_message_of_a_lost_connection_is_void_and_settles_no_other(
    rabbit_source: AmqpTrigger, channel: Any, queue: str
) -> None:
    assert rabbit_source.receive(1.0) is None
    publish(channel, queue, b"first")
    void = received(rabbit_source)
    rabbit_source.close()
    again = received(rabbit_source)
    assert (again.body, again.redelivered, again.receipt[1]) == (b"first", True, void.receipt[1])
    for act in (
        lambda: rabbit_source.settle(void),
        lambda: rabbit_source.keep(void),
        lambda: rabbit_source.reply(void, {}),
        lambda: rabbit_source.bury(void, {"reason": "why"}),
    ):
        with pytest.raises(WorldError, match="the connection it came by was lost"):
            act()
    assert received(rabbit_source).body == b"first"


# The loop on a broker that restarts under it.


class Engine:
    """Makes deployments, the same one for the same token, and holds the first until the broker has been restarted."""

    def __init__(self) -> None:
        self.made: dict[str | None, str] = {}
        self.holding = threading.Event()
        self.restarted = threading.Event()

    def __call__(self, request: CreateDeployment) -> str:
        made = self.made.setdefault(request.client_request_token, f"d-{request.description}")
        self.holding.set()
        assert self.restarted.wait(90)
        return made


def no_stop(request: StopDeployment) -> Deployment:
    raise AssertionError(f"nobody asked to stop {request.deployment_id}")


@contextlib.contextmanager
def running(source: TriggerSource, engine: Engine) -> Iterator[None]:
    stop = threading.Event()
    loop = threading.Thread(
        target=run_trigger, args=(source, engine, no_stop), kwargs={"stop": stop, "retry_wait": 0.05}
    )
    loop.start()
    try:
        yield
    finally:
        stop.set()
        loop.join()
        source.close()


def survive_a_restart(broker: Broker, restart: Callable[[], None]) -> None:
    """One message is in hand while the broker restarts and one waits: each makes one deployment and is answered."""
    queue = f"requests-{uuid.uuid4().hex}"
    answers = f"answers-{queue}"
    source, engine = open_trigger(broker.url, queue=queue, dead_queue=f"{queue}.dead"), Engine()
    broker.send(answers, b"{}")
    broker.read(answers)
    for number in (1, 2):
        broker.send(queue, json.dumps({"description": str(number)}).encode(), reply_to=answers, delivery_mode=2)
    with running(source, engine):
        assert engine.holding.wait(90)
        # Here and not in the loop: a server ends with the thread that started it.
        restart()
        engine.restarted.set()
        assert [broker.read(answers) for _ in range(2)] == [{"deploymentId": "d-1"}, {"deploymentId": "d-2"}]
    assert sorted(engine.made.values()) == ["d-1", "d-2"]


def test_a_restart_of_redis_loses_nothing_and_doubles_nothing(redis_binary: str) -> None:
    with serving(redis_binary, durable=True) as server:

        def restart() -> None:
            server.kill()
            server.start()

        survive_a_restart(RedisBroker(server.url), restart)


def test_a_restart_of_rabbitmq_loses_nothing_and_doubles_nothing(rabbitmq: RabbitMQ) -> None:
    survive_a_restart(RabbitBroker(rabbitmq.url), rabbitmq.restart)
