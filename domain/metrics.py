"""What is measured: every family of metrics by name, meaning and labels. No label holds a deployment's id or a host's
name, so their number is bounded by the tables of the code."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from domain.values import Value


class Kind(StrEnum):
    """How a family's numbers are read, in Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Family(Value):
    """Numbers of one meaning, told apart by labels."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """The upper bounds of a histogram's buckets; one without bound follows."""


class Series(NamedTuple):
    """One number: of a family, with values for its labels. A histogram has one for each bucket's bound, and SUM."""

    family: str
    labels: tuple[str, ...] = ()
    part: str = ""


SUM = "sum"
UNBOUNDED = "+Inf"
OTHER = "other"
"""The label of what has too many names to tell apart."""

Counts = Mapping[Series, float]

DEPLOYMENTS = Family(
    name="slipway_deployments",
    kind=Kind.GAUGE,
    meaning="Deployments that have not ended, by status.",
    labels=("status",),
)
DEPLOYMENTS_ENDED = Family(
    name="slipway_deployments_ended_total",
    kind=Kind.COUNTER,
    meaning="Deployments that ended, by their last status.",
    labels=("status",),
)
ROLLBACKS = Family(
    name="slipway_rollbacks_total",
    kind=Kind.COUNTER,
    meaning="Deployments that rolled another back, by their last status.",
    labels=("status",),
)
EVENTS = Family(
    name="slipway_lifecycle_events_total",
    kind=Kind.COUNTER,
    meaning="Lifecycle events of hosts that are done with their deployment, by event and outcome.",
    labels=("event", "outcome"),
)
EVENT_SECONDS = Family(
    name="slipway_lifecycle_event_seconds",
    kind=Kind.HISTOGRAM,
    meaning="How long lifecycle events ran that began and ended, by the clocks of their hosts.",
    labels=("event",),
    buckets=(0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600),
)
GIVEN_UP = Family(
    name="slipway_hosts_given_up_total",
    kind=Kind.COUNTER,
    meaning="Hosts that were given up in the middle of a deployment, by the reason.",
    labels=("reason",),
)
QUEUE_MESSAGES = Family(
    name="slipway_queue_messages",
    kind=Kind.GAUGE,
    meaning="Messages that wait in a queue of the broker; what a worker holds already does not count.",
    labels=("queue",),
)
AGENTS_KNOWN = Family(
    name="slipway_agents_known", kind=Kind.GAUGE, meaning="Agents that were heard of within the last thirty days."
)
AGENTS_SEEN = Family(
    name="slipway_agents_seen", kind=Kind.GAUGE, meaning="Agents that were heard of within the last minute."
)
EVENTS_WAITING = Family(
    name="slipway_events_waiting",
    kind=Kind.GAUGE,
    meaning="Events that a channel was not told of yet. Names of channels are those of the settings.",
    labels=("channel",),
)
EVENTS_TOLD = Family(
    name="slipway_events_told_total",
    kind=Kind.COUNTER,
    meaning=(
        "Events by channel and outcome: `told`, `dead` (now dead letters); `failed` counts tries. What a channel does "
        "not want counts nowhere."
    ),
    labels=("channel", "outcome"),
)
EVENTS_LOST = Family(
    name="slipway_events_lost_total",
    kind=Kind.COUNTER,
    meaning="Events that a channel will never be told of: it was away for more than are kept.",
    labels=("channel",),
)
DEAD_LETTERS = Family(
    name="slipway_dead_letters",
    kind=Kind.GAUGE,
    meaning="Events that a channel did not take and that wait for `slipway events --redrive` or `--drop`.",
    labels=("channel",),
)
CHANNEL_FAILING = Family(
    name="slipway_channel_failing_seconds",
    kind=Kind.GAUGE,
    meaning="For how long a channel has not taken what is next; 0 while all is well.",
    labels=("channel",),
)
API_CALLS = Family(
    name="slipway_api_calls_total",
    kind=Kind.COUNTER,
    meaning="Calls of the API, by operation and by the code of its error, `OK` where there was none.",
    labels=("operation", "code"),
)
API_SECONDS = Family(
    name="slipway_api_call_seconds",
    kind=Kind.HISTOGRAM,
    meaning="How long calls of the API took, by operation.",
    labels=("operation",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ALARM_LOOKS = Family(
    name="slipway_alarm_looks_total",
    kind=Kind.COUNTER,
    meaning="Looks at alarms for deployments, by the kind of alarm and by its state, or `unreadable`.",
    labels=("kind", "outcome"),
)
ALARM_STOPS = Family(
    name="slipway_alarm_stops_total",
    kind=Kind.COUNTER,
    meaning="Deployments that alarms have stopped, those included whose alarms could not be read.",
)
UP = Family(
    name="slipway_up",
    kind=Kind.GAUGE,
    meaning="Whether the store and the broker answered when this was read; what one that is away knows is left out.",
    labels=("part",),
)

FAMILIES = (
    DEPLOYMENTS,
    DEPLOYMENTS_ENDED,
    ROLLBACKS,
    EVENTS,
    EVENT_SECONDS,
    GIVEN_UP,
    QUEUE_MESSAGES,
    AGENTS_KNOWN,
    AGENTS_SEEN,
    EVENTS_WAITING,
    EVENTS_TOLD,
    EVENTS_LOST,
    DEAD_LETTERS,
    CHANNEL_FAILING,
    API_CALLS,
    API_SECONDS,
    ALARM_LOOKS,
    ALARM_STOPS,
    UP,
)


def observed(family: Family, seconds: float, labels: tuple[str, ...]) -> dict[Series, float]:
    """What an observation adds to a histogram."""
    bound = next((bound_text(bound) for bound in family.buckets if seconds <= bound), UNBOUNDED)
    return {Series(family.name, labels, bound): 1, Series(family.name, labels, SUM): max(seconds, 0.0)}


def bound_text(bound: float) -> str:
    """A bucket's bound as it is written."""
    return f"{float(bound)}"
