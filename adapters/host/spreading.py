"""Runs many small disk operations on a few threads; the calls they make let other threads run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

THREADS = min(4, os.cpu_count() or 1)
_PIECE = 32
"""How many operations one thread takes at a time."""
_SAMPLE = 128
"""How many operations one thread alone is timed with."""
SLOW = 100e-6
"""Seconds an operation takes when threads save time; quicker ones would spend it waiting for the interpreter's lock."""


def spread(act: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Act on every item, results in order. The first error is raised once all that was begun has ended."""
    begun = time.perf_counter()
    done = _all(act, items[:_SAMPLE])
    rest = items[_SAMPLE:]
    if THREADS == 1 or len(rest) < _PIECE * 2 or time.perf_counter() - begun < SLOW * _SAMPLE:
        return done + _all(act, rest)
    pieces = [rest[first : first + _PIECE] for first in range(0, len(rest), _PIECE)]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="disk") as pool:
        for results in pool.map(lambda piece: _all(act, piece), pieces):
            done += results
    return done


def _all(act: Callable[[T], R], items: Iterable[T]) -> list[R]:
    return [act(item) for item in items]
