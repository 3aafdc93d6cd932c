"""What a report of an agent changes in its target's record. `lua/record.lua` follows the same rules. Pure."""

from __future__ import annotations

from adapters.store.records import event_of
from adapters.store.steps import merged
from domain.deployments import EventRecord, TargetRecord, TargetStatus
from domain.reports import EventFinished, EventStarted, EventStatus, Outcome
from domain.values import Instant

RANK = {
    EventStatus.PENDING: 0,
    EventStatus.IN_PROGRESS: 1,
    EventStatus.UNKNOWN: 2,
    EventStatus.SUCCEEDED: 3,
    EventStatus.FAILED: 3,
    EventStatus.SKIPPED: 3,
}
"""An event moves to a higher rank only: the first end that is told is the one that counts."""


def outcome_of(report: EventStarted | EventFinished) -> Outcome:
    """What the report says of its event."""
    if isinstance(report, EventFinished):
        return report.outcome
    return Outcome(event=report.event, status=EventStatus.IN_PROGRESS, start_time=report.at)


def told_at(report: EventStarted | EventFinished) -> Instant | None:
    """When the report's event took place, as far as the report says."""
    if isinstance(report, EventStarted):
        return report.at
    return report.outcome.end_time if report.outcome.end_time is not None else report.outcome.start_time


def hear(record: TargetRecord, report: EventStarted | EventFinished) -> TargetRecord | None:
    """The record after the report; None if it changes nothing."""
    if record.status is not TargetStatus.IN_PROGRESS or record.attempt != report.attempt:
        return None
    update: dict[str, object] = {}
    outcome = outcome_of(report)
    held = record.events.get(outcome.event)
    if RANK[outcome.status] > RANK[held.status if held else EventStatus.PENDING]:
        update["events"] = {**record.events, outcome.event: _told(held, outcome)}
        at = told_at(report)
        update["last_updated_at"] = record.last_updated_at if at is None else at
    if isinstance(report, EventFinished) and report.interrupted and not record.interrupted:
        update["interrupted"] = True
    return record.model_copy(update=update) if update else None


def told_again(record: TargetRecord, report: EventStarted | EventFinished) -> bool:
    """The report says of an event that runs that it runs: nothing changes, but somebody looks at it."""
    held = record.events.get(outcome_of(report).event)
    running = held is not None and held.status is EventStatus.IN_PROGRESS
    return isinstance(report, EventStarted) and running and record.status is TargetStatus.IN_PROGRESS


def _told(held: EventRecord | None, outcome: Outcome) -> EventRecord:
    return merged(held, outcome) if held else event_of(outcome)
