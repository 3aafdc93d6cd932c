"""The journal of attempts: which event of which attempt was begun and how it ended, so that no hook runs twice on a
host, whatever is delivered again. One file of JSON lines per attempt; a half-written last line is dropped.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.host.layout import safe_name
from domain.errors import HostError
from domain.hooks import Trace
from domain.lifecycle import Event
from domain.reports import HostOrder, Outcome


@dataclass(slots=True)
class Attempt:
    """What the journal says of one attempt."""

    order: HostOrder
    path: Path
    outcomes: dict[Event, Outcome] = field(default_factory=dict)
    running: Event | None = None
    """Begun without an end on record."""
    begun_at: float | None = None
    script: Trace | None = None
    """Of what runs, the script that was started last."""
    closed: bool = False
    """Its last event has ended; nothing more is expected."""


class Attempts:
    """All attempts this agent knows of; safe for threads of one process. One agent owns the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Attempt] = {}
        self._lock = threading.Lock()

    def knows(self, attempt: str) -> bool:
        """Whether there is an attempt of this name."""
        try:
            return attempt in self._known or self._path(attempt).exists()
        except HostError:
            return False

    def open(self, order: HostOrder) -> Attempt | None:
        """The attempt of the order; a full order is kept, a brief one must be known already (None if it is not)."""
        with self._lock:
            attempt = self._known.get(order.attempt) or self._load(self._path(order.attempt))
            if attempt is None and not order.whole:
                return None
            if attempt is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                attempt = Attempt(order=order, path=self._path(order.attempt))
            if order.whole:
                attempt.order = order
                self._append(attempt, {"order": order.model_dump(mode="json", exclude_defaults=True)})
            self._known[order.attempt] = attempt
            return attempt

    def begin(self, attempt: Attempt, event: Event, *, at: float) -> Outcome | bool:
        """True if the event may run now; its outcome if it ran before; False while it runs."""
        with self._lock:
            if event in attempt.outcomes:
                return attempt.outcomes[event]
            if attempt.running is not None:
                return False
            self._append(attempt, {"begun": event, "at": at})
            attempt.running, attempt.begun_at, attempt.script = event, at, None
            return True

    def note_script(self, attempt: Attempt, trace: Trace) -> None:
        """Record what the script that starts for the running event is known by."""
        with self._lock:
            self._append(attempt, {"script": trace.model_dump(exclude_defaults=True)})
            attempt.script = trace

    def end(self, attempt: Attempt, outcome: Outcome) -> None:
        """Record how an event ended; the attempt is closed with its final event, and from then on only on disk."""
        with self._lock:
            # What cannot be written is true all the same, for as long as this process lives.
            _apply_end(attempt, outcome)
            self._append(attempt, {"ended": outcome.model_dump(mode="json", exclude_defaults=True)})
            if attempt.closed:
                self._known.pop(attempt.order.attempt, None)

    def left(self, *, since: float) -> Iterator[Attempt]:
        """What a starting agent finds on disk: attempts that are not closed, and those that were written to after
        `since` (epoch seconds)."""
        for path in sorted(self._folder.glob("*.jsonl")):
            with self._lock:
                written_at = path.stat().st_mtime
                attempt = self._known.get(path.stem) or self._load(path)
                if attempt is None or (attempt.closed and written_at <= since):
                    continue
                if not attempt.closed:
                    self._known[path.stem] = attempt
            yield attempt

    def forget(self, *, before: float) -> None:
        """Drop journals that nothing was written to since `before` (epoch seconds), unless their event still runs."""
        for path in self._folder.glob("*.jsonl"):
            with self._lock:
                known = self._known.get(path.stem)
                if path.stat().st_mtime < before and (known is None or known.running is None):
                    path.unlink(missing_ok=True)
                    self._known.pop(path.stem, None)

    def _path(self, attempt: str) -> Path:
        return self._folder / f"{safe_name(attempt)}.jsonl"

    def _append(self, attempt: Attempt, line: dict[str, object]) -> None:
        # The order's link is a secret for as long as it is valid, so the file is for the agent alone.
        journal = os.open(attempt.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(journal, (json.dumps(line) + "\n").encode())
        finally:
            os.close(journal)

    def _load(self, path: Path) -> Attempt | None:
        try:
            whole, _, half_written = path.read_bytes().rpartition(b"\n")
        except FileNotFoundError:
            return None
        if half_written:
            os.truncate(path, len(whole) + 1 if whole else 0)
        attempt: Attempt | None = None
        for line in filter(None, whole.split(b"\n")):
            # What a failing disk made of a line is worth less than the rest of the journal.
            with suppress(ValueError, KeyError, TypeError):
                attempt = _read_on(attempt, path, json.loads(line))
        return attempt


def _read_on(attempt: Attempt | None, path: Path, line: dict[str, Any]) -> Attempt | None:
    """The attempt after one more line of its journal."""
    if "order" in line:
        order = HostOrder.model_validate(line["order"])
        attempt = attempt or Attempt(order=order, path=path)
        attempt.order = order
    elif attempt and "begun" in line:
        attempt.running, attempt.begun_at, attempt.script = Event(line["begun"]), float(line["at"]), None
    elif attempt and attempt.running and "script" in line:
        attempt.script = Trace.model_validate(line["script"])
    elif attempt and "ended" in line:
        _apply_end(attempt, Outcome.model_validate(line["ended"]))
    return attempt


def _apply_end(attempt: Attempt, outcome: Outcome) -> None:
    attempt.outcomes[outcome.event] = outcome
    if attempt.running == outcome.event:
        attempt.running = attempt.begun_at = attempt.script = None
    attempt.closed = outcome.event == attempt.order.final_event
