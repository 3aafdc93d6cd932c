"""Which alarm a name leads to: to one of the settings, and to CloudWatch otherwise. Those of the settings are read side
by side, so that one that is slow to answer does not add to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from adapters.alarms.cloudwatch import KIND
from adapters.alarms.readings import unreadable
from adapters.load_balancers.naming import shown
from domain.alarms import AlarmReading
from domain.errors import AlarmMissing, CannotBegin, WorldError
from domain.ports import Alarms, AlarmSource

SIDE_BY_SIDE = 16


class ChosenAlarms:
    """`local`: alarms of the settings by name. `cloudwatch` knows all others; None with AWS off."""

    def __init__(self, local: Mapping[str, AlarmSource], *, cloudwatch: Alarms | None = None) -> None:
        self._local, self._cloudwatch = dict(local), cloudwatch

    def read(self, names: Sequence[str]) -> Mapping[str, AlarmReading]:
        """Each alarm of the settings by itself, CloudWatch's together."""
        here = [name for name in names if name in self._local]
        elsewhere = [name for name in names if name not in self._local]
        return {**self._read_local(here), **self._read_elsewhere(elsewhere)}

    def _read_local(self, names: Sequence[str]) -> Mapping[str, AlarmReading]:
        if len(names) < 2:
            return {name: _read(self._local[name]) for name in names}
        with ThreadPoolExecutor(min(SIDE_BY_SIDE, len(names)), "alarms") as pool:
            return dict(zip(names, pool.map(_read, (self._local[name] for name in names)), strict=True))

    def _read_elsewhere(self, names: Sequence[str]) -> Mapping[str, AlarmReading]:
        if self._cloudwatch is not None:
            return self._cloudwatch.read(names)
        return {name: unreadable(KIND, _nowhere(name)) for name in names}


def _read(source: AlarmSource) -> AlarmReading:
    try:
        return source.read()
    except (WorldError, CannotBegin) as error:
        return unreadable(source.kind, error)


def _nowhere(name: str) -> AlarmMissing:
    return AlarmMissing(
        f"Nothing says which alarm {shown(name)} is: give the name an entry in the setting alarms, or turn AWS on with "
        "SLIPWAY_AWS__ENABLED=true."
    )
