"""Which alarms a deployment watches, and what a look at them means: go on, wait, or end it.

Source: AWS CodeDeploy API reference, `AlarmConfiguration`. How long an alarm may be unreadable is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain import reasons
from domain.alarms import AlarmReading, AlarmRecord, AlarmState
from domain.api_errors import AlarmsLimitExceeded, InvalidAlarmConfig
from domain.deployments import Deployment, DeploymentErrorCode, DeploymentStatus, ErrorInformation, PhaseKind
from domain.group_options import AlarmConfiguration
from domain.limits import Limits, Quotas
from domain.moves import Change
from domain.values import Instant

LONGEST_NAME = 255
ROLLBACK = "codeDeployRollback"
USEFUL_INTERVALS = 3
"""Of the looks at a deployment's alarms. With one, a queue that is as long would have no look taken at all."""
SHOWN = 3
"""Alarms whose trouble is told in the reason of a deployment."""
_UNWATCHED = reasons.ALARMS_UNWATCHED.partition("{")[0]
_NO_WAY_BACK = frozenset({PhaseKind.RETIRE, PhaseKind.ABANDON})


def check_alarms(alarms: AlarmConfiguration | None, quotas: Quotas) -> None:
    """Raises InvalidAlarmConfig or AlarmsLimitExceeded."""
    if alarms is None:
        return
    names = [alarm.name or "" for alarm in alarms.alarms or ()]
    if len(names) > quotas.alarms_per_group:
        raise AlarmsLimitExceeded(f"At most {quotas.alarms_per_group} alarms are allowed.")
    if alarms.enabled and not names:
        raise InvalidAlarmConfig("Alarms are enabled, but none is named.")
    if not all(1 <= len(name) <= LONGEST_NAME for name in names) or len(set(names)) < len(names):
        raise InvalidAlarmConfig(f"Each alarm needs a name of its own of at most {LONGEST_NAME} characters.")


def watched(
    override: AlarmConfiguration | None, groups: AlarmConfiguration | None, *, creator: str = "user"
) -> AlarmConfiguration | None:
    """The alarms that a new deployment watches: its own in place of its group's. None where they are not enabled, and
    for a rollback: what it mends may be the very reason of the alarm."""
    chosen = groups if override is None else override
    return chosen if chosen is not None and chosen.enabled and chosen.alarms and creator != ROLLBACK else None


def names_of(deployment: Deployment) -> tuple[str, ...]:
    """The alarms that a deployment watches."""
    config = deployment.alarm_configuration
    return tuple(alarm.name for alarm in (config.alarms if config else None) or () if alarm.name)


def is_watching(deployment: Deployment) -> bool:
    """Whether its alarms could still stop a deployment that is under way."""
    if deployment.alarm_configuration is None or deployment.stopping or not _begun(deployment):
        return False
    phase = deployment.under_way
    return not deployment.status.final and not (phase and phase.kind in _NO_WAY_BACK)


def _begun(deployment: Deployment) -> bool:
    return deployment.status not in {DeploymentStatus.CREATED, DeploymentStatus.QUEUED}


def good_for(limits: Limits) -> float:
    """Seconds for which a look that was asked for is still worth taking, and what one found worth knowing."""
    return USEFUL_INTERVALS * limits.alarm_seconds


def kept(present: Deployment, readings: Mapping[str, AlarmReading], *, now: Instant) -> Change | None:
    """The deployment that keeps what was found for its beginning; None where it has begun meanwhile, or has ended."""
    if present.status.final or _begun(present):
        return None
    record = present.alarm_record or AlarmRecord()
    update = {"alarm_record": record.model_copy(update={"readings": readings, "read_at": now})}
    return Change(present.model_copy(update=update))


def being_read(present: Deployment) -> Change | None:
    """The deployment that says that it waits for its alarms to be read; None where it says what it waits for already,
    has begun or has ended."""
    if present.status.final or _begun(present) or present.alarms_awaited:
        return None
    return Change(present.model_copy(update={"alarms_awaited": reasons.ALARMS_BEING_READ, "put_off_by": ""}))


def awaited(deployment: Deployment) -> str:
    """Why the alarms of a deployment that waits for them to begin are not known yet; empty where it does not wait."""
    return "" if deployment.status.final or _begun(deployment) else deployment.alarms_awaited


def readings_kept(deployment: Deployment, *, now: Instant, limits: Limits) -> Mapping[str, AlarmReading] | None:
    """What was found for its beginning, if that is of use yet."""
    record = deployment.alarm_record
    if record is None or record.read_at is None or now - record.read_at > good_for(limits):
        return None
    return record.readings


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a deployment's alarms comes to."""

    record: AlarmRecord
    """What is to be remembered of it."""
    messages: tuple[str, ...] = ()
    """What a person should know beside the reason for a stop."""
    why: ErrorInformation | None = None
    """Why the deployment is to end; None: it may go on."""
    unsettled: str = ""
    """What is not known yet: one that has not begun waits for it, one under way goes on."""


