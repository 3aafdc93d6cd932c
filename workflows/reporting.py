"""What people and the API are shown of a deployment: the store's records, completed with what follows from them."""

from __future__ import annotations

from domain.deployments import Deployment, EventRecord, Overview, Progress, TargetRecord, TargetStatus
from domain.lifecycle import TABLE, Event
from domain.reports import EventStatus


def target_view(record: TargetRecord, deployment: Deployment) -> TargetRecord:
    """The record with all its events: Pending where nothing is known or, once the deployment has ended, Skipped.

    A target that was never taken when the deployment ended is Skipped.
    """
    ended = deployment.status.final or record.status.final
    blank = EventRecord(status=EventStatus.SKIPPED if ended else EventStatus.PENDING)
    known = {event: record.events.get(event, blank) for event in events_of(deployment, record.index)}
    status = record.status
    if deployment.status.final and status is TargetStatus.PENDING:
        status = TargetStatus.SKIPPED
    return record.model_copy(update={"events": known, "status": status})


def events_of(deployment: Deployment, index: int) -> tuple[Event, ...]:
    """The events of the target at an index, over all phases that go to it, in order."""
    mine = {
        event
        for phase in deployment.phases
        if phase.first <= index < phase.first + phase.count
        for event in phase.events
    }
    return tuple(row.event for row in TABLE if row.event in mine)


def overview(deployment: Deployment, progress: Progress | None) -> Overview:
    """Targets by status; they add up to the number of targets."""
    if progress is None:
        ended = deployment.status.final
        return Overview(skipped=deployment.total) if ended else Overview(pending=deployment.total)
    never = progress.pending if deployment.status.final else 0
    return Overview(
        pending=progress.pending - never,
        in_progress=progress.in_flight,
        succeeded=progress.succeeded,
        failed=progress.failed,
        skipped=progress.skipped + never,
    )
