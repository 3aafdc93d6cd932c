"""What is told outside, in memory."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from adapters.store.memory_shelf import kept
from adapters.store.memory_state import MemoryPart
from adapters.store.outbox import checked_place
from domain.channels import FORGOTTEN_AFTER, MOST_DEAD, MOST_HISTORY, ChannelState, DeadLetter
from domain.happenings import Happening
from domain.values import Instant

_NOT_FAILING = {"tries": 0, "failing_since": None, "again_at": None, "why": ""}


class MemoryOutbox(MemoryPart):
    """The Store's methods on happenings."""

    def __init__(self, log_limit: int, most_waiting: int) -> None:
        super().__init__(log_limit, most_waiting)
        self._channels: dict[str, ChannelState] = {}
        self._served: dict[str, int] = {}
        self._dead: dict[str, list[tuple[str, DeadLetter]]] = {}
        self._graves = itertools.count(1)

    def tell(self, happenings: Sequence[Happening]) -> None:
        """Put happenings that belong to no other change behind those that came about."""
        with self._lock:
            self._tell(happenings)

    def history(self, *, after: str = "", limit: int = 100) -> list[tuple[str, Happening]]:
        """What happened lately, oldest first, each with a cursor; raises CallerError for a cursor that is none."""
        last = int(checked_place(after).partition("-")[0]) if after else 0
        return [(f"{number}-0", happening) for number, happening in self.happened(after=last, limit=limit)]

    def serve(self, channels: Sequence[str], *, now: Instant) -> list[ChannelState]:
        """Say that channels are served; how each stands."""
        with self._lock:
            none_yet = not self._channels
            for name in channels:
                self._serve(name, int(now), from_oldest=none_yet)
            for name in [each for each, seen in self._served.items() if channels and int(now) - seen > FORGOTTEN_AFTER]:
                del self._channels[name], self._served[name]
                self._dead.pop(name, None)
            return [self._state(name) for name in channels]

    def _serve(self, name: str, now: int, *, from_oldest: bool) -> None:
        passed = self._happened[0][0] - 1 if self._happened else self._last()
        if name not in self._channels:
            self._channels[name] = ChannelState(name=name, told=passed if from_oldest else self._last())
        self._served[name] = now
        state = self._channels[name]
        if state.told < passed:
            lost = state.lost + passed - state.told
            self._channels[name] = state.model_copy(update={"told": passed, "lost": lost})

    def _last(self) -> int:
        return self._happened[-1][0] if self._happened else 0

    def _state(self, name: str) -> ChannelState:
        state = self._channels[name]
        return state.model_copy(
            update={"waiting": max(0, self._last() - state.told), "dead": len(self._dead.get(name, ()))}
        )

    def channels(self) -> list[ChannelState]:
        """How every channel stands that is served or was lately, in the order of their names."""
        with self._lock:
            return [self._state(name) for name in sorted(self._channels)]

    def happened(self, *, after: int, limit: int = 100) -> list[tuple[int, Happening]]:
        """As `history`, with the numbers by which channels stand."""
        with self._lock:
            return [entry for entry in self._happened if entry[0] > after][: max(limit, 0)]

    def told(self, channel: str, *, before: int, after: int, letters: Sequence[DeadLetter] = ()) -> bool:
        """The channel, which was done with all up to `before`, is done with those up to `after`."""
        with self._lock:
            state = self._channels.get(channel)
            if state is None or state.told not in (before, after):
                return False
            if state.told != after:
                self._channels[channel] = state.model_copy(update={"told": after, **_NOT_FAILING})
                self._bury(channel, letters)
                self._forget_history()
            return True

    def _bury(self, channel: str, letters: Sequence[DeadLetter]) -> None:
        fresh = [(f"{next(self._graves)}-0", kept(letter)) for letter in letters]
        held = [*self._dead.get(channel, ()), *fresh]
        lost = max(0, len(held) - MOST_DEAD)
        self._dead[channel] = held[lost:]
        state = self._channels[channel]
        self._channels[channel] = state.model_copy(update={"lost": state.lost + lost})

    def _forget_history(self) -> None:
        behind = min(state.told for state in self._channels.values())
        most = max(MOST_HISTORY, self._last() - behind)
        while len(self._happened) > most:
            self._happened.popleft()

    def hold(self, channel: str, *, before: int, tries: int, since: Instant, again_at: Instant, why: str) -> bool:
        """The channel failed at the happening behind `before` for so many times."""
        with self._lock:
            state = self._channels.get(channel)
            if state is None or state.told != before:
                return False
            update = {"tries": tries, "failing_since": since, "again_at": again_at, "why": why}
            self._channels[channel] = state.model_copy(update=update)
            return True

    def dead_letters(self, channel: str, *, after: str = "", limit: int = 100) -> list[tuple[str, DeadLetter]]:
        """Dead letters of a channel, oldest first, each with its place."""
        last = int(checked_place(after).partition("-")[0]) if after else 0
        with self._lock:
            found = [each for each in self._dead.get(channel, ()) if int(each[0].partition("-")[0]) > last]
            return found[: max(limit, 0)]

    def forget_dead_letters(self, channel: str, places: Sequence[str]) -> None:
        """Dead letters that were told after all, or are not wanted."""
        with self._lock:
            self._dead[channel] = [each for each in self._dead.get(channel, ()) if each[0] not in places]
