"""Lifecycle notices: what every queue promises, and that kombu's SQS transport leaves messages as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.aws import Aws, AwsAccess
from adapters.scaling.memory_queue import MemoryLifecycleQueue
from adapters.scaling.sqs import SqsLifecycleQueue
from domain.errors import CannotBegin, WorldError
from domain.ports import LifecycleQueue
from domain.triggers import Incoming
from tests.aws import KEYS, REGION, FakeAws, fake_aws
from tests.services import free_port, wait_until

Put = Callable[[str], Any]


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeAws]:
    with fake_aws() as server:
        yield server


@pytest.fixture(params=["memory", "sqs"])
def queue(request: pytest.FixtureRequest) -> Iterator[tuple[LifecycleQueue, Put]]:
    if request.param == "memory":
        memory = MemoryLifecycleQueue()
        yield memory, lambda body: memory.put(body.encode())
        return
    server: FakeAws = request.getfixturevalue("aws")
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName="notices", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    made = SqsLifecycleQueue(server.access, url=url)
    try:
        yield made, lambda body: sqs.send_message(QueueUrl=url, MessageBody=body)
    finally:
        made.close()
        sqs.delete_queue(QueueUrl=url)


def next_of(queue: LifecycleQueue) -> Incoming:
    return wait_until(queue.receive, "the next message", limit=10)


HOSTILE = [
    "words",
    "null",
    "[]",
    "YWJj",
    '"text"',
    "{}",
    '{"properties": "x"}',
    '{"properties": {"delivery_info": []}}',
    '{"body": "eA==", "properties": {"body_encoding": "none", "delivery_tag": "t"}, "headers": {"compression": "x"}}',
    '{"body": "x", "content-type": "application/x-python-serialize", "properties": {"delivery_tag": 1}}',
    '{"__type__": "datetime", "__value__": "never"}',
    "[" * 20_000,
    "9" * 5000,
    "ü€ \u2028",
]


def test_messages_come_as_they_are(queue: tuple[LifecycleQueue, Put]) -> None:
    source, put = queue
    for body in HOSTILE:
        put(body)
    found = []
    for _ in HOSTILE:
        incoming = next_of(source)
        found.append(incoming.body.decode())
        source.settle(incoming)
    assert sorted(found) == sorted(HOSTILE)
    assert source.receive() is None


def test_one_at_a_time_and_each_once(queue: tuple[LifecycleQueue, Put]) -> None:
    source, put = queue
    for number in range(12):
        put(json.dumps({"number": number}))
    found = []
    for _ in range(12):
        incoming = next_of(source)
        found.append(json.loads(incoming.body)["number"])
        source.settle(incoming)
    assert sorted(found) == list(range(12))
    assert source.receive() is None


def test_what_is_not_settled_comes_again(queue: tuple[LifecycleQueue, Put]) -> None:
    source, put = queue
    put("again")
    assert next_of(source).body == b"again"
    source.close()
    incoming = next_of(source)
    assert incoming.body == b"again"
    source.settle(incoming)
    source.close()
    assert source.receive() is None


def test_a_queue_that_is_gone_or_away_is_the_worlds_fault(aws: FakeAws) -> None:
    missing = SqsLifecycleQueue(aws.access, url=f"{aws.url}/123456789012/nothing")
    with pytest.raises(WorldError, match="sqs:ReceiveMessage"):
        missing.receive()
    away = Aws(AwsAccess(region=REGION, endpoint_url=f"http://127.0.0.1:{free_port()}", **KEYS))
    with pytest.raises(WorldError, match="sqs:ReceiveMessage"):
        SqsLifecycleQueue(away, url="http://127.0.0.1/123456789012/nothing").receive()


def test_a_refused_call_says_which_right_is_missing(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ClientError

    class Refusing:
        def receive_message(self, **_: object) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ReceiveMessage")

    monkeypatch.setattr(Aws, "client", lambda *_: Refusing())
    with pytest.raises(CannotBegin, match="sqs:ReceiveMessage"):
        SqsLifecycleQueue(Aws(AwsAccess(region=REGION)), url="http://127.0.0.1/1/q").receive()
