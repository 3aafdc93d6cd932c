"""What became of the requests of a load: counts by outcome, version and host, and how long they took."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

STEP = math.log(1.02)
"""Latencies are kept in steps of two per cent: few enough to add up often, fine enough for a percentile."""


@dataclass(frozen=True, slots=True)
class Counts:
    """A load at one moment. A latency runs from the moment a request was to be sent to the end of its answer."""

    asked: float
    """Requests a second that were to be sent."""
    seconds: float = 0.0
    """How long the load has been sending."""
    sent: int = 0
    late: int = 0
    """Requests that were sent well after their moment: the machine was busy, and the load was not what it claims."""
    worst_late: float = 0.0
    """By how many seconds the latest of all was."""
    ok: int = 0
    failed: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Why requests failed."""
    retried: int = 0
    """Requests whose connection had served before and was closed before any byte of the answer: sent once more on a
    fresh one, as RFC 9110 (9.2.2) lets clients do. Those that failed then count as failed as well."""
    versions: Mapping[str, int] = field(default_factory=dict)
    hosts: Mapping[str, int] = field(default_factory=dict)
    p50: float = 0.0
    p99: float = 0.0
    worst: float = 0.0
    lately: float = 0.0
    """Requests a second that were sent within the last second."""
    versions_lately: Mapping[str, float] = field(default_factory=dict)
    """Answers a second of each version within the last second."""
    ended: bool = False
    """Every request has been answered or has failed; nothing more will be sent."""

    @property
    def rate(self) -> float:
        """Requests a second that were sent, over the whole time."""
        return self.sent / self.seconds if self.seconds else 0.0

    @property
    def kept_rate(self) -> bool:
        """The load was what it claims: the rate was reached, and at most one request in a hundred was sent late."""
        return self.rate >= 0.99 * self.asked and self.late <= 0.01 * self.sent

    def written(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


def read_counts(text: str) -> Counts:
    """The counts that were written."""
    return Counts(**json.loads(text))


class _Mark(NamedTuple):
    seconds: float
    sent: int
    versions: Mapping[str, int]


class Tally:
    """Counts requests as they go."""

    def __init__(self, asked: float, *, late_after: float = 0.1) -> None:
        self._asked = asked
        self._late_after = late_after
        self._sent = self._late = self._retried = 0
        self._worst_late = self._worst = 0.0
        self._reasons: Counter[str] = Counter()
        self._versions: Counter[str] = Counter()
        self._hosts: Counter[str] = Counter()
        self._steps: Counter[int] = Counter()
        self._marks = [_Mark(0.0, 0, {})]

    def sent(self, late: float) -> None:
        """A request is sent, so many seconds after its moment."""
        self._sent += 1
        self._worst_late = max(self._worst_late, late)
        self._late += late > self._late_after

    def retried(self) -> None:
        """A request is sent once more."""
        self._retried += 1

    def answered(self, version: str, host: str, seconds: float) -> None:
        """A request got the answer it should get."""
        self._versions[version] += 1
        self._hosts[host] += 1
        self._steps[_step(seconds)] += 1
        self._worst = max(self._worst, seconds)

    def failed(self, reason: str) -> None:
        """A request got none, or another than it should."""
        self._reasons[reason] += 1

    def counts(self, seconds: float, *, ended: bool = False) -> Counts:
        """How it stands after so many seconds."""
        self._marks = [mark for mark in self._marks if seconds - mark.seconds <= 1.05] or self._marks[-1:]
        since = self._marks[0]
        span = max(seconds - since.seconds, 0.001)
        self._marks.append(_Mark(seconds, self._sent, dict(self._versions)))
        return Counts(
            asked=self._asked,
            seconds=seconds,
            sent=self._sent,
            late=self._late,
            worst_late=self._worst_late,
            ok=self._versions.total(),
            failed=self._reasons.total(),
            reasons=dict(self._reasons),
            retried=self._retried,
            versions=dict(sorted(self._versions.items())),
            hosts=dict(sorted(self._hosts.items())),
            p50=self._percentile(0.5),
            p99=self._percentile(0.99),
            worst=self._worst,
            lately=(self._sent - since.sent) / span,
            versions_lately={
                version: (count - since.versions.get(version, 0)) / span for version, count in self._versions.items()
            },
            ended=ended,
        )

    def _percentile(self, share: float) -> float:
        left = share * self._steps.total()
        for step in sorted(self._steps):
            left -= self._steps[step]
            if left <= 0:
                return min(self._worst, math.exp((step + 0.5) * STEP) / 1000)
        return 0.0


def _step(seconds: float) -> int:
    return math.floor(math.log(max(seconds * 1000, 0.01)) / STEP)
