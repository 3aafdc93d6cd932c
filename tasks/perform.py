"""One lifecycle event on this host: find the revision whose scripts count, do the work, say how it went.

Knows nothing of Celery: the agent's tasks and `slipway local` both call `carry_out`.
"""

from __future__ import annotations

import logging
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
from domain.work import working_on
from tasks.host_world import HostWorld, OpenAttempt
from workflows import host_events
from workflows.appspec import choose_appspec_name, parse_appspec

logger = logging.getLogger(__name__)

KEEP_JOURNALS = 7 * 86_400
"""Seconds for which the journals of attempts are kept."""
TELL_AGAIN = 3600
"""Seconds for which an agent that starts says again how an attempt ended; by then control has given the host up."""
LONGEST_MESSAGE = 8192
"""Characters of a diagnostic's message."""


class Duplicate(SlipwayError):
    """The event runs already; another message carries its chain on."""


def carry_out(world: HostWorld, event: Event, report: HostReport) -> HostReport:
    """As `_carry_out`, with every record that is logged meanwhile naming what it was for."""
    order = report.order
    with working_on(
        deployment_id=order.deployment_id, application=order.application_name, target_id=order.target_id, event=event
    ):
        return _carry_out(world, event, report)


def _carry_out(world: HostWorld, event: Event, report: HostReport) -> HostReport:
    """The report with the outcome of one event: run now, replayed from the journal, or skipped.

    Whatever goes wrong on this host is an outcome: an error that left here would leave the lane without an answer.
    Raises only Duplicate, where the event is running at this moment.
    """
    began = world.now()
    try:
        attempt = world.journal.open(report.order)
        standing = world.journal.begin(attempt, event, at=began) if attempt else None
    except Exception as error:
        logger.exception("%s was not begun: the journal of attempt %r fails", event, report.order.attempt)
        return _unknown(world, event, report, HostError(reasons.JOURNAL_FAILS.format(error=words_of(error))))
    if attempt is None or standing is None:
        return _unknown(world, event, report, HostError(reasons.ORDER_UNKNOWN))
    if standing is False:
        raise Duplicate
    brief = report.model_copy(update={"order": report.order.brief()})
    if isinstance(standing, Outcome):
        return brief.plus(standing)
    if world.refused[report.order.attempt].is_set() and not report.halted:
        # What control sent again meanwhile may be in order; it was told already that this attempt is over, and how.
        outcome = _failed(event, began, HostError(reasons.ORDER_UNREADABLE))
    else:
        outcome = _skipped(event) if _halted(world, report) else _run(world, event, attempt, began)
    outcome = _concluded(world, attempt.order, brief, outcome)
    _keep(world, attempt, outcome)
    if outcome.status is not EventStatus.SKIPPED:
        world.tell(_finished(attempt.order, outcome))
    return brief.plus(outcome)


def _unknown(world: HostWorld, event: Event, report: HostReport, error: HostError) -> HostReport:
    """The report where the journal cannot vouch that the event did not run before: it does not run."""
    if report.halted:
        return report.plus(_skipped(event))
    outcome = _failed(event, world.now(), error)
    world.tell(_finished(report.order, outcome))
    return report.plus(outcome)


def _concluded(world: HostWorld, order: HostOrder, before: HostReport, outcome: Outcome) -> Outcome:
    """The outcome as it is told: forgiven or not, with what is on the disk, and failed if success cannot be kept."""
    outcome = _with_disk(world, order, outcome)
    outcome = outcome.model_copy(update={"forgiven": host_events.forgiven(outcome, order)})
    try:
        _remember(world, order, before.plus(outcome))
    except Exception as error:
        logger.exception("the records of deployment %s cannot be kept", order.deployment_id)
        broken = HostError(reasons.RECORDS_FAIL.format(error=words_of(error)))
        return _failed(outcome.event, outcome.start_time or world.now(), broken, world.now())
    return outcome


def _keep(world: HostWorld, attempt: OpenAttempt, outcome: Outcome) -> None:
    try:
        world.journal.end(attempt, outcome)
    except Exception:
        # What happened is told all the same; a restart of the agent would take the event for cut short.
        logger.exception("the end of %s is not in the journal of attempt %s", outcome.event, attempt.order.attempt)


