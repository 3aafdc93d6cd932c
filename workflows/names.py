"""Every task, queue and exchange name, written out: a moved module strands no queued message.

Knows only text; config turns these into kombu objects.
"""

from __future__ import annotations

from domain.lifecycle import BY_EVENT, Event, Runner

CONTROL_QUEUE = "slipway.control"
TRAFFIC_QUEUE = "slipway.traffic"
REPORTS_QUEUE = "slipway.reports"
TRIGGER_QUEUE = "slipway.trigger"
TRIGGER_DEAD_QUEUE = "slipway.trigger.dead"
EVENTS_EXCHANGE = "slipway.events"

BEGIN = "slipway.begin"
NEXT_HOST = "slipway.next_host"
PHASE_CONCLUDED = "slipway.phase_concluded"
SETTLE = "slipway.settle"
ENVIRONMENT = "slipway.environment"
UNDO_TRAFFIC = "slipway.undo_traffic"
ANNOUNCE = "slipway.announce"
ALARMS = "slipway.alarms"
VANISHED = "slipway.vanished"

STOP_DEPLOYMENT = "stop_deployment"
"""The remote control command by which every agent learns that a deployment was stopped."""


_HOST = "host."


def host_queue(host_id: str) -> str:
    """The queue that the agent of a host consumes."""
    return f"{_HOST}{host_id}"


def agent_of(queue: str) -> str:
    """The id under which the agent runs that consumes a host's queue."""
    return queue.removeprefix(_HOST)


def agent_node(agent: str) -> str:
    """What the Celery worker of an agent is called."""
    return f"agent@{agent}"


def event_task(event: Event) -> str:
    """The task that carries out a lifecycle event: it bears the event's own name, as people know it."""
    return event.value


def event_queue(event: Event, host: str) -> str:
    """Where a lifecycle event's message goes: the queue of its host or, for what is done at a load balancer, the one of
    control."""
    return host if BY_EVENT[event].runner is Runner.HOST else TRAFFIC_QUEUE
