"""What the engine may ask of a host's queue, on every broker: how much waits in it, to take back what is of one
deployment, to send a host's chain again, and to forget what a killed agent held."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from celery import Celery
from kombu import Connection, Producer, Queue

from adapters.broker import unacked
from config.queues import CONTROL_UNACKED, HOSTS_UNACKED, index_of, transport_options
from domain.deployments import Lane
from domain.reports import BundleSource, HostReport
from tests.site import Site
from tests.unit.workflows.engine_values import EVENTS, a_deployment, an_order
from workers.app import make_app
from workers.dispatch import CeleryDispatcher
from workflows import canvas

_numbers = itertools.count()


@pytest.fixture(params=["redis", "rabbitmq"], scope="module")
def app(request: pytest.FixtureRequest) -> Iterator[Celery]:
    broker = {}
    if request.param == "rabbitmq":
        broker = {"SLIPWAY_BROKER__URL": request.getfixturevalue("rabbitmq").url}
    with Site(**broker) as site:
        yield make_app(site.settings, "client")


@pytest.fixture
def dispatch(app: Celery) -> CeleryDispatcher:
    return CeleryDispatcher(app, pickup_seconds=300)


@pytest.fixture
def queue(app: Celery) -> str:
    """A queue as an agent declares it."""
    name = f"host.queue-{next(_numbers)}"
    with app.connection_for_write() as link:
        Queue(name, durable=True, channel=link.default_channel).declare()
    return name


def send(queue: str, *deployments: str) -> None:
    """The first event of a host's chain, of each of the deployments in turn."""
    for number, deployment_id in enumerate(deployments):
        report = HostReport(order=an_order(deployment_id=deployment_id, step=number))
        canvas.host_chain(report, EVENTS, queue=queue, phase=0, pickup_seconds=300).apply_async()


def taken(app: Celery, queue: str) -> list[Any]:
    """All that waits in a queue."""
    with app.connection_for_write() as link:
        waiting = Queue(queue, channel=link.default_channel)
        return list(iter(lambda: waiting.get(no_ack=True), None))


def as_sent(message: Any) -> tuple[Any, ...]:
    """All of a message that its reader goes by; that it was in other hands before may be added."""
    headers = {name: value for name, value in message.headers.items() if name != "redelivered"}
    properties = {
        name: value for name, value in message.properties.items() if name not in {"delivery_info", "delivery_tag"}
    }
    return message.body, message.content_type, message.content_encoding, headers, properties


def deployments_of(messages: list[Any]) -> list[tuple[str, int]]:
    orders = [json.loads(message.body)[0][0]["order"] for message in messages]
    return [(order["deploymentId"], order["step"]) for order in orders]


def test_what_waits_is_counted(dispatch: CeleryDispatcher, queue: str) -> None:
    assert dispatch.waiting(queue) == 0
    send(queue, *["d-1"] * 3)
    assert dispatch.waiting(queue) == 3


def test_nothing_waits_in_a_queue_that_is_not_there(dispatch: CeleryDispatcher, queue: str) -> None:
    assert dispatch.waiting("host.never-declared") == 0
    assert dispatch.waiting(queue) == 0


def test_what_is_taken_back_waits_no_more(dispatch: CeleryDispatcher, queue: str) -> None:
    send(queue, "d-1", "d-1")
    assert dispatch.withdraw(queue, "d-1") == 2
    assert dispatch.waiting(queue) == 0
    assert dispatch.withdraw(queue, "d-1") == 0
    assert dispatch.withdraw("host.never-declared", "d-1") == 0
    send(queue, "d-1")
    assert dispatch.waiting(queue) == 1


def test_what_is_of_others_stays_in_its_order(dispatch: CeleryDispatcher, queue: str, app: Celery) -> None:
    send(queue, "d-2", "d-1", "d-3", "d-1", "d-2", "d-1")
    assert dispatch.withdraw(queue, "d-1") == 3
    assert dispatch.withdraw(queue, "d-4") == 0
    assert deployments_of(taken(app, queue)) == [("d-2", 0), ("d-3", 2), ("d-2", 4)]


def test_what_is_of_others_is_as_it_was_sent(dispatch: CeleryDispatcher, queue: str, app: Celery) -> None:
    send(queue, "d-2")
    with app.connection_for_write() as link:
        sent = Queue(queue, channel=link.default_channel).get(no_ack=False)
        assert sent is not None
        # Closing puts it back.
    dispatch.withdraw(queue, "d-1")
    (held,) = taken(app, queue)
    assert as_sent(held) == as_sent(sent)
    assert held.headers["expires"] == sent.headers["expires"]
    assert held.headers["expires"]