def _halted(world: HostWorld, report: HostReport) -> bool:
    return report.halted or world.stopped[report.order.deployment_id].is_set()


def _run(world: HostWorld, event: Event, attempt: OpenAttempt, begun_at: float) -> Outcome:
    order = attempt.order
    try:
        problem = _WORK.get(event, _scripts)(world, event, attempt)
    except (SlipwayError, OSError) as error:
        return _failed(event, begun_at, error, world.now())
    except Exception as error:
        logger.exception("%s of deployment %s met an internal error", event, order.deployment_id)
        broken = HostError(reasons.AGENT_BROKEN.format(error=words_of(error)))
        return _failed(event, begun_at, broken, world.now())
    return Outcome(
        event=event,
        status=EventStatus.FAILED if problem else EventStatus.SUCCEEDED,
        start_time=begun_at,
        end_time=world.now(),
        diagnostics=problem,
    )


def _download(world: HostWorld, event: Event, attempt: OpenAttempt) -> Diagnostics | None:
    order = attempt.order
    _tell_start(world, event, order)
    records, group = world.records, order.deployment_group_id
    archive = records.archive(group, order.deployment_id)
    if order.source is None:
        raise HostError(reasons.ORDER_UNKNOWN)
    records.deployment(group, order.deployment_id).mkdir(parents=True, exist_ok=True)
    spare = [name for name in (order.deployment_id, records.last_successful(group)) if name]
    world.prune(records.group(group), spare)
    world.journal.forget(before=world.now() - KEEP_JOURNALS)
    world.fetch(order.source, archive, seconds=order.event_limit, stop=world.cut[order.deployment_id])
    records.mark_most_recent(group, order.deployment_id)
    return None


def _install(world: HostWorld, event: Event, attempt: OpenAttempt) -> Diagnostics | None:
    order = attempt.order
    _tell_start(world, event, order)
    archive = world.records.archive(order.deployment_group_id, order.deployment_id)
    spec = _read_appspec(archive, order)
    done = world.install(
        archive,
        spec,
        world.records.instructions(order.deployment_group_id),
        behavior=order.file_exists_behavior,
        restoring=order.restoring,
    )
    if order.restoring is not None:
        # What became of others' files is told: a person may have to look after what could not be given back.
        _line_teller(world, event, order)(done)
    return None


def _scripts(world: HostWorld, event: Event, attempt: OpenAttempt) -> Diagnostics | None:
    """Run the event's scripts; an event without any, or without an earlier revision to take them from, succeeds."""
    order = attempt.order
    deployment_id = _whose(world, event, order)
    if deployment_id is None:
        return None
    archive = world.records.archive(order.deployment_group_id, deployment_id)
    scripts = _read_appspec(archive, order).scripts(event)
    if not scripts:
        return None
    _tell_start(world, event, order)
    try:
        return world.run_scripts(
            scripts,
            event=event,
            order=order,
            archive=archive,
            log=world.records.script_log(order.deployment_group_id, order.deployment_id),
            on_line=_line_teller(world, event, order),
            stop=world.cut[order.deployment_id],
            note=lambda trace: world.journal.note_script(attempt, trace),
        )
    finally:
        if order.restoring is not None and not order.restart and host_events.follows_install(event):
            _own(world, order)


def _own(world: HostWorld, order: HostOrder) -> None:
    try:
        world.own(world.records.instructions(order.deployment_group_id))
    except Exception:
        # A rollback then takes what the scripts made for others' doing and leaves it.
        logger.exception("what scripts of deployment %s made of others' files is not noted", order.deployment_id)


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
    if last.event is order.final_event and not report.halted and not (order.restart or order.blue_green_rollback):
        group = order.deployment_group_id
        world.records.mark_last_successful(group, order.deployment_id)
        world.commit(world.records.instructions(group))


