"""Tells the outside what is in the outbox: at least once, in order, each happening with an id that stays the same."""

from __future__ import annotations

from celery import shared_task

from tasks import runtime
from tasks.runtime import World
from workflows import names

LEASE = 10.0
"""Seconds for which one teller keeps the others out, so that the order holds."""
PAGE = 100


@shared_task(name=names.ANNOUNCE, acks_late=True, ignore_result=True)
def announce() -> None:
    """Tell everything that is in the outbox."""
    tell_outbox(runtime.current())


def tell_outbox(world: World) -> int:
    """Publish what the outbox holds and move it to the history; how much was told.

    A publisher that fails (WorldError) ends the round: what it did not take stays, and is told again to all later.
    """
    told = 0
    while waiting := world.store.outbox(limit=PAGE):
        if not world.store.claim("announce", LEASE):
            return told
        done: list[str] = []
        try:
            for place, happening in waiting:
                for publisher in world.publishers:
                    publisher.publish(happening)
                done.append(place)
        finally:
            world.store.told(done)
        told += len(done)
    return told
