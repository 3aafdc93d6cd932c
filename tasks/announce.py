"""Tells the outside what happened: each channel by itself, at least once, in order, each happening with an id that
stays the same. A channel that fails is left alone for a while, and holds up nobody but itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache

from celery import shared_task

from domain import metrics
from domain.channels import ChannelState, DeadLetter, Delivery
from domain.errors import PublishRefused, WorldError
from domain.happenings import Happening
from tasks import runtime
from tasks.runtime import World
from workflows import announcing, names
from workflows.announcing import Hold

logger = logging.getLogger(__name__)

LEASE = 5.0
"""Seconds for which one process keeps the others from a channel, so that the order holds; renewed while it works."""
PAGE = 100
STRIDE = 1.0
"""Seconds of telling after which is written down how far it has come."""

_Page = Sequence[tuple[int, Happening]]


@shared_task(name=names.ANNOUNCE, acks_late=True, ignore_result=True)
def announce() -> None:
    """Wake the tellers of this process. They look by themselves as well: this only makes it sooner."""
    runtime.current().bell.set()


def lease_of(channel: str) -> str:
    """The lease under which a channel is told."""
    return f"tell:{channel}"


def tell(world: World, channel: str, *, ending: Callable[[], bool] = lambda: False) -> None:
    """Tell a channel what waits for it until nothing does, it fails, another process tells it, or it is `ending`."""
    while not ending() and world.store.claim(lease_of(channel), LEASE):
        (state,) = world.store.serve([channel], now=world.now())
        page = world.store.happened(after=state.told, limit=PAGE) if announcing.due(state, now=world.now()) else ()
        if not page or not _tell_page(world, state, page, ending):
            return


def _tell_page(world: World, state: ChannelState, page: _Page, ending: Callable[[], bool]) -> bool:
    """Whether the channel can be told more."""
    publisher = world.publishers[state.name]
    done, since = state.told, world.now()
    while page and not ending():
        try:
            delivery = publisher.publish([happening for _, happening in page])
        except Exception as error:
            stands = _note(world, state, done)
            return stands is not None and _failed(world, stands, page, error)
        _count(world, state.name, "told", delivery.done)
        done, page = page[delivery.done - 1][0], page[delivery.done :]
        if delivery.refusals or not page or world.now() - since >= STRIDE:
            stands = _note(world, state, done, _refused(world, state.name, delivery))
            if stands is None:
                return False
            state, since = stands, world.now()
    return _note(world, state, done) is not None


def _note(world: World, state: ChannelState, done: int, letters: Sequence[DeadLetter] = ()) -> ChannelState | None:
    """The channel's state once it is written down how far it has come; None if another process tells it now."""
    if done == state.told:
        return state
    if not world.store.told(state.name, before=state.told, after=done, letters=letters):
        return None
    return ChannelState(name=state.name, told=done)


def _refused(world: World, channel: str, delivery: Delivery) -> list[DeadLetter]:
    for refusal in delivery.refusals:
        _say_once(channel, refusal.why)
    _count(world, channel, "dead", len(delivery.refusals))
    return [DeadLetter(happening=each.happening, why=each.why, at=world.now()) for each in delivery.refusals]


@lru_cache(maxsize=1000)
def _say_once(channel: str, why: str) -> None:
    logger.error("%s: %s. What is not told becomes a dead letter: `slipway events --dead`.", channel, why)


def _failed(world: World, state: ChannelState, page: _Page, error: Exception) -> bool:
    """Decide what becomes of the first of the page; whether the channel can be told more at once."""
    channel, now, why = state.name, world.now(), _why(error)
    _count(world, channel, "failed")
    verdict = announcing.after_failure(state, refused=not isinstance(error, WorldError), now=now)
    if not isinstance(verdict, Hold):
        return _bury(world, state, page[:1], why) is not None
    patience = world.publishers[channel].patience
    overdue = [entry for entry in page if announcing.overdue(entry[1], patience=patience, now=now)]
    held = _bury(world, state, overdue, why) if overdue else state
    if held is not None:
        logger.warning("%s is not told of events for %.0f seconds: %s", channel, verdict.again_at - now, why)
        world.store.hold(
            channel, before=held.told, tries=verdict.tries, since=verdict.since, again_at=verdict.again_at, why=why
        )
    return False


def _why(error: Exception) -> str:
    if isinstance(error, WorldError | PublishRefused):
        return error.message
    logger.exception("a publisher met an internal error")
    return f"internal error, see the log: {type(error).__name__}"


def _bury(world: World, state: ChannelState, lost: _Page, why: str) -> ChannelState | None:
    """Give up the first of a page."""
    letters = [DeadLetter(happening=happening, why=why, at=world.now()) for _, happening in lost]
    buried = _note(world, state, lost[-1][0], letters)
    if buried is not None:
        _count(world, state.name, "dead", len(lost))
        first = lost[0][1].event_id
        logger.error(
            "%s is never told of %d events from %s on, now dead letters: %s", state.name, len(lost), first, why
        )
    return buried


def _count(world: World, channel: str, outcome: str, times: int = 1) -> None:
    for _ in range(times):
        world.meter.count(metrics.EVENTS_TOLD, channel, outcome)
