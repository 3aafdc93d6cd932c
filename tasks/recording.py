"""What agents tell, written to the store in batches."""

from __future__ import annotations

from collections.abc import Iterable

from domain.moves import Heard
from domain.reports import AgentReports
from tasks.runtime import World
from workflows import timeouts


def record(world: World, messages: Iterable[AgentReports]) -> int:
    """Keep the reports of the messages in order, in few round trips; how many there were."""
    now = world.now()
    heard = [
        Heard(report, timeouts.check_after(report, world.limits, now))
        for message in messages
        for report in message.reports
    ]
    if heard:
        world.store.record(heard)
    return len(heard)
