"""When a host that is on its way out of traffic, or back into it, is looked at again, and what its event comes to.

A wait is a stored deadline and a rescheduled look: nobody sleeps through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain import reasons
from domain.deployments import Deployment, EventRecord, TargetRecord
from domain.lifecycle import Event
from domain.reports import Diagnostics, ErrorCode, EventStatus, Outcome
from domain.traffic import Standing
from domain.values import Instant
from workflows.triggering import printable

SOONEST = 0.1
LATEST = 2.0
MOST_WORDS = 300
"""Characters of what one balancer says at a time."""
SHARE = 0.1
"""A host is looked at again once it has waited a tenth longer than it had."""


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Not there yet: look again after so many seconds. `said` is what the balancers said now."""

    seconds: float
    said: str = ""


def next_look(waited: float) -> float:
    """Seconds until the next look at a host that has waited so long."""
    return min(LATEST, max(SOONEST, waited * SHARE))


def judge(
    event: Event,
    standings: Mapping[str, Standing],
    *,
    began: Instant,
    now: Instant,
    limit: float,
    deployment: Deployment,
) -> Outcome | LookAgain:
    """What a traffic event comes to, by what each balancer says: all must be done."""
    if all(standing.done for standing in standings.values()):
        return Outcome(event=event, status=EventStatus.SUCCEEDED, start_time=began, end_time=now)
    if deployment.cutting:
        return failed(event, reasons.BALANCER_CUT, began=began, now=now)
    if now - began >= limit:
        unfinished = {name: standing for name, standing in standings.items() if not standing.done}
        text = reasons.BALANCER_TIMEOUT.format(seconds=round(limit), last=words(unfinished))
        return failed(event, text, began=began, now=now, code=ErrorCode.SCRIPT_TIMED_OUT)
    return LookAgain(min(next_look(now - began), began + limit - now), words(standings))


def words(standings: Mapping[str, Standing]) -> str:
    """What each balancer says, for one line. Those that are done are in it: one may have given up on requests."""
    return "; ".join(f"{name}: {_detail(standing)}" for name, standing in standings.items())


def _detail(standing: Standing) -> str:
    return printable(standing.detail, MOST_WORDS) or ("done" if standing.done else "not there yet")


def line_number(began: Instant, now: Instant) -> int:
    """The number of a look's line in the event's log, behind that of its start. Nobody has to know how many lines there
    are: a look that is made again by another process tells none twice and hides none."""
    return 1 + max(0, round((now - began) * 1000))


def failed(
    event: Event, text: str, *, began: Instant | None, now: Instant, code: ErrorCode = ErrorCode.UNKNOWN_ERROR
) -> Outcome:
    """The event failed, with the reason for a person."""
    problem = Diagnostics(error_code=code, message=text)
    return Outcome(event=event, status=EventStatus.FAILED, start_time=began, end_time=now, diagnostics=problem)


def is_undone(outcome: Outcome) -> bool:
    """A traffic event that ended so is undone at the balancers."""
    return outcome.event in {Event.BLOCK_TRAFFIC, Event.ALLOW_TRAFFIC} and outcome.status is EventStatus.FAILED


def to_undo(record: TargetRecord) -> Event | None:
    """The traffic event of a target that failed and is to be undone at the balancers, if any did. A host that was taken
    out and then failed stays out."""
    for event in (Event.ALLOW_TRAFFIC, Event.BLOCK_TRAFFIC):
        held = record.events.get(event)
        if held is not None and held.status is EventStatus.FAILED:
            return event
    return None


def outcome_on_record(event: Event, held: EventRecord | None) -> Outcome | None:
    """How the event ended already, if it did."""
    if held is None or not held.status.final:
        return None
    return Outcome(
        event=event,
        status=held.status,
        start_time=held.start_time,
        end_time=held.end_time,
        diagnostics=held.diagnostics,
        forgiven=held.forgiven,
    )
