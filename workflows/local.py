"""Which lifecycle events `slipway local` runs.

Source: AWS CodeDeploy user guide, "Use the CodeDeploy agent to validate a deployment package on a local machine".
"""

from __future__ import annotations

from domain.errors import CallerError
from domain.lifecycle import TABLE, Event, Runner

HOST_EVENTS: tuple[Event, ...] = tuple(row.event for row in TABLE if row.runner is Runner.HOST)
BEFORE_DOWNLOAD: frozenset[Event] = frozenset(HOST_EVENTS[: HOST_EVENTS.index(Event.DOWNLOAD_BUNDLE)])
"""Events of the last successful revision: they may come before the bundle does."""


class InvalidEventList(CallerError):
    """The events cannot be run in this order."""


def local_events(wanted: str | None) -> tuple[Event, ...]:
    """The events of a comma-separated list, or all that hosts run; DownloadBundle and Install are put where they are
    missing. Raises InvalidEventList for unknown names and orders that cannot work."""
    if wanted is None:
        return HOST_EVENTS
    named = [_event(name.strip()) for name in wanted.split(",") if name.strip()]
    if not named:
        raise InvalidEventList(f"no events given; choose from {', '.join(HOST_EVENTS)}")
    if len(set(named)) < len(named):
        raise InvalidEventList("an event is named twice; each runs once")
    events = _with_download(named)
    _check_order(events)
    return events


def _event(name: str) -> Event:
    if name not in HOST_EVENTS:
        raise InvalidEventList(f"{name!r} is not an event that hosts run; choose from {', '.join(HOST_EVENTS)}")
    return Event(name)


def _with_download(named: list[Event]) -> tuple[Event, ...]:
    events = list(named)
    if Event.DOWNLOAD_BUNDLE not in events:
        leading = next((at for at, event in enumerate(events) if event not in BEFORE_DOWNLOAD), len(events))
        events.insert(leading, Event.DOWNLOAD_BUNDLE)
    if Event.INSTALL not in events:
        at = events.index(Event.DOWNLOAD_BUNDLE) + 1
        while at < len(events) and events[at] is Event.BEFORE_INSTALL:
            at += 1
        events.insert(at, Event.INSTALL)
    return tuple(events)


def _check_order(events: tuple[Event, ...]) -> None:
    download, install = events.index(Event.DOWNLOAD_BUNDLE), events.index(Event.INSTALL)
    early = [event for event in events[:download] if event not in BEFORE_DOWNLOAD]
    if early:
        raise InvalidEventList(f"{early[0]} needs the bundle: put DownloadBundle before it")
    between = [
        event for event in events[download + 1 : install] if event not in {Event.BEFORE_INSTALL, *BEFORE_DOWNLOAD}
    ]
    if install < download or between:
        raise InvalidEventList(
            f"{(between or [Event.DOWNLOAD_BUNDLE])[0]} must come after Install and Install after DownloadBundle"
        )
