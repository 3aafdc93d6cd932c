"""Alarms that stop deployments: what is read of one, and what a deployment remembers from one look to the next.

Source: Amazon CloudWatch API reference, `StateValue`, for the states; the rest is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from domain.values import Instant, Value


class AlarmState(StrEnum):
    """What an alarm says. Only ALARM stops a deployment."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class AlarmReading(Value):
    """What one look at an alarm found."""

    kind: str
    """Where the alarm is: cloudwatch, or the kind that the settings say."""
    state: AlarmState | None = None
    """None where it cannot be read."""
    detail: str = ""
    """For a person: why it is in that state, or why it cannot be read."""
    in_a_row: int = 1
    """So many looks must find it in ALARM, one after the other, before it counts as active."""
    lasting: bool = False
    """It cannot be read, and asking again would not help: somebody has to mend something."""

    @property
    def outcome(self) -> str:
        """The state in one word, for counting."""
        return self.state.value.lower() if self.state else "unreadable"


class AlarmRecord(Value):
    """What a deployment remembers of the looks at its alarms, all of it by their names; nothing while all is well."""

    failing: Mapping[str, int] = {}
    """How many looks in a row found an alarm in ALARM that needs several."""
    counted_at: Instant | None = None
    """When that was counted last: looks that come together count as one."""
    unread_since: Mapping[str, Instant] = {}
    """Since when an alarm could not be read."""
    readings: Mapping[str, AlarmReading] = {}
    """What was found for the beginning, after whoever was to begin had gone on to other work."""
    read_at: Instant | None = None
    """When that was."""
