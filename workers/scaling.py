"""The scaling process: starts deployments for instances that Auto Scaling holds, and lets them go once those ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic

from domain.errors import CannotBegin, WorldError
from domain.ports import LifecycleQueue
from domain.scaling import LifecycleAction
from domain.triggers import Incoming
from domain.work import working_on
from tasks.runtime import World
from tasks.scaling import look_at_actions, take_action
from workflows.lifecycle_notices import NoNotice, read_notice

logger = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between looks at open actions; waiting for a message makes it longer."""
LONGEST_WAIT = 30.0
"""Seconds between two tries at most."""


def run_scaling(
    world: World, queue: LifecycleQueue, end: threading.Event, *, every: float = EVERY, retry_wait: float = 1.0
) -> None:
    """Consume and look until `end` is set. A world that does not answer is tried again, ever later; while one half of
    it is away, the other is served."""
    wait, looked = retry_wait, -every
    while not end.is_set():
        well = _tried(lambda: _listen(world, queue))
        if monotonic() - looked >= every:
            well = _tried(lambda: look_at_actions(world)) and well
            looked = monotonic()
        if well:
            wait = retry_wait
            continue
        end.wait(wait)
        wait = min(wait * 2, LONGEST_WAIT)


def _tried(step: Callable[[], None]) -> bool:
    """Whether a step met no trouble."""
    try:
        step()
    except (WorldError, CannotBegin) as error:
        logger.warning("%s; trying again", error.message)
        return False
    except Exception:
        logger.exception("the scaling process met an internal error; it goes on")
        return False
    return True


def _listen(world: World, queue: LifecycleQueue) -> None:
    """Deal with one message, if there is one. It is settled once what it asks for is in the store; else it is let go
    of, and comes again, or goes where the queue puts what came too often."""
    incoming = queue.receive()
    if incoming is None:
        return
    action = _read(incoming)
    try:
        if action is not None:
            with working_on(target_id=action.instance_id):
                logger.info("%s in %s", action.transition.name.lower(), action.auto_scaling_group)
                take_action(world, action)
        queue.settle(incoming)
    except BaseException:
        queue.close()
        raise


def _read(incoming: Incoming) -> LifecycleAction | None:
    try:
        return read_notice(incoming.body)
    except NoNotice as error:
        logger.warning("a message on the lifecycle queue is dropped: %s", error)
        return None
