"""What a failed look at an alarm comes to."""

from __future__ import annotations

from adapters.exchange import CaFileUnusable
from domain.alarms import AlarmReading
from domain.errors import CannotBegin, WorldError


def unreadable(kind: str, error: WorldError | CannotBegin) -> AlarmReading:
    """The reading of an alarm that cannot be read."""
    return AlarmReading(kind=kind, detail=error.message, lasting=isinstance(error, CannotBegin | CaFileUnusable))


def internal(kind: str) -> AlarmReading:
    """The reading of an alarm whose look met a bug, which the log has."""
    return AlarmReading(kind=kind, detail="an internal error; the log has it")