def _with_disk(world: HostWorld, order: HostOrder, outcome: Outcome, *, cut_off: bool = False) -> Outcome:
    """The outcome; if an event after Install failed, or Install was cut off, with what that leaves on the disk."""
    matters = host_events.follows_install(outcome.event) or (cut_off and outcome.event is Event.INSTALL)
    if outcome.diagnostics is None or not matters:
        return outcome
    why = outcome.diagnostics.message.removesuffix(".")
    message = f"{why}. On disk: {_on_disk(world, order)}"
    return outcome.model_copy(update={"diagnostics": outcome.diagnostics.model_copy(update={"message": message})})


def _on_disk(world: HostWorld, order: HostOrder) -> str:
    group = order.deployment_group_id
    try:
        state = world.on_disk(world.records.instructions(group)).partition("\n")[0]
        state = state.replace(str(world.records.archive(group, order.deployment_id)), order.deployment_id)
        last = world.records.last_successful(group) or "none yet"
    except Exception as error:
        logger.exception("what is on the disk for group %s cannot be told", group)
        return f"unknown, for the records cannot be read: {words_of(error)}"
    return f"{state} Last successful deployment on this host: {last}."


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
        diagnostics=Diagnostics(error_code=ErrorCode(code), message=words_of(error)),
    )


def words_of(error: Exception) -> str:
    """An error's words as every store and broker takes them: names of files may be no Unicode, and of any number."""
    text = str(error) if isinstance(error, SlipwayError | OSError) else f"{type(error).__name__}: {error}"
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]} …"


def refuse(world: HostWorld, event: Event, raw: object) -> None:
    """Tell control of a message that is no report, as far as it says whose it is, and begin nothing of its deployment.

    A message in the middle of an attempt is left alone: control sends again what is not heard of.
    """
    order = raw.get("order") if isinstance(raw, dict) else None
    ids = [order.get(name) for name in ("deploymentId", "targetId", "attempt")] if isinstance(order, dict) else []
    if not ids or not all(isinstance(each, str) for each in ids) or world.journal.knows(str(ids[2])):
        return
    deployment_id, target_id, attempt = map(str, ids)
    world.stopped[deployment_id].set()
    world.refused[attempt].set()
    outcome = _failed(event, world.now(), HostError(reasons.ORDER_UNREADABLE))
    world.tell(
        EventFinished(
            deployment_id=deployment_id, target_id=target_id, attempt=attempt, outcome=outcome, interrupted=True
        )
    )


def report_interrupted(world: HostWorld) -> int:
    """Tell of every event that an earlier run of the agent left half done, and close it as failed; how many there were.

    Its script may run still, where the agent alone died: it is ended first, for whoever is told may deploy at once.
    An attempt between two events is told of as well, for its next message may have been lost with the process, and one
    that was over lately: the word that its last event ended may have been lost, and nobody would ask for it again.
    """
    left = world.journal.left(since=world.now() - TELL_AGAIN)
    return sum(_report_interrupted(world, attempt) for attempt in left)


def _report_interrupted(world: HostWorld, attempt: OpenAttempt) -> bool:
    # All that is known, and before what was cut short: that ends the attempt for control, which takes for skipped what
    # it was not told of by then. What it heard before changes nothing.
    for outcome in attempt.outcomes.values():
        world.tell(_finished(attempt.order, outcome))
    if attempt.running is None:
        return False
    begun_at = attempt.begun_at or world.now()
    why = reasons.AGENT_RESTARTED if _end_script(world, attempt) else reasons.AGENT_RESTARTED + reasons.SCRIPT_STAYS
    outcome = _failed(attempt.running, begun_at, HostError(why), world.now())
    outcome = _with_disk(world, attempt.order, outcome, cut_off=True)
    _keep(world, attempt, outcome)
    world.tell(_finished(attempt.order, outcome, interrupted=True))
    return True


def _end_script(world: HostWorld, attempt: OpenAttempt) -> bool:
    if attempt.script is None:
        return True
    try:
        return world.end_script(attempt.script)
    except Exception:
        logger.exception(
            "the script that %s of attempt %s left cannot be ended", attempt.running, attempt.order.attempt
        )
        return False


_WORK: dict[Event, Callable[[HostWorld, Event, OpenAttempt], Diagnostics | None]] = {
    Event.DOWNLOAD_BUNDLE: _download,
    Event.INSTALL: _install,
}
