"""What agents tell, written to the store in batches."""

from __future__ import annotations

from collections.abc import Iterable

from domain.reports import AgentReports
from tasks.runtime import World
from workflows import timeouts


def record(world: World, messages: Iterable[AgentReports]) -> int:
    """Keep the reports of the messages in order, in few round trips; how many there were."""
    now = world.now()
    heard = [timeouts.heard(report, world.limits, now) for message in messages for report in message.reports]
    if heard:
        world.store.record(heard)
    return len(heard)


LISTENING = "listening"
LISTENING_SECONDS = 5.0


def say_listening(world: World) -> None:
    """Let the watch know that somebody records what agents tell; say it again within LISTENING_SECONDS."""
    world.store.claim(LISTENING, LISTENING_SECONDS)


def nobody_listens(world: World) -> bool:
    """Whether what agents tell is not recorded at present: the lease that recorders hold is to be had."""
    return world.store.claim(LISTENING, 0.01)
