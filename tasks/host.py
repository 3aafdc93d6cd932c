"""The tasks of an agent: one per lifecycle event, under the event's own name. They return outcomes and do not raise."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from celery import Celery, Task
from celery.exceptions import Ignore
from pydantic import ValidationError

from domain.lifecycle import TABLE, Event, Runner
from domain.reports import HostReport
from tasks.host_world import HostWorld
from tasks.perform import Duplicate, carry_out, refuse
from tasks.reported import Reported
from workflows import names

logger = logging.getLogger(__name__)


def register(app: Celery, world: HostWorld) -> None:
    """Give the app one task per event that hosts carry out."""
    for row in TABLE:
        if row.runner is Runner.HOST:
            _register(app, world, row.event)


def _read(world: HostWorld, event: Event, raw: object) -> HostReport:
    """The report in a message. One that is none is told to control, which ends the host's chain; raises Ignore then."""
    try:
        return HostReport.model_validate(raw)
    except ValidationError as error:
        logger.error("a message of %s is no report: %s", event, error.errors(include_input=False, include_url=False))
        refuse(world, event, raw)
        raise Ignore("no report") from None


def _register(app: Celery, world: HostWorld, event: Event) -> Task[Any, Any]:
    def run_event(self: Task[Any, Any], report: object = None) -> Reported:
        began = world.touch.now()
        if expired(self.request.expires, world.now()):
            logger.info("a message of %s waited too long for this agent; control sends it again, or gave up", event)
            raise Ignore("expired")
        try:
            done = carry_out(world, event, _read(world, event, report))
        except Duplicate as duplicate:
            raise Ignore(str(duplicate)) from duplicate
        if not done.halted and world.touch.lost_since(began):
            # The end of the event is told. Another deployment may have the host by now, so it is control that sends the
            # rest of the chain, if the host is still this one's. Where nothing more would run, nothing is to be feared.
            order = done.order
            logger.warning("%s was not heard for long: %s goes on if control says so", world.host, order.deployment_id)
            raise Ignore("silent for too long")
        return Reported(done)

    run_event.__doc__ = f"Carry out {event} on this host."
    # Acknowledged early: a hook has side effects, so its message is never delivered again blindly. Not shared, for the
    # world is this app's.
    decorate: Callable[[Callable[..., Any]], Task[Any, Any]] = app.task(
        name=names.event_task(event), bind=True, acks_late=False, ignore_result=True, shared=False
    )
    return decorate(run_event)


def expired(expires: object, now: float) -> bool:
    """The message was to be taken up earlier. Celery looks at that when it gets a message, which may then wait here
    for a long hook to end; its deployment may be over by now."""
    if not isinstance(expires, str):
        return False
    try:
        return datetime.fromisoformat(expires).timestamp() < now
    except ValueError:
        return False
