"""The log of one event on one target: the first half of the limit and the latest half, each line once. Pure.

`lua/record.lua` follows the rules of `Log.append`; `chunks` reads what either kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from domain.moves import LogChunk
from domain.reports import LogLines

MOST_GAPS = 32
"""Runs of lines still missing that are remembered; of more, the oldest are given up."""
LAST_LINE = 10**12
"""Numbers beyond this are no line of any log."""

Line = tuple[int, str]


def numbered(report: LogLines) -> list[Line]:
    """The lines of a report with their numbers; none if the numbers make no sense."""
    if report.first < 0 or report.first + len(report.lines) > LAST_LINE:
        return []
    return list(enumerate(report.lines, report.first))


@dataclass(slots=True)
class Log:
    """The log in memory, for one attempt."""

    attempt: str
    head: list[Line] = field(default_factory=list)
    tail: list[Line] = field(default_factory=list)
    head_bytes: int = 0
    tail_bytes: int = 0
    head_full: bool = False
    next: int = 0
    """One more than the highest number seen."""
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """Numbers below `next` not seen yet, as half-open ranges: reports may overtake each other."""
    dropped: int = 0

    def append(self, lines: Iterable[Line], half: int) -> bool:
        """Keep the lines not known yet, at most `half` bytes in each part; False if all were known."""
        fresh = [(number, text) for number, text in lines if self._is_new(number)]
        for number, text in fresh:
            self._keep(number, text, half)
        return bool(fresh)

    def _is_new(self, number: int) -> bool:
        if number >= self.next:
            if number > self.next:
                self.gaps = [*self.gaps, (self.next, number)][-MOST_GAPS:]
            self.next = number + 1
            return True
        for at, (start, end) in enumerate(self.gaps):
            if start <= number < end:
                rest = [part for part in ((start, number), (number + 1, end)) if part[0] < part[1]]
                self.gaps = [*self.gaps[:at], *rest, *self.gaps[at + 1 :]][-MOST_GAPS:]
                return True
        return False

    def _keep(self, number: int, text: str, half: int) -> None:
        size = weight(text)
        if not self.head_full and self.head_bytes + size <= half:
            self.head.append((number, text))
            self.head_bytes += size
            return
        self.head_full = True
        self.tail.append((number, text))
        self.tail_bytes += size
        while self.tail_bytes > half:
            oldest = weight(self.tail.pop(0)[1])
            self.tail_bytes -= oldest
            self.dropped += oldest


def weight(text: str) -> int:
    """What a line counts: its bytes and one for its end."""
    return len(text.encode()) + 1


def chunks(
    event: str, head: Sequence[Line], tail: Sequence[Line], *, dropped: int, upcoming: int, after: int
) -> list[LogChunk]:
    """Runs of consecutive lines numbered `after` or higher. A run also begins where lines were dropped."""
    # When nothing is left after what was dropped, an empty run says so.
    cut = (min(number for number, _ in tail) if tail else upcoming) if dropped else None
    lines = sorted(line for line in (*head, *tail) if line[0] >= after)
    starts = [at for at, (number, _) in enumerate(lines) if at == 0 or number != lines[at - 1][0] + 1 or number == cut]
    found = [
        LogChunk(
            event=event,
            first=lines[start][0],
            lines=tuple(text for _, text in lines[start:end]),
            dropped=dropped if lines[start][0] == cut else 0,
        )
        for start, end in pairwise([*starts, len(lines)])
    ]
    if dropped and not tail and cut is not None and cut >= after:
        found.append(LogChunk(event=event, first=cut, lines=(), dropped=dropped))
    return found
