"""What a step of a lane changes, worked out from what the lane saw: the same for every store. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.store.records import event_of
from domain.deployments import NEXT_TARGET, EventRecord, Lane, Progress, TargetRecord, TargetStatus
from domain.errors import IllegalMove
from domain.lifecycle import Event
from domain.moves import Conclude, LaneView, Step, Take
from domain.reports import Outcome

_COUNTED = {
    TargetStatus.SUCCEEDED: "succeeded",
    TargetStatus.READY: "succeeded",
    TargetStatus.FAILED: "failed",
    TargetStatus.UNKNOWN: "failed",
    TargetStatus.SKIPPED: "skipped",
}
"""The counter of a phase that a concluded target adds to."""


@dataclass(frozen=True, slots=True)
class Written:
    """The values that a step leaves behind."""

    progress: Progress
    lane: Lane
    concluded: TargetRecord | None
    taken: TargetRecord | None


def take_step(view: LaneView, phase: int, step: Step) -> Written:
    """The values after the step; raises IllegalMove for one that does not fit what the lane saw."""
    _check(view, step)
    return Written(
        progress=_count(view.progress, step),
        lane=_move(view.lane, step),
        concluded=_conclude(view.current, step.conclude) if step.conclude and view.current else None,
        taken=_take(view, phase, step.take) if step.take else None,
    )


def _check(view: LaneView, step: Step) -> None:
    if view.lane.retired:
        raise IllegalMove(f"lane {view.lane.number} has retired")
    told = step.conclude.target_id if step.conclude else None
    if told != view.lane.target_id or (told and view.current is None):
        raise IllegalMove(f"lane {view.lane.number} works on {view.lane.target_id}, it cannot conclude {told}")
    ahead = view.upcoming.target.target_id if view.upcoming else None
    for chosen in (step.take, step.passes):
        if chosen and chosen.target_id != ahead:
            raise IllegalMove(f"lane {view.lane.number} cannot take {chosen.target_id}, next in order is {ahead}")


def _count(progress: Progress, step: Step) -> Progress:
    update = {"version": progress.version + 1}
    if step.conclude:
        counter = _COUNTED.get(step.conclude.status)
        if counter is None:
            raise IllegalMove(f"a target cannot be concluded as {step.conclude.status}")
        update[counter] = getattr(progress, counter) + 1
    if step.take or step.passes:
        update["taken"] = progress.taken + 1
    else:
        update["retired"] = progress.retired + 1
    if step.passes:
        update["passed"] = progress.passed + 1
    return progress.model_copy(update=update)


def _move(lane: Lane, step: Step) -> Lane:
    if step.passes:
        return Lane(number=lane.number, step=lane.step + 1)
    if step.take is None:
        return Lane(number=lane.number, step=lane.step, retired=True)
    take = step.take
    return Lane(
        number=lane.number, step=lane.step + 1, target_id=take.target_id, attempt=take.attempt, taken_at=take.at
    )


def _conclude(current: TargetRecord, conclude: Conclude) -> TargetRecord:
    events = {**current.events}
    for outcome in conclude.outcomes:
        events[outcome.event] = merged(events.get(outcome.event), outcome)
    return _enter(current, conclude.status, {"events": events, "last_updated_at": conclude.at})


def _take(view: LaneView, phase: int, take: Take) -> TargetRecord:
    assert view.upcoming is not None  # noqa: S101  (checked before)
    again: set[Event] = set(view.deployment.phases[phase].events) if phase < len(view.deployment.phases) else set()
    update = {
        "attempt": take.attempt,
        "lane": view.lane.number,
        "last_updated_at": take.at,
        "interrupted": False,
        # What an earlier attempt left of the events to come would fence off this one's reports.
        "events": {event: held for event, held in view.upcoming.events.items() if event not in again},
    }
    return _enter(view.upcoming, TargetStatus.IN_PROGRESS, update)


def _enter(record: TargetRecord, status: TargetStatus, update: dict[str, object]) -> TargetRecord:
    if status not in NEXT_TARGET[record.status]:
        raise IllegalMove(f"target {record.target.target_id} cannot go from {record.status} to {status}")
    return record.model_copy(update={"status": status, **update})


def merged(held: EventRecord | None, outcome: Outcome) -> EventRecord:
    """An outcome as record; where it does not say when the event began, what is known of that stays."""
    told = event_of(outcome)
    if told.start_time is None and held is not None:
        return told.model_copy(update={"start_time": held.start_time})
    return told
