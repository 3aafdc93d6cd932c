"""What a process knows of AWS's names: the ARN behind each, for a short while. AWS limits how often it is asked, and a
host on its way is looked at many times."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

SECONDS = 30.0
MOST = 1000


class KnownArns:
    """ARNs by name, the latest `most` of them."""

    def __init__(
        self, *, seconds: float = SECONDS, most: int = MOST, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._most, self._now = seconds, most, now
        self._known: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> str | None:
        """The ARN behind a name, if it was told a short while ago."""
        with self._lock:
            arn, until = self._known.get(name, ("", 0.0))
            return arn if arn and self._now() < until else None

    def keep(self, name: str, arn: str) -> str:
        """The ARN was just told."""
        with self._lock:
            self._known.pop(name, None)
            self._known[name] = arn, self._now() + self._seconds
            while len(self._known) > self._most:
                del self._known[next(iter(self._known))]
        return arn

    def forget(self, name: str) -> None:
        """Something went wrong: there may be another of that name, or none."""
        with self._lock:
            self._known.pop(name, None)
