"""The scheduling rule, written a second time and in another way than the engine: a clock, a crowd of hosts, and a cap
that shrinks with every failure. Tests compare the engine's lanes with it."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from domain.configs import HALF_AT_A_TIME, MinimumHealthyHosts, MinimumHealthyHostsType


@dataclass(frozen=True)
class Host:
    """How long one host will take, and how it will end."""

    seconds: int
    well: bool = True


@dataclass
class Course:
    """What became of a deployment."""

    started: dict[int, int] = field(default_factory=dict)
    """When each attempted host was started."""
    succeeded: int = 0
    failed: int = 0
    peak: int = 0
    least_healthy: int = 0
    won: bool = False


def healthy_wanted(minimum: MinimumHealthyHosts, total: int, config: str = "") -> int:
    """M as the documents say it, in fractions of whole hosts; HalfAtATime on one host is Slipway's own."""
    if config == HALF_AT_A_TIME and total == 1:
        return 0
    if minimum.type is MinimumHealthyHostsType.FLEET_PERCENT:
        return math.ceil(Fraction(minimum.value, 100) * total)
    if minimum.type is MinimumHealthyHostsType.MOST_CONCURRENCY:
        return max(total - minimum.value, 0)
    return minimum.value


def by_cap(hosts: Sequence[Host], floor: int) -> Course | None:
    """cap(t) = (N - failed) - M, looked at after every change; None where nothing may start."""
    total, course = len(hosts), Course(least_healthy=len(hosts))
    if total - floor <= 0:
        return None
    running: list[tuple[int, int]] = []
    clock = upcoming = 0
    while True:
        while upcoming < total and len(running) < total - course.failed - floor:
            heapq.heappush(running, (clock + hosts[upcoming].seconds, upcoming))
            course.started[upcoming] = clock
            upcoming += 1
        course.peak = max(course.peak, len(running))
        course.least_healthy = min(course.least_healthy, total - course.failed - len(running))
        if not running:
            break
        clock, done = heapq.heappop(running)
        course.succeeded += hosts[done].well
        course.failed += not hosts[done].well
    course.won = upcoming == total and course.succeeded >= max(1, floor)
    return course
