"""One lifecycle event on this host: find the revision whose scripts count, do the work, say how it went.

Knows nothing of Celery: the agent's tasks and `slipway local` both call `carry_out`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from pathlib import Path

from domain import reasons
from domain.appspec import AppSpec
from domain.errors import HostError, SlipwayError
from domain.lifecycle import Event
from domain.reports import (
    Diagnostics,
    ErrorCode,
    EventFinished,
    EventStarted,
    EventStatus,
    HostOrder,
    HostReport,
    LogLines,
    Outcome,
)
from tasks.host_world import HostWorld
from workflows import host_events
from workflows.appspec import choose_appspec_name, parse_appspec


class Duplicate(SlipwayError):
    """The event runs already; another message carries its chain on."""


def carry_out(world: HostWorld, event: Event, report: HostReport) -> HostReport:
    """The report with the outcome of one event: run now, replayed from the journal, or skipped.

    Raises Duplicate where the event is running at this moment.
    """
    attempt = world.journal.open(report.order)
    if attempt is None:
        return report.plus(_failed(event, world.now(), HostError(reasons.ORDER_UNKNOWN)))
    order = attempt.order
    begun_at = world.now()
    standing = world.journal.begin(attempt, event, at=begun_at)
    if standing is False:
        raise Duplicate
    brief = report.model_copy(update={"order": report.order.brief()})
    if isinstance(standing, Outcome):
        return brief.plus(standing)
    outcome = _skipped(event) if _halted(world, report) else _run(world, event, order, begun_at)
    outcome = outcome.model_copy(update={"forgiven": host_events.forgiven(outcome, order)})
    outcome = _with_disk(world, order, outcome)
    _remember(world, order, brief.plus(outcome))
    world.journal.end(attempt, outcome)
    if outcome.status is not EventStatus.SKIPPED:
        world.tell(_finished(order, outcome))
    return brief.plus(outcome)


def _halted(world: HostWorld, report: HostReport) -> bool:
    return report.halted or world.stopped[report.order.deployment_id].is_set()


def _run(world: HostWorld, event: Event, order: HostOrder, begun_at: float) -> Outcome:
    try:
        problem = _WORK.get(event, _scripts)(world, event, order)
    except (SlipwayError, OSError) as error:
        return _failed(event, begun_at, error, world.now())
    return Outcome(
        event=event,
        status=EventStatus.FAILED if problem else EventStatus.SUCCEEDED,
        start_time=begun_at,
        end_time=world.now(),
        diagnostics=problem,
    )


def _download(world: HostWorld, event: Event, order: HostOrder) -> Diagnostics | None:
    _tell_start(world, event, order)
    records, group = world.records, order.deployment_group_id
    archive = records.archive(group, order.deployment_id)
    if order.source is None:
        raise HostError(reasons.ORDER_UNKNOWN)
    records.deployment(group, order.deployment_id).mkdir(parents=True, exist_ok=True)
    spare = [name for name in (order.deployment_id, records.last_successful(group)) if name]
    world.prune(records.group(group), spare)
    world.fetch(order.source, archive)
    records.mark_most_recent(group, order.deployment_id)
    return None


def _install(world: HostWorld, event: Event, order: HostOrder) -> Diagnostics | None:
    _tell_start(world, event, order)
    archive = world.records.archive(order.deployment_group_id, order.deployment_id)
    spec = _read_appspec(archive, order)
    world.install(archive, spec, world.records.instructions(order.deployment_group_id), order.file_exists_behavior)
    return None


def _scripts(world: HostWorld, event: Event, order: HostOrder) -> Diagnostics | None:
    """Run the event's scripts; an event without any, or without an earlier revision to take them from, succeeds."""
    deployment_id = _whose(world, event, order)
    if deployment_id is None:
        return None
    archive = world.records.archive(order.deployment_group_id, deployment_id)
    scripts = _read_appspec(archive, order).scripts(event)
    if not scripts:
        return None
    _tell_start(world, event, order)
    return world.run_scripts(
        scripts,
        event=event,
        order=order,
        archive=archive,
        log=world.records.script_log(order.deployment_group_id, order.deployment_id),
        on_line=_line_teller(world, event, order),
        stop=world.cut[order.deployment_id],
    )


def _whose(world: HostWorld, event: Event, order: HostOrder) -> str | None:
    group = order.deployment_group_id
    match host_events.whose_scripts(event, order):
        case host_events.Whose.CURRENT:
            return order.deployment_id
        case host_events.Whose.LAST_SUCCESSFUL:
            return world.records.last_successful(group)
        case host_events.Whose.MOST_RECENT:
            return world.records.most_recent(group)


