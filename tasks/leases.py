"""One at a time, among the threads of this process and among all processes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.runtime import World

_held: set[str] = set()
_lock = threading.Lock()


@contextmanager
def alone(world: World, name: str, seconds: float) -> Iterator[bool]:
    """Whether nobody else works under the name. The lease is the process's, so its threads agree among themselves;
    `keep` renews it."""
    with _lock:
        first = name not in _held
        _held.add(name)
    try:
        yield first and world.store.claim(name, seconds)
    finally:
        if first:
            _held.discard(name)
