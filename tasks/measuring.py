"""What is measured: what tasks count as they go, and what is looked up when somebody reads the metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from domain import metrics
from domain.channels import ChannelState
from domain.deployments import Deployment, DeploymentErrorCode, DeploymentStatus
from domain.errors import WorldError
from domain.metrics import Counts, Family, Series
from domain.ports import Counters, Meter
from domain.reports import Outcome
from tasks.runtime import World
from workflows import names
from workflows.verdicts import GivenUp

QUEUES = (
    names.CONTROL_QUEUE,
    names.TRAFFIC_QUEUE,
    names.REPORTS_QUEUE,
    names.TRIGGER_QUEUE,
    names.TRIGGER_DEAD_QUEUE,
)
LATELY = 60.0
PAGE = 100


def count_events(meter: Meter, outcomes: Sequence[Outcome]) -> None:
    """Count the events of a host that is done with its deployment."""
    for outcome in outcomes:
        meter.count(metrics.EVENTS, outcome.event.value, outcome.status.value)
        if outcome.start_time is not None and outcome.end_time is not None:
            meter.observe(metrics.EVENT_SECONDS, outcome.end_time - outcome.start_time, outcome.event.value)


def count_given_up(meter: Meter, why: GivenUp) -> None:
    """Count a host that was given up."""
    meter.count(metrics.GIVEN_UP, why.value)


def count_end(meter: Meter, deployment: Deployment) -> None:
    """Count a deployment that ended."""
    meter.count(metrics.DEPLOYMENTS_ENDED, deployment.status.value)
    if deployment.rolls_back:
        meter.count(metrics.ROLLBACKS, deployment.status.value)
    why = deployment.error_information
    if why is not None and why.code is DeploymentErrorCode.ALARM_ACTIVE:
        meter.count(metrics.ALARM_STOPS)


def count_call(meter: Meter, operation: str, code: str, seconds: float) -> None:
    """Count a call of the API; `code` is that of its error, or empty."""
    meter.count(metrics.API_CALLS, operation, code or "OK")
    meter.observe(metrics.API_SECONDS, seconds, operation)


def gather(world: World, counters: Counters) -> Counts:
    """Every number, as of now; of a store or a broker that does not answer only that."""
    numbers: dict[Series, float] = {}
    for part, look in (("store", _in_store(world, counters)), ("broker", _in_broker(world))):
        try:
            numbers.update(look)
        except WorldError:
            numbers[Series(metrics.UP.name, (part,))] = 0.0
        else:
            numbers[Series(metrics.UP.name, (part,))] = 1.0
    return numbers


def _in_store(world: World, counters: Counters) -> Iterator[tuple[Series, float]]:
    yield from counters.read().items()
    present = Counter(_statuses(world))
    for status in DeploymentStatus:
        if not status.final:
            yield _number(metrics.DEPLOYMENTS, status.value), float(present[status])
    yield _number(metrics.AGENTS_KNOWN), float(world.store.agents())
    yield _number(metrics.AGENTS_SEEN), float(world.store.agents(since=world.now() - LATELY))
    for channel in world.store.channels():
        yield from _of_channel(channel, world.now())


def _of_channel(channel: ChannelState, now: float) -> Iterator[tuple[Series, float]]:
    yield _number(metrics.EVENTS_WAITING, channel.name), float(channel.waiting)
    yield _number(metrics.EVENTS_LOST, channel.name), float(channel.lost)
    yield _number(metrics.DEAD_LETTERS, channel.name), float(channel.dead)
    failing = 0.0 if channel.failing_since is None else max(0.0, now - channel.failing_since)
    yield _number(metrics.CHANNEL_FAILING, channel.name), failing


def _statuses(world: World) -> Iterator[DeploymentStatus]:
    after = ""
    while ids := world.store.active(after=after, limit=PAGE):
        for deployment in world.store.deployments(ids):
            # One that ended since is counted there.
            if deployment is not None and not deployment.status.final:
                yield deployment.status
        after = ids[-1]


def _in_broker(world: World) -> Iterator[tuple[Series, float]]:
    for queue in QUEUES:
        yield _number(metrics.QUEUE_MESSAGES, queue), float(world.dispatch.waiting(queue))


def _number(family: Family, *labels: str) -> Series:
    return Series(family.name, labels)
