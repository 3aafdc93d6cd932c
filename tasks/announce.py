"""Tells the outside what happened: each channel by itself, at least once, in order, each happening with an id that
stays the same. A channel that fails is left alone for a while, and holds up nobody but itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Rest:
    """What a channel wants and was not told of yet, of all happenings up to a number."""

    wanted: _Page
    upto: int

    @property
    def happenings(self) -> list[Happening]:
        return [happening for _, happening in self.wanted]

    @property
    def done(self) -> int:
        """The number up to which the channel is done: what it does not want is passed over."""
        return self.wanted[0][0] - 1 if self.wanted else self.upto

    def behind(self, count: int) -> _Rest:
        return _Rest(self.wanted[count:], self.upto)


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
    publisher, since = world.publishers[state.name], world.now()
    rest = _Rest([entry for entry in page if publisher.wants(entry[1])], page[-1][0])
    while rest.wanted and not ending():
        try:
            delivery = publisher.publish(rest.happenings)
        except Exception as error:
            stands = _note(world, state, rest.done)
            return stands is not None and _failed(world, stands, rest, error)
        _count(world, state.name, "told", delivery.done - delivery.left_out)
        rest = rest.behind(delivery.done)
        if delivery.refusals or world.now() - since >= STRIDE:
            stands = _note(world, state, rest.done, _refused(world, state.name, delivery))
            if stands is None:
                return False
            state, since = stands, world.now()
    return _note(world, state, rest.done) is not None


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


def _failed(world: World, state: ChannelState, rest: _Rest, error: Exception) -> bool:
    """Decide what becomes of the first of what it wants; whether the channel can be told more at once."""
    channel, now, why = state.name, world.now(), _why(error)
    _count(world, channel, "failed")
    verdict = announcing.after_failure(state, refused=not isinstance(error, WorldError), now=now)
    if not isinstance(verdict, Hold):
        return _bury(world, state, rest, count=1, why=why) is not None
    overdue = announcing.overdue(rest.happenings, patience=world.publishers[channel].patience, now=now)
    held = _bury(world, state, rest, count=overdue, why=why) if overdue else state
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


def _bury(world: World, state: ChannelState, rest: _Rest, *, count: int, why: str) -> ChannelState | None:
    """Give up the first `count` of what it wants."""
    lost = rest.happenings[:count]
    letters = [DeadLetter(happening=happening, why=why, at=world.now()) for happening in lost]
    buried = _note(world, state, rest.behind(count).done, letters)
    if buried is not None:
        _count(world, state.name, "dead", count)
        first = lost[0].event_id
        logger.error("%s is never told of %d events from %s on, now dead letters: %s", state.name, count, first, why)
    return buried


def _count(world: World, channel: str, outcome: str, times: int = 1) -> None:
    for _ in range(times):
        world.meter.count(metrics.EVENTS_TOLD, channel, outcome)
