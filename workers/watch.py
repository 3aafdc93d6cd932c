"""The watch process: looks for silent work at intervals until told to stop."""

from __future__ import annotations

import logging
import threading

from domain.errors import WorldError
from tasks.runtime import World
from tasks.watch import round_of_watch

logger = logging.getLogger(__name__)

EVERY = 0.5
"""Seconds between looks at lanes."""
DEPLOYMENTS_EVERY = 4
"""Rounds between looks at whole deployments."""


def run_watch(world: World, end: threading.Event) -> None:
    """Look until `end` is set; a store or broker that is away is tried again at the next round."""
    listening_since = world.now()
    number = 0
    while not end.is_set():
        try:
            round_of_watch(world, listening_since=listening_since, deployments_too=number % DEPLOYMENTS_EVERY == 0)
            number += 1
        except WorldError as error:
            # Nobody heard the agents in the meantime, so their silence so far says nothing.
            listening_since = world.now()
            logger.warning("the watch cannot look just now: %s", error)
        end.wait(EVERY)
