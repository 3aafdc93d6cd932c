"""Which alarm a name leads to: to one of the settings, and to CloudWatch otherwise. Each is read in a thread of its
own, so that one that is slow to answer holds up no other, and by one at a time, however many deployments watch it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from adapters.alarms.cloudwatch import KIND
from adapters.alarms.readings import internal, unreadable
from adapters.alarms.together import Together
from adapters.load_balancers.naming import shown
from domain.alarms import AlarmReading
from domain.errors import AlarmMissing, CannotBegin, WorldError
from domain.ports import AlarmService, AlarmSource

logger = logging.getLogger(__name__)

Readings = Mapping[str, AlarmReading]

SIDE_BY_SIDE = 64
"""Alarms of the settings that are read at the same time."""
CALLS = 4
"""To CloudWatch at the same time."""


class ChosenAlarms:
    """`local`: alarms of the settings by name. `cloudwatch` knows all others; None with AWS off."""

    def __init__(self, local: Mapping[str, AlarmSource], *, cloudwatch: AlarmService | None = None) -> None:
        self._local, self._cloudwatch = dict(local), cloudwatch
        self._looks = Together[Readings](SIDE_BY_SIDE, "alarms")
        # Of their own: deployments may watch any number of names there, and all hang where it does.
        self._calls = Together[Readings](CALLS, "alarms of CloudWatch")

    def ask(self, names: Sequence[str], tell: Callable[[Readings], None]) -> None:
        """Each alarm of the settings by itself, CloudWatch's together."""
        here = list(dict.fromkeys(name for name in names if name in self._local))
        elsewhere = tuple(dict.fromkeys(name for name in names if name not in self._local))
        gathering = _Gathering(names, len(here) + bool(elsewhere), tell)
        for name in here:
            self._looks.ask(name, lambda name=name: {name: _read(self._local[name])}, gathering.add)  # type: ignore[misc]
        if elsewhere:
            self._calls.ask(elsewhere, lambda: self._read_elsewhere(elsewhere), gathering.add)

    def read(self, names: Sequence[str]) -> Readings:
        """What `ask` tells, waited for."""
        found: dict[str, AlarmReading] = {}
        told = threading.Event()

        def tell(readings: Readings) -> None:
            found.update(readings)
            told.set()

        self.ask(names, tell)
        told.wait()
        return found

    def _read_elsewhere(self, names: Sequence[str]) -> Readings:
        if self._cloudwatch is None:
            return {name: unreadable(KIND, _nowhere(name)) for name in names}
        try:
            found = self._cloudwatch.read(names)
            return {name: found[name] for name in names}
        except Exception:
            logger.exception("the alarms of CloudWatch cannot be read")
            return dict.fromkeys(names, internal(KIND))


class _Gathering:
    """What was found so far of what one question asked for; told once it is all there."""

    def __init__(self, names: Sequence[str], parts: int, tell: Callable[[Readings], None]) -> None:
        self._lock = threading.Lock()
        self._names, self._left, self._tell = names, parts, tell
        self._found: dict[str, AlarmReading] = {}
        if not parts:
            tell({})

    def add(self, readings: Readings) -> None:
        with self._lock:
            self._found |= readings
            self._left -= 1
            whole = not self._left
        if whole:
            # In the order of the question, whichever was found first: people are told of the first ones.
            self._tell({name: self._found[name] for name in self._names})


def _read(source: AlarmSource) -> AlarmReading:
    try:
        return source.read()
    except (WorldError, CannotBegin) as error:
        return unreadable(source.kind, error)
    except Exception:
        # A bug in one must not keep the others from being read.
        logger.exception("an alarm of the kind %s cannot be read", source.kind)
        return internal(source.kind)


def _nowhere(name: str) -> AlarmMissing:
    return AlarmMissing(
        f"Nothing says which alarm {shown(name)} is: give the name an entry in the setting alarms, or turn AWS on with "
        "SLIPWAY_AWS__ENABLED=true."
    )
