"""What is to be told outside, in Redis: a stream in the order of the changes, and a bounded one of what was told."""

from __future__ import annotations

import re
from collections.abc import Sequence

from adapters.store.connection import Answer
from adapters.store.part import Part
from domain.errors import CallerError
from domain.happenings import Happening

MOST_HISTORY = 10_000
_PLACE = re.compile(r"[0-9]{1,19}-[0-9]{1,19}")


class Outbox(Part):
    """The Store's methods on happenings."""

    def outbox(self, *, limit: int = 100) -> list[tuple[str, Happening]]:
        """Happenings not told yet, oldest first, each with its place in the outbox."""
        return self._read("outbox", "-", limit)

    def outbox_count(self) -> int:
        """How many happenings were not told yet."""
        return int(self._connection.ask(lambda redis: redis.xlen(self._keys("outbox"))))

    def told(self, places: Sequence[str]) -> None:
        """Move happenings that were told from the outbox to the history."""
        known = [place for place in places if _PLACE.fullmatch(place)]
        if known:
            self._connection.run("told", {"places": known, "most": MOST_HISTORY})

    def history(self, *, after: str = "", limit: int = 100) -> list[tuple[str, Happening]]:
        """Happenings told lately, oldest first, each with a cursor; raises CallerError for a cursor that is none."""
        return self._read("history", f"({checked_place(after)}" if after else "-", limit)

    def _read(self, name: str, start: str, limit: int) -> list[tuple[str, Happening]]:
        if limit <= 0:
            return []
        entries: Answer = self._connection.ask(lambda redis: redis.xrange(self._keys(name), min=start, count=limit))
        return [(place, Happening.model_validate_json(fields["d"])) for place, fields in entries]


def checked_place(place: str) -> str:
    """The place, if it looks like one; raises CallerError if not."""
    if not _PLACE.fullmatch(place):
        raise CallerError(f"{place[:40]!r} is no place in the history: give the cursor of the last entry read, or none")
    return place