def _read_appspec(archive: Path, order: HostOrder) -> AppSpec:
    try:
        names = os.listdir(archive)  # noqa: PTH208  (names are all that is asked for, at every event)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise HostError(
            f"the unpacked revision is gone from {archive}; deploy a revision to this host again"
        ) from error
    name = choose_appspec_name(names, order.appspec_filename)
    if name is None:
        raise HostError(f"no AppSpec file in {archive}: expected {order.appspec_filename or 'appspec.yml'} in its root")
    file = archive / name
    now = file.stat()
    return _parsed(file, now.st_mtime_ns, now.st_size, now.st_ino)


@lru_cache(maxsize=64)
def _parsed(file: Path, _mtime: int, _size: int, _inode: int) -> AppSpec:
    """Each of a deployment's events asks for the same file; it is read again only when it changed."""
    return parse_appspec(file.read_bytes(), name=file.name)


def _remember(world: HostWorld, order: HostOrder, report: HostReport) -> None:
    """The revision becomes the last successful one when the whole deployment succeeded on this host."""
    last = report.outcomes[-1]
    if last.event is order.final_event and not report.halted:
        group = order.deployment_group_id
        world.records.mark_last_successful(group, order.deployment_id)
        world.commit(world.records.instructions(group))


def _with_disk(world: HostWorld, order: HostOrder, outcome: Outcome) -> Outcome:
    """The outcome; if an event after Install failed, with what that leaves on the disk."""
    if outcome.diagnostics is None or not host_events.follows_install(outcome.event):
        return outcome
    group = order.deployment_group_id
    state = world.on_disk(world.records.instructions(group)).splitlines()[0]
    state = state.replace(str(world.records.archive(group, order.deployment_id)), order.deployment_id)
    last = world.records.last_successful(group) or "none yet"
    why = outcome.diagnostics.message.removesuffix(".")
    message = f"{why}. On disk: {state} Last successful deployment on this host: {last}."
    return outcome.model_copy(update={"diagnostics": outcome.diagnostics.model_copy(update={"message": message})})


def _tell_start(world: HostWorld, event: Event, order: HostOrder) -> None:
    world.tell(
        EventStarted(
            deployment_id=order.deployment_id,
            target_id=order.target_id,
            attempt=order.attempt,
            event=event,
            at=world.now(),
            limit=order.event_limit,
        )
    )


def _line_teller(world: HostWorld, event: Event, order: HostOrder) -> Callable[[str], None]:
    numbers = count()

    def tell(line: str) -> None:
        world.tell(
            LogLines(
                deployment_id=order.deployment_id,
                target_id=order.target_id,
                attempt=order.attempt,
                event=event,
                first=next(numbers),
                lines=(line,),
            )
        )

    return tell


def _finished(order: HostOrder, outcome: Outcome, *, interrupted: bool = False) -> EventFinished:
    return EventFinished(
        deployment_id=order.deployment_id,
        target_id=order.target_id,
        attempt=order.attempt,
        outcome=outcome,
        interrupted=interrupted,
    )


def _skipped(event: Event) -> Outcome:
    return Outcome(event=event, status=EventStatus.SKIPPED)


def _failed(event: Event, begun_at: float, error: Exception, ended_at: float | None = None) -> Outcome:
    code = error.code if isinstance(error, HostError) else ErrorCode.UNKNOWN_ERROR
    return Outcome(
        event=event,
        status=EventStatus.FAILED,
        start_time=begun_at,
        end_time=ended_at or begun_at,
        diagnostics=Diagnostics(error_code=ErrorCode(code), message=str(error)),
    )


def report_interrupted(world: HostWorld) -> int:
    """Tell of every event that an earlier run of the agent left half done, and close it as failed; how many there were.

    An attempt between two events is told of as well: its next message may have been lost with the process.
    """
    told = 0
    for attempt in world.journal.unfinished():
        if attempt.running is not None:
            begun_at = attempt.begun_at or world.now()
            outcome = _failed(attempt.running, begun_at, HostError(reasons.AGENT_RESTARTED), world.now())
            outcome = _with_disk(world, attempt.order, outcome)
            world.journal.end(attempt, outcome)
            world.tell(_finished(attempt.order, outcome, interrupted=True))
            told += 1
        elif attempt.outcomes:
            *_, last = attempt.outcomes.values()
            world.tell(_finished(attempt.order, last))
    return told


_WORK: dict[Event, Callable[[HostWorld, Event, HostOrder], Diagnostics | None]] = {
    Event.DOWNLOAD_BUNDLE: _download,
    Event.INSTALL: _install,
}
