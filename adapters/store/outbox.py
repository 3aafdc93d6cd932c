"""What is told outside, in Redis: one numbered stream in the order of the changes, and for each channel how far it has
come in it, how it fares, and a stream of what it did not take."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence

from adapters.store.connection import Answer
from adapters.store.part import Part
from adapters.store.records import instant
from domain.channels import FORGOTTEN_AFTER, MOST_DEAD, MOST_HISTORY, ChannelState, DeadLetter
from domain.errors import CallerError
from domain.happenings import Happening
from domain.values import Instant

_PLACE = re.compile(r"[0-9]{1,19}-[0-9]{1,19}")
_MEMBERS = ("name", "told", "tries", "failing_since", "again_at", "why", "lost", "dead")


class Outbox(Part):
    """The Store's methods on happenings."""

    def tell(self, happenings: Sequence[Happening]) -> None:
        """Put happenings that belong to no other change behind those that came about."""
        if happenings:
            self._connection.run("tell", {"nonce": secrets.token_hex(8), "happenings": as_told(happenings)})

    def history(self, *, after: str = "", limit: int = 100) -> list[tuple[str, Happening]]:
        """What happened lately, oldest first, each with a cursor; raises CallerError for a cursor that is none."""
        found = self._read(self._keys("happened"), after, limit)
        return [(place, Happening.model_validate_json(text)) for place, text in found]

    def serve(self, channels: Sequence[str], *, now: Instant) -> list[ChannelState]:
        """Say that channels are served; how each stands."""
        return self._states(channels, now) if channels else []

    def channels(self) -> list[ChannelState]:
        """How every channel stands that is served or was lately, in the order of their names."""
        return sorted(self._states((), 0.0), key=lambda state: state.name)

    def _states(self, names: Sequence[str], now: Instant) -> list[ChannelState]:
        given = {"names": list(names), "now": int(now), "forgotten_after": FORGOTTEN_AFTER}
        last, *found = self._connection.run("serve", given)
        width = len(_MEMBERS)
        return [_state(int(last), found[at : at + width]) for at in range(0, len(found), width)]

    def happened(self, *, after: int, limit: int = 100) -> list[tuple[int, Happening]]:
        """As `history`, with the numbers by which channels stand."""
        found = self._read(self._keys("happened"), f"{after}-0", limit)
        return [(int(place.partition("-")[0]), Happening.model_validate_json(text)) for place, text in found]

    def told(self, channel: str, *, before: int, after: int, letters: Sequence[DeadLetter] = ()) -> bool:
        """The channel, which was done with all up to `before`, is done with those up to `after`."""
        given = {
            "channel": channel,
            "before": before,
            "after": after,
            "most": MOST_HISTORY,
            "most_dead": MOST_DEAD,
            "letters": [letter.model_dump_json(exclude_defaults=True) for letter in letters],
        }
        return bool(self._connection.run("told", given))

    def hold(self, channel: str, *, before: int, tries: int, since: Instant, again_at: Instant, why: str) -> bool:
        """The channel failed at the happening behind `before` for so many times."""
        given = {
            "channel": channel,
            "before": before,
            "tries": tries,
            "since": instant(since),
            "again_at": instant(again_at),
            "why": why,
        }
        return bool(self._connection.run("hold", given))

    def dead_letters(self, channel: str, *, after: str = "", limit: int = 100) -> list[tuple[str, DeadLetter]]:
        """Dead letters of a channel, oldest first, each with its place."""
        found = self._read(self._keys("dead", channel), after, limit)
        return [(place, DeadLetter.model_validate_json(text)) for place, text in found]

    def forget_dead_letters(self, channel: str, places: Sequence[str]) -> None:
        """Dead letters that were told after all, or are not wanted."""
        known = [place for place in places if _PLACE.fullmatch(place)]
        if known:
            # Forgetting again forgets nothing more, so that the command may be sent twice.
            self._connection.ask(lambda redis: redis.xdel(self._keys("dead", channel), *known))

    def _read(self, key: str, after: str, limit: int) -> list[tuple[str, str]]:
        if limit <= 0:
            return []
        start = f"({checked_place(after)}" if after else "-"
        entries: Answer = self._connection.ask(lambda redis: redis.xrange(key, min=start, count=limit))
        return [(place, fields["d"]) for place, fields in entries]


def as_told(happenings: Iterable[Happening]) -> list[str]:
    """Happenings as they are kept: without what is as it mostly is, for there are two of each host."""
    return [happening.model_dump_json(exclude_defaults=True) for happening in happenings]


def _state(last: int, held: Sequence[str | int]) -> ChannelState:
    given = {name: value for name, value in zip(_MEMBERS, held, strict=True) if value != ""}
    state = ChannelState.model_validate(given)
    return state.model_copy(update={"waiting": max(0, last - state.told)})


def checked_place(place: str) -> str:
    """The place, if it looks like one; raises CallerError if not."""
    if not _PLACE.fullmatch(place):
        raise CallerError(f"{place[:40]!r} is no place in the history: give the cursor of the last entry read, or none")
    return place
