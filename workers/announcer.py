"""Tells the outside, beside everything else that a control process does: a thread for each channel, so that one that is
slow or away holds up nobody, and one that looks what is to be told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from domain.channels import ChannelState
from tasks.announce import LEASE, lease_of
from tasks.runtime import World
from workflows.announcing import due

logger = logging.getLogger(__name__)

TICK = 0.2
"""Seconds between looks; the world's bell makes one at once."""

Tell = Callable[[str], None]


class Announcer:
    """Tells what happened until stopped, by `tell`, which may take as long as it likes over a channel."""

    def __init__(self, world: World, tell: Tell, *, tick: float = TICK) -> None:
        self._world, self._tell, self._tick = world, tell, tick
        self._end = threading.Event()
        self._wake = {name: threading.Event() for name in world.publishers}
        self._busy: set[str] = set()
        self._lost: dict[str, int] = {}
        self._threads = [
            threading.Thread(target=self._serve, args=(name,), name=f"tell {name}", daemon=True) for name in self._wake
        ]
        self._threads.append(threading.Thread(target=self._run, name="announcer", daemon=True))

    def start(self) -> None:
        """Begin to look."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Look no more; what is being told is left to its thread, and told again by others if that is cut off."""
        self._end.set()
        self._world.bell.set()
        for wake in self._wake.values():
            wake.set()
        for thread in self._threads:
            thread.join(1.0)

    @property
    def ending(self) -> bool:
        """It was told to stop."""
        return self._end.is_set()

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                self._look()
            except Exception:
                logger.warning("what is to be told cannot be looked up just now; trying again", exc_info=True)
            self._world.bell.wait(self._tick)
            self._world.bell.clear()

    def _look(self) -> None:
        now = self._world.now()
        for state in self._world.store.serve(list(self._wake), now=now):
            self._report_lost(state)
            if state.name in self._busy:
                self._world.store.claim(lease_of(state.name), LEASE)
            elif due(state, now=now):
                self._wake[state.name].set()

    def _report_lost(self, state: ChannelState) -> None:
        if state.lost > self._lost.get(state.name, 0):
            self._lost[state.name] = state.lost
            logger.error("%s IS NEVER TOLD OF %d EVENTS in all: more came about than are kept", state.name, state.lost)

    def _serve(self, channel: str) -> None:
        wake = self._wake[channel]
        while not self._end.is_set():
            wake.wait()
            wake.clear()
            self._busy.add(channel)
            try:
                self._tell(channel)
            except Exception:
                logger.warning("%s cannot be told just now; trying again", channel, exc_info=True)
            finally:
                self._busy.discard(channel)
