"""Runs many small disk operations on a few threads; the calls they make let other threads run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

THREADS = min(4, os.cpu_count() or 1)
_PIECE = 32
"""How many operations one thread takes at a time."""
_WORTH = 512
"""Below so many, starting threads costs more than they save."""


def spread(act: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Act on every item, results in order. The first error is raised once all that was begun has ended."""
    if len(items) < _WORTH or THREADS == 1:
        return [act(item) for item in items]
    pieces = [items[first : first + _PIECE] for first in range(0, len(items), _PIECE)]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="disk") as pool:
        return [result for piece in pool.map(lambda piece: _all(act, piece), pieces) for result in piece]


def _all(act: Callable[[T], R], items: Iterable[T]) -> list[R]:
    return [act(item) for item in items]
