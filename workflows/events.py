"""Which lifecycle events a target goes through, in order: filters over the table of domain.lifecycle."""

from __future__ import annotations

from collections.abc import Iterable

from domain.deployments import Deployment
from domain.lifecycle import TABLE, Event, Part

BLUE: tuple[Event, ...] = tuple(row.event for row in TABLE if row.part is Part.BLOCK)
"""The original host of a blue/green deployment: taken out of traffic."""
GREEN: tuple[Event, ...] = tuple(row.event for row in TABLE if row.part is not Part.BLOCK)
"""The replacement host: installed, then put into traffic. A host that Auto Scaling launched goes the same way."""
GREEN_INSTALL: tuple[Event, ...] = tuple(row.event for row in TABLE if row.part is Part.APPLICATION)
"""The first part of the replacement host's way: until traffic may go to it."""
GREEN_SHIFT: tuple[Event, ...] = tuple(row.event for row in TABLE if row.part is Part.ALLOW)
"""The second part: traffic goes to it."""
BLUE_BACK: tuple[Event, ...] = tuple(row.event for row in TABLE if row.part is Part.ALLOW)
"""The original host when a blue/green deployment is rolled back."""
GREEN_BACK: tuple[Event, ...] = BLUE
"""The replacement host when a blue/green deployment is rolled back."""
TERMINATION: tuple[Event, ...] = (*BLUE, Event.APPLICATION_STOP)
"""A host that Auto Scaling is about to terminate: nothing is installed."""


def events_for(*, load_balancer: bool = False, restart: bool = False) -> tuple[Event, ...]:
    """The events of an in-place deployment or of its rollback; with `restart` the application is only stopped, started
    and validated, and nothing is fetched or installed."""
    parts = set(Part) if load_balancer else {Part.APPLICATION}
    skipped = _INSTALLING if restart else frozenset()
    return tuple(row.event for row in TABLE if row.part in parts and row.event not in skipped)


def last_event(deployment: Deployment) -> Event:
    """The event whose success makes the revision the last successful one on a host: the last of all phases, which the
    blue hosts of a blue/green deployment never come to. Where nothing is installed none is."""
    events = {event for phase in deployment.phases for event in phase.events}
    if Event.INSTALL not in events:
        return Event.AFTER_ALLOW_TRAFFIC
    return max(events, key=[row.event for row in TABLE].index)


def remaining(events: Iterable[Event], done: Iterable[Event]) -> tuple[Event, ...]:
    """The events that are not done, in order."""
    gone = set(done)
    return tuple(event for event in events if event not in gone)


_INSTALLING = frozenset({Event.DOWNLOAD_BUNDLE, Event.BEFORE_INSTALL, Event.INSTALL, Event.AFTER_INSTALL})
