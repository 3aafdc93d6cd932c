"""Since when agents' silence counts: a thread of the watch that looks whether what they say is being recorded.

Apart from the watch's own looks, for those may take long without anybody being deaf.
"""

from __future__ import annotations

import logging
import threading

from domain.errors import WorldError
from tasks.recording import nobody_listens
from tasks.runtime import World
from workflows import silence

logger = logging.getLogger(__name__)

EVERY = 0.5
"""Seconds between looks; well below silence.LAPSE."""


class Ears:
    """Asked by the watch before it takes anybody for dead; safe for threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        now = world.now()
        self._hearing = silence.Hearing(since=now, known_at=now)
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ears", daemon=True)

    def __enter__(self) -> Ears:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        # A look waits for the store as long as that takes, and whoever ends the watch does not.
        self._thread.join(EVERY)

    def since(self) -> float:
        """Since when an agent that was not heard was silent, and not merely unheard."""
        with self._lock:
            return silence.counts_from(self._hearing, now=self._world.now())

    def look(self) -> None:
        """Look whether somebody records what agents say."""
        try:
            heard = not nobody_listens(self._world)
        except WorldError:
            heard = False
        self._note(heard=heard)

    def fail(self) -> None:
        """The store or the broker did not answer: until now agents may have had nobody to speak to."""
        self._note(heard=False)

    def _note(self, *, heard: bool) -> None:
        with self._lock:
            self._hearing = silence.looked(self._hearing, heard=heard, now=self._world.now())

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                self.look()
            except Exception:
                logger.exception("whether agents are heard cannot be told; the watch asks again")
            self._end.wait(EVERY)
