"""What a failed look at an alarm comes to."""

from __future__ import annotations

from domain.alarms import AlarmReading
from domain.errors import CannotBegin, WorldError


def unreadable(kind: str, error: WorldError | CannotBegin) -> AlarmReading:
    """The reading of an alarm that cannot be read."""
    return AlarmReading(kind=kind, detail=error.message, lasting=isinstance(error, CannotBegin))
