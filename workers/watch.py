"""The watch process: looks for silent work at intervals until told to stop."""

from __future__ import annotations

import logging
import threading
import time

from domain.errors import WorldError
from tasks.runtime import World
from tasks.watch import round_of_watch
from workers.ears import Ears

logger = logging.getLogger(__name__)

EVERY = 0.5
"""Seconds between looks at lanes."""
DEPLOYMENTS_EVERY = 4
"""Rounds between looks at whole deployments."""
FORGET_EVERY = 3600
"""Seconds between looks at what agents have left unacknowledged."""


def run_watch(world: World, end: threading.Event) -> None:
    """Look until `end` is set; a store or broker that is away is tried again at the next round."""
    with Ears(world) as ears:
        _look_until(end, world, ears)


def _look_until(end: threading.Event, world: World, ears: Ears) -> None:
    number, alarms_at, vanished_at, forget_at = 0, 0.0, world.now(), world.now()
    while not end.is_set():
        try:
            deployments_too = number % DEPLOYMENTS_EVERY == 0
            alarms_too = deployments_too and time.monotonic() >= alarms_at
            if alarms_too:
                alarms_at = time.monotonic() + world.limits.alarm_seconds
            vanished_too, forget_too = world.now() >= vanished_at, world.now() >= forget_at
            round_of_watch(
                world,
                listening_since=ears.since,
                deployments_too=deployments_too,
                alarms_too=alarms_too,
                vanished_too=vanished_too,
                forget_too=forget_too,
            )
            number += 1
            if vanished_too:
                vanished_at = world.now() + world.limits.vanished_seconds
            if forget_too:
                forget_at = world.now() + FORGET_EVERY
        except WorldError as error:
            ears.fail()
            logger.warning("the watch cannot look just now: %s", error)
        except Exception:
            logger.exception("the watch met an internal error; it looks again")
        end.wait(EVERY)