@pytest.mark.parametrize(
    ("good_for", "ahead", "first", "others"),
    [(7.5, 0.0, 7.5, 300), (7.5, 100.2, 107.7, 401), (1000.0, -100.0, 300, 300)],
)
def test_what_is_sent_again_is_good_until_the_host_is_given_up_by_its_own_clock(
    dispatch: CeleryDispatcher, queue: str, app: Celery, good_for: float, ahead: float, first: float, others: int
) -> None:
    """What follows in the chain is sent later, and has all of its time."""
    lane = Lane(number=0, step=1, target_id="web-1", attempt="t-1")
    report = HostReport(order=an_order(source=BundleSource(location="/v2", bundle_type="directory")))
    before = time.time()
    dispatch.run_host(a_deployment(), 0, lane, report, queue, good_for=good_for, ahead=ahead)
    after = time.time()
    with app.connection_for_write() as link:
        message = Queue(queue, channel=link.default_channel).get(no_ack=True)
    assert message is not None
    expires = datetime.fromisoformat(message.headers["expires"]).timestamp()
    assert before + first - 0.001 <= expires <= after + first
    *_, embedded = json.loads(message.body or "")
    assert {each["options"].get("expires") for each in embedded["chain"] if each["task"] in set(EVENTS)} == {others}


def test_what_comes_after_is_taken_by_the_agent(dispatch: CeleryDispatcher, queue: str, app: Celery) -> None:
    """Nothing of what was put back is still in anybody's hands."""
    send(queue, "d-2", "d-1")
    dispatch.withdraw(queue, "d-1")
    send(queue, "d-3")
    assert dispatch.waiting(queue) == 2
    assert deployments_of(taken(app, queue)) == [("d-2", 0), ("d-3", 0)]
    assert dispatch.waiting(queue) == 0


def hold(app: Celery, queue: str) -> tuple[Any, Any]:
    """The next message of a queue, in an agent's hands, and its connection."""
    link = app.connection_for_write()
    message = Queue(queue, channel=link.default_channel).get(no_ack=False)
    assert message is not None
    return message, link


def test_a_message_in_hand_is_done_with_though_it_is_forgotten(
    dispatch: CeleryDispatcher, queue: str, app: Celery
) -> None:
    send(queue, "d-1", "d-2")
    message, link = hold(app, queue)
    for _ in range(2):
        dispatch.forget_unacked(time.time() + 3600)
    message.ack()
    link.close()
    assert deployments_of(taken(app, queue)) == [("d-2", 1)]


def in_hand(app: Celery, unacked: str = HOSTS_UNACKED) -> tuple[int, int]:
    """How many messages a hash and its index have."""
    with app.connection_for_write() as link:
        channel: Any = link.default_channel
        client = channel.client
        return client.hlen(unacked), client.zcard(index_of(unacked))


@pytest.mark.parametrize("app", ["redis"], indirect=True)
def test_what_a_killed_agent_held_is_forgotten_once_it_is_old(
    dispatch: CeleryDispatcher, queue: str, app: Celery
) -> None:
    send(queue, *["d-1"] * 3)
    before = time.time()
    held = [hold(app, queue) for _ in range(2)]
    dispatch.forget_unacked(before)
    assert in_hand(app) == (2, 2)
    dispatch.forget_unacked(time.time() + 1)
    assert in_hand(app) == (0, 0)
    for _, link in held:
        # Which would put back what it holds.
        link.close()
    assert dispatch.waiting(queue) == 1


@pytest.mark.parametrize("app", ["redis"], indirect=True)
def test_all_is_forgotten_however_much_there_is(
    dispatch: CeleryDispatcher, queue: str, app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unacked, "AT_ONCE", 2)
    send(queue, *["d-1"] * 5)
    held = [hold(app, queue) for _ in range(5)]
    dispatch.forget_unacked(time.time() + 1)
    assert in_hand(app) == (0, 0)
    for _, link in held:
        link.close()


@pytest.mark.parametrize("app", ["redis"], indirect=True)
def test_what_control_holds_is_never_forgotten(dispatch: CeleryDispatcher, queue: str, app: Celery) -> None:
    """It is delivered again."""
    url = app.conf.broker_url
    options = transport_options(url, "control", visibility_timeout=60)
    send(queue, "d-1")
    with Connection(url, transport_options=options) as link:
        assert Queue(queue, channel=link.default_channel).get(no_ack=False) is not None
        dispatch.forget_unacked(time.time() + 3600)
        assert in_hand(app, CONTROL_UNACKED) == (1, 1)
    assert deployments_of(taken(app, queue)) == [("d-1", 0)]


@pytest.mark.parametrize("odd", [b"[1, 2", b"[]", b"[[7]]", b'{"order": 1}', b"\xff", b""])
def test_what_is_no_event_is_nobodys_to_take_back(
    dispatch: CeleryDispatcher, queue: str, app: Celery, odd: bytes
) -> None:
    with app.connection_for_write() as link:
        Producer(link).publish(odd, routing_key=queue, content_type="application/json", content_encoding="utf-8")
    send(queue, "d-1")
    dispatch.withdraw(queue, "d-1")
    assert dispatch.waiting(queue) == 1
