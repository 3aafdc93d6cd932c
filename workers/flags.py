"""Flags by name, made when they are first asked for: which deployments an agent is to stop. Keeps the latest only."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

MOST = 1000
"""Flags kept; an agent works on a handful of deployments at a time."""


class Flags(Mapping[str, threading.Event]):
    """One flag a name, the same for every thread."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._flags: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> threading.Event:
        with self._lock:
            # Asked for last, it is dropped last.
            flag = self._flags.pop(name, None) or threading.Event()
            self._flags[name] = flag
            while len(self._flags) > self._most:
                del self._flags[next(iter(self._flags))]
            return flag

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(list(self._flags))

    def __len__(self) -> int:
        return len(self._flags)
