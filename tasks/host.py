"""The tasks of an agent: one per lifecycle event, under the event's own name. They return outcomes and do not raise."""

from __future__ import annotations

import logging
from collections.abc import Callable
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
    def run_event(report: object = None) -> Reported:
        try:
            return Reported(carry_out(world, event, _read(world, event, report)))
        except Duplicate as duplicate:
            raise Ignore(str(duplicate)) from duplicate

    run_event.__doc__ = f"Carry out {event} on this host."
    # Acknowledged early: a hook has side effects, so its message is never delivered again blindly.
    decorate: Callable[[Callable[..., Any]], Task[Any, Any]] = app.task(
        name=names.event_task(event), acks_late=False, ignore_result=True
    )
    return decorate(run_event)
