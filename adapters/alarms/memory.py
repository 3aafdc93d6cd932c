"""Alarms held in memory: the double that passes the same contract as the real ones, and says what it was asked.

A test says what the world does: that an alarm fires, that it is gone, that nobody answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from adapters.alarms.readings import unreadable
from domain.alarms import AlarmReading, AlarmState
from domain.errors import AlarmMissing, WorldError


class MemoryAlarm:
    """One alarm, as one of the settings; OK from the start."""

    kind = "memory"

    def __init__(self, *, in_a_row: int = 1) -> None:
        self._lock = threading.Lock()
        self._in_a_row = in_a_row
        self._state, self._detail, self._away = AlarmState.OK, "", ""
        self._gone = False
        self._looks = 0

    def read(self) -> AlarmReading:
        """Its state; raises WorldError while it is away, AlarmMissing once it is gone."""
        with self._lock:
            self._looks += 1
            if self._gone:
                raise AlarmMissing("The alarm is gone.")
            if self._away:
                raise WorldError(self._away)
            return AlarmReading(kind=self.kind, state=self._state, detail=self._detail, in_a_row=self._in_a_row)

    def set(self, state: AlarmState, detail: str = "") -> None:
        """It is in this state from now on."""
        with self._lock:
            self._state, self._detail = state, detail

    def go_away(self, why: str = "the source of the alarm does not answer") -> None:
        """It does not answer from now on."""
        with self._lock:
            self._away = why

    def come_back(self) -> None:
        """It answers again."""
        with self._lock:
            self._away = ""

    def vanish(self) -> None:
        """It is no more."""
        with self._lock:
            self._gone = True

    @property
    def looks(self) -> int:
        """How often it was read."""
        with self._lock:
            return self._looks


class MemoryAlarms:
    """Alarms by name."""

    def __init__(self, alarms: Mapping[str, MemoryAlarm] | None = None) -> None:
        self.alarms = dict(alarms or {})

    def read(self, names: Sequence[str]) -> Mapping[str, AlarmReading]:
        """Each by itself."""
        return {name: self._read(name) for name in names}

    def ask(self, names: Sequence[str], tell: Callable[[Mapping[str, AlarmReading]], None]) -> None:
        """Told at once."""
        tell(self.read(names))

    def _read(self, name: str) -> AlarmReading:
        try:
            if name not in self.alarms:
                raise AlarmMissing(f"There is no alarm {name!r}.")
            return self.alarms[name].read()
        except (WorldError, AlarmMissing) as error:
            return unreadable(MemoryAlarm.kind, error)
