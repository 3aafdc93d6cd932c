"""Work that takes long, run by threads of this process: each piece by one process at a time, whoever holds its lease.

A lease is renewed while the work runs. Work whose lease is lost, or that nobody wants any more, is told to stop.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from domain.errors import WorldError

logger = logging.getLogger(__name__)

LOOKS = 10
"""How often in its time a lease is renewed."""

Claim = Callable[[str, float], bool]


@dataclass(slots=True)
class Lease:
    """What a piece of work holds: `stop` tells it to end, and once `lost` nothing it does counts."""

    stop: threading.Event = field(default_factory=threading.Event)
    lost: bool = False


class Errands:
    """`claim` takes or keeps a lease, as the store's does; after `lease_seconds` it is another's if its holder died."""

    def __init__(self, claim: Claim, *, lease_seconds: float) -> None:
        self._claim = claim
        self._seconds = lease_seconds
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def start(self, name: str, work: Callable[[Lease], None], *, wanted: Callable[[], bool]) -> None:
        """Have it run, unless it runs already, here or elsewhere. Raises WorldError where that cannot be told."""
        with self._lock:
            if name in self._running or not self._claim(_lease(name), self._seconds):
                return
            self._running.add(name)
        threading.Thread(target=self._run, args=(name, work, wanted), name=f"errand-{name}", daemon=True).start()

    def _run(self, name: str, work: Callable[[Lease], None], wanted: Callable[[], bool]) -> None:
        lease, over = Lease(), threading.Event()
        watch = threading.Thread(target=self._watch, args=(name, lease, over, wanted), daemon=True)
        watch.start()
        try:
            work(lease)
        except Exception:
            # Whoever asks next has it run again, here or elsewhere.
            logger.exception("the work on the environment of %s broke off", name)
        finally:
            over.set()
            watch.join()
            self._end(name, lease)

    def _end(self, name: str, lease: Lease) -> None:
        with self._lock:
            self._running.discard(name)
            if not lease.lost:
                try:
                    self._claim(_lease(name), 0.0)
                except WorldError:
                    logger.warning("the lease on the environment of %s ends by itself", name)

    def _watch(self, name: str, lease: Lease, over: threading.Event, wanted: Callable[[], bool]) -> None:
        kept = time.monotonic()
        while not over.wait(self._seconds / LOOKS):
            try:
                lease.lost = not self._claim(_lease(name), self._seconds)
                kept = time.monotonic()
                gone = lease.lost or not wanted()
            except WorldError:
                # Another may take a lease that could not be renewed.
                gone = lease.lost = time.monotonic() - kept > self._seconds
            if gone:
                lease.stop.set()
            if lease.lost:
                return


def _lease(name: str) -> str:
    # Not that of the task which has it run: that one is given back at each step.
    return f"errand:{name}"
