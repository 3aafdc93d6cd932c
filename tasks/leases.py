"""One at a time, among the threads of this process and among all processes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import WorldError
from tasks.runtime import World

logger = logging.getLogger(__name__)

_held: set[str] = set()
_lock = threading.Lock()


@contextmanager
def alone(world: World, name: str, seconds: float) -> Iterator[bool]:
    """Whether nobody else works under the name. The lease is the process's, so its threads agree among themselves; it
    is given back at the end, and another's after so many seconds if this process dies."""
    with _lock:
        first = name not in _held
        _held.add(name)
    mine = False
    try:
        mine = first and world.store.claim(name, seconds)
        yield mine
    finally:
        if mine:
            _give_back(world, name)
        if first:
            _held.discard(name)


def _give_back(world: World, name: str) -> None:
    try:
        world.store.claim(name, 0.0)
    except WorldError as error:
        logger.warning("the lease %s ends by itself: %s", name, error.message)