def look(deployment: Deployment, readings: Mapping[str, AlarmReading], *, now: Instant, limits: Limits) -> Look:
    """What the readings mean for a deployment.

    An alarm in ALARM ends it as ALARM_ACTIVE, once enough looks in a row have found it so. One that cannot be read does
    too, unless ignorePollAlarmFailure is set, but only after `alarm_patience_seconds`; before the deployment has begun
    at once, if asking again would not help.
    """
    record = _remembered(deployment.alarm_record or AlarmRecord(), readings, now, limits)
    firing = [name for name, reading in readings.items() if reading.state is AlarmState.ALARM]
    active = [name for name in firing if record.failing[name] >= readings[name].in_a_row]
    if active:
        text = reasons.ALARM_ACTIVE.format(alarms=" ".join(f"<{_shown(name)}>" for name in active))
        details = tuple(
            reasons.ALARM_DETAIL.format(name=_shown(name), detail=detail)
            for name in active[:SHOWN]
            if (detail := readings[name].detail)
        )
        return Look(record, details, _stop(text))
    config = deployment.alarm_configuration
    ignored = bool(config and config.ignore_poll_alarm_failure)
    given_up = _given_up(deployment, readings, record, now, limits)
    if given_up and not ignored:
        return Look(record, (), _stop(reasons.ALARMS_UNREADABLE.format(why=_trouble(given_up, readings))))
    unread = () if ignored else tuple(record.unread_since)
    messages = (reasons.ALARMS_UNWATCHED.format(why=_trouble(given_up, readings)),) if given_up else ()
    return Look(record, messages, unsettled=_trouble((*firing, *unread), readings))


def _stop(text: str) -> ErrorInformation:
    return ErrorInformation(code=DeploymentErrorCode.ALARM_ACTIVE, message=text)


def _remembered(before: AlarmRecord, readings: Mapping[str, AlarmReading], now: Instant, limits: Limits) -> AlarmRecord:
    firing = [name for name, reading in readings.items() if reading.state is AlarmState.ALARM]
    unread = [name for name, reading in readings.items() if reading.state is None]
    # Looks that come together, as after a wait of their messages, are one: a row is a row in time.
    apart = before.counted_at is None or now - before.counted_at >= limits.alarm_seconds / 2
    kept = {name: before.failing[name] for name in unread if name in before.failing}
    failing = kept | {name: max(1, before.failing.get(name, 0) + apart) for name in firing}
    return AlarmRecord(
        failing=failing,
        counted_at=(now if apart and firing else before.counted_at) if failing else None,
        unread_since={name: before.unread_since.get(name, now) for name in unread},
    )


def _given_up(
    deployment: Deployment,
    readings: Mapping[str, AlarmReading],
    record: AlarmRecord,
    now: Instant,
    limits: Limits,
) -> tuple[str, ...]:
    begun = _begun(deployment)
    return tuple(
        name
        for name, since in record.unread_since.items()
        if now - since >= limits.alarm_patience_seconds or (not begun and readings[name].lasting)
    )


def _trouble(names: tuple[str, ...], readings: Mapping[str, AlarmReading]) -> str:
    """What is the matter with alarms, in sentences. Names stand in quotes: in angle brackets, they would be active."""
    told = [f"'{_shown(name)}': {readings[name].detail.rstrip('.') or 'it is in ALARM'}." for name in names[:SHOWN]]
    left = len(names) - SHOWN
    return " ".join(told) + (f" And {left} more." if left > 0 else "")


def _shown(name: str) -> str:
    """A name as it can stand in a line of text, whatever it holds."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in name)


def noted(present: Deployment, before: AlarmRecord | None, found: Look) -> Change | None:
    """The deployment that remembers a look at its alarms; None where there is nothing to remember, or where another
    look was noted since the one `before` it."""
    messages = tuple(text for text in found.messages if not _is_told(text, present.status_messages))
    record = None if found.record == AlarmRecord() else found.record
    awaits = "" if _begun(present) else found.unsettled
    nothing = record == before and not messages and awaits == present.alarms_awaited and not present.put_off_by
    if present.status.final or present.alarm_record != before or nothing:
        return None
    told = (*present.status_messages, *messages)
    update = {"alarm_record": record, "status_messages": told, "alarms_awaited": awaits, "put_off_by": ""}
    return Change(present.model_copy(update=update))


def _is_told(text: str, told: tuple[str, ...]) -> bool:
    return text in told or (text.startswith(_UNWATCHED) and any(each.startswith(_UNWATCHED) for each in told))
