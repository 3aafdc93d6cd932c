"""How often a write that lost against another is tried again, and how long it waits in between."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

MOST = 200
AT_ONCE = 3
"""So many times without waiting: mostly the other is done by then."""
LONGEST = 0.02
"""Seconds."""


def tries() -> Iterator[int]:
    """Counts attempts, waiting a random while before each of the later ones."""
    for attempt in range(MOST):
        if attempt >= AT_ONCE:
            time.sleep(random.uniform(0, min(LONGEST, 0.0005 * attempt)))  # noqa: S311  (a wait, not a secret)
        yield attempt
