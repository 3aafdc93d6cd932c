"""What the engine may ask of a host's queue, on every broker: how much waits in it, and to take it back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from celery import Celery
from kombu import Queue

from domain.reports import HostReport
from tests.site import Site
from tests.unit.workflows.engine_values import EVENTS, an_order
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


def send(queue: str, *, times: int) -> None:
    report = HostReport(order=an_order())
    for _ in range(times):
        canvas.host_chain(report, EVENTS, queue=queue, phase=0, pickup_seconds=300).apply_async()


def test_what_waits_is_counted(dispatch: CeleryDispatcher, queue: str) -> None:
    assert dispatch.waiting(queue) == 0
    send(queue, times=3)
    assert dispatch.waiting(queue) == 3


def test_nothing_waits_in_a_queue_that_is_not_there(dispatch: CeleryDispatcher, queue: str) -> None:
    assert dispatch.waiting("host.never-declared") == 0
    assert dispatch.waiting(queue) == 0


def test_what_is_taken_back_waits_no_more(dispatch: CeleryDispatcher, queue: str) -> None:
    send(queue, times=2)
    dispatch.withdraw(queue)
    assert dispatch.waiting(queue) == 0
    dispatch.withdraw("host.never-declared")
    send(queue, times=1)
    assert dispatch.waiting(queue) == 1
