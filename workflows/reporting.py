"""What people and the API are shown of a deployment: the store's records, completed with what follows from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from domain.deployments import Deployment, EventRecord, Overview, Progress, TargetRecord, TargetStatus
from domain.lifecycle import TABLE, Event
from domain.reports import EventStatus


def target_view(record: TargetRecord, deployment: Deployment) -> TargetRecord:
    """The record with all its events: Pending where nothing is known or, once the deployment has ended, Skipped.

    A target that was never taken when the deployment ended, or waited for traffic that never came, is Skipped.
    """
    ended = deployment.status.final or record.status.final
    blank = EventRecord(status=EventStatus.SKIPPED if ended else EventStatus.PENDING)
    known = {event: record.events.get(event, blank) for event in events_of(deployment, record.index)}
    status = record.status
    if deployment.status.final and status in {TargetStatus.PENDING, TargetStatus.READY}:
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
    """Targets by status; they add up to the number of targets. `progress` are the counters of the present phase, if it
    is one on hosts and has opened."""
    seen = Counter[str]()
    for opened, left in _slices(deployment, progress):
        *before, latest = opened
        lost_before = sum(each.lost for each in before)
        waiting = latest.pending - (lost_before - latest.passed)
        seen["ready" if before else "pending"] += waiting
        seen["ready" if left else "succeeded"] += latest.succeeded
        seen["failed"] += sum(each.failed for each in opened)
        seen["skipped"] += sum(each.skipped for each in opened)
        seen["in_progress"] += latest.in_flight
    seen["pending"] += deployment.total - seen.total()
    if deployment.status.final:
        # Nothing more becomes of those that were never taken, or waited for traffic.
        seen["skipped"] += seen.pop("pending", 0) + seen.pop("ready", 0)
    return Overview.model_validate(seen)


def _slices(deployment: Deployment, progress: Progress | None) -> Iterator[tuple[Sequence[Progress], bool]]:
    """The targets that go through phases together, as far as one of these has opened: the counters of each that has,
    and whether more are to come."""
    phases = [(number, phase) for number, phase in enumerate(deployment.phases) if phase.kind.on_hosts]
    for first in dict.fromkeys(phase.first for _, phase in phases):
        mine = [_counters(deployment, number, progress) for number, phase in phases if phase.first == first]
        opened = [each for each in mine if each is not None]
        if opened:
            yield opened, len(opened) < len(mine)


def _counters(deployment: Deployment, number: int, progress: Progress | None) -> Progress | None:
    if number < len(deployment.results):
        return deployment.results[number]
    return progress if number == deployment.phase else None
