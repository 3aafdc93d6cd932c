"""Values as the Redis store keeps them: documents as JSON, a target's record as a hash of short texts.

A hash whose texts are at most 64 bytes long takes Redis a third of the room, hence the packing. Members that the
packing does not know are kept as JSON beside it, so that none is ever lost. Knows no client.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from domain.deployments import EventRecord, TargetRecord
from domain.fleet import Target
from domain.lifecycle import Event
from domain.reports import Outcome

_ID = "\0"
"""Stands for the target's id in its ARN."""
_PACKED = {"index", "status", "attempt", "lane", "last_updated_at", "interrupted"}
_PACKED_TARGET = {"target_id", "arn", "queue", "zone"}
_PACKED_EVENT = {"status", "start_time", "end_time"}
_EVENTS = frozenset(event.value for event in Event)


def compact(value: object) -> str:
    """JSON without spaces, other alphabets as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def instant(at: float | None) -> str:
    """A moment as text that reads back as the very same number; empty for None."""
    return "" if at is None else repr(float(at))


def encode_record(record: TargetRecord) -> dict[str, str]:
    """The hash of a target's record, without what the store adds for itself (`version`, `phase`)."""
    fields = {
        "index": str(record.index),
        "status": record.status.value,
        "attempt": record.attempt,
        "lane": None if record.lane is None else str(record.lane),
        "updated": instant(record.last_updated_at) or None,
        "interrupted": "1" if record.interrupted else None,
        **_encode_target(record.target),
        "+": _rest(record, _PACKED | {"target", "events"}),
    }
    for event, held in record.events.items():
        fields[event.value], fields[f"!{event.value}"] = encode_event(held)
    return {name: text for name, text in fields.items() if text is not None}


def _encode_target(target: Target) -> dict[str, str | None]:
    abridged = _ID not in target.arn and bool(target.target_id)
    return {
        "arn": target.arn.replace(target.target_id, _ID) if abridged else None,
        "ARN": None if abridged else target.arn,
        "queue": None if target.queue == f"host.{target.target_id}" else target.queue,
        "zone": target.zone,
        "target+": _rest(target, _PACKED_TARGET),
    }


def encode_event(held: EventRecord) -> tuple[str, str | None]:
    """An event's status and times, packed, and whatever else is known of it as JSON."""
    packed = f"{held.status.value}|{instant(held.start_time)}|{instant(held.end_time)}"
    return packed, _rest(held, _PACKED_EVENT)


def _rest(value: EventRecord | TargetRecord | Target, packed: set[str]) -> str | None:
    if value.model_fields_set <= packed:
        return None
    rest = value.model_dump(mode="json", exclude=packed, exclude_defaults=True)
    return compact(rest) if rest else None


def decode_record(target_id: str, fields: Mapping[str, str]) -> TargetRecord:
    """The record that `encode_record` packed."""
    return TargetRecord.model_validate(
        {
            "target": _decode_target(target_id, fields),
            "index": int(fields["index"]),
            "status": fields["status"],
            "attempt": fields.get("attempt"),
            "lane": int(fields["lane"]) if "lane" in fields else None,
            "last_updated_at": _moment(fields.get("updated", "")),
            "interrupted": "interrupted" in fields,
            "events": {name: _decode_event(name, fields) for name in fields if name in _EVENTS},
            **_json(fields.get("+")),
        }
    )


def _decode_target(target_id: str, fields: Mapping[str, str]) -> dict[str, Any]:
    arn = fields["ARN"] if "ARN" in fields else fields["arn"].replace(_ID, target_id)
    queue = fields.get("queue", f"host.{target_id}")
    rest = _json(fields.get("target+"))
    return {"target_id": target_id, "arn": arn, "queue": queue, "zone": fields.get("zone"), **rest}


def _decode_event(name: str, fields: Mapping[str, str]) -> dict[str, Any]:
    status, start, end = fields[name].split("|")
    return {
        "status": status,
        "start_time": _moment(start),
        "end_time": _moment(end),
        **_json(fields.get(f"!{name}")),
    }


def _moment(text: str) -> float | None:
    return float(text) if text else None


def _json(text: str | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def event_of(outcome: Outcome) -> EventRecord:
    """What is kept of an outcome."""
    return EventRecord(
        status=outcome.status,
        start_time=outcome.start_time,
        end_time=outcome.end_time,
        diagnostics=outcome.diagnostics,
        forgiven=outcome.forgiven,
    )


def pairs(flat: list[str]) -> dict[str, str]:
    """A hash as scripts give it: names and texts in turn."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
