"""The tasks of an agent: one per lifecycle event, under the event's own name. They return outcomes and do not raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import Celery, Task
from celery.exceptions import Ignore

from domain.lifecycle import TABLE, Event, Runner
from domain.reports import HostReport
from tasks.host_world import HostWorld
from tasks.perform import Duplicate, carry_out
from workflows import names
from workflows.canvas import wire


class ReportDict(dict[str, Any]):
    """A report as JSON values that shows itself to people (and to Flower) in a few words."""

    def __repr__(self) -> str:
        outcome = (self.get("outcomes") or [{}])[-1]
        return f"{outcome.get('event', 'nothing')} {outcome.get('status', '')} on {self['order']['target_id']}"


def register(app: Celery, world: HostWorld) -> None:
    """Give the app one task per event that hosts carry out."""
    for row in TABLE:
        if row.runner is Runner.HOST:
            _register(app, world, row.event)


def _register(app: Celery, world: HostWorld, event: Event) -> Task[Any, Any]:
    def run_event(report: dict[str, Any]) -> dict[str, Any]:
        try:
            return ReportDict(wire(carry_out(world, event, HostReport.model_validate(report))))
        except Duplicate as duplicate:
            raise Ignore(str(duplicate)) from duplicate

    run_event.__doc__ = f"Carry out {event} on this host."
    # Acknowledged early: a hook has side effects, so its message is never delivered again blindly.
    decorate: Callable[[Callable[..., Any]], Task[Any, Any]] = app.task(
        name=names.event_task(event), acks_late=False, ignore_result=True
    )
    return decorate(run_event)
