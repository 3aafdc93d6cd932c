"""Speed and verdict: every documented example, and lanes against a model of the rule that knows no lanes."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.configs import (
    ALL_AT_ONCE,
    HALF_AT_A_TIME,
    ONE_AT_A_TIME,
    PREDEFINED,
    MinimumHealthyHosts,
    MinimumHealthyHostsType,
)
from domain.deployments import Progress
from tests.unit.workflows.speed_model import Course, Host, by_cap, healthy_wanted
from workflows.speed import floor_of, lanes_of, succeeded


def count(value: int) -> MinimumHealthyHosts:
    return MinimumHealthyHosts(type=MinimumHealthyHostsType.HOST_COUNT, value=value)


def percent(value: int) -> MinimumHealthyHosts:
    return MinimumHealthyHosts(type=MinimumHealthyHostsType.FLEET_PERCENT, value=value)


def predefined(name: str) -> MinimumHealthyHosts:
    return PREDEFINED[name].minimum_healthy_hosts


def by_lanes(hosts: Sequence[Host], floor: int) -> Course | None:
    """The engine's way: K lanes take hosts in order, a failed host takes its lane along."""
    lanes = lanes_of(len(hosts), floor)
    if lanes == 0:
        return None
    course, progress = Course(least_healthy=len(hosts)), Progress(total=len(hosts), lanes=lanes)
    running: list[tuple[int, int]] = []

    def step(clock: int) -> Progress:
        if progress.pending == 0:
            return progress.model_copy(update={"retired": progress.retired + 1})
        heapq.heappush(running, (clock + hosts[progress.taken].seconds, progress.taken))
        course.started[progress.taken] = clock
        return progress.model_copy(update={"taken": progress.taken + 1})

    for _ in range(lanes):
        progress = step(0)
    while running:
        course.peak = max(course.peak, progress.in_flight)
        course.least_healthy = min(course.least_healthy, progress.total - progress.failed - progress.in_flight)
        clock, done = heapq.heappop(running)
        if hosts[done].well:
            progress = step(clock).model_copy(update={"succeeded": progress.succeeded + 1})
        else:
            progress = progress.model_copy(update={"failed": progress.failed + 1, "retired": progress.retired + 1})
    assert progress.concluded
    course.succeeded, course.failed = progress.succeeded, progress.failed
    course.won = succeeded(progress, floor)
    return course


@pytest.mark.parametrize(
    ("minimum", "config", "total", "floor", "at_once"),
    [
        (predefined(ALL_AT_ONCE), ALL_AT_ONCE, 10, 0, 10),
        (predefined(ALL_AT_ONCE), ALL_AT_ONCE, 1, 0, 1),
        (predefined(HALF_AT_A_TIME), HALF_AT_A_TIME, 9, 5, 4),
        (predefined(HALF_AT_A_TIME), HALF_AT_A_TIME, 10, 5, 5),
        (predefined(HALF_AT_A_TIME), HALF_AT_A_TIME, 2, 1, 1),
        (predefined(HALF_AT_A_TIME), HALF_AT_A_TIME, 1, 0, 1),
        (predefined(ONE_AT_A_TIME), ONE_AT_A_TIME, 10, 9, 1),
        (predefined(ONE_AT_A_TIME), ONE_AT_A_TIME, 2, 1, 1),
        (predefined(ONE_AT_A_TIME), ONE_AT_A_TIME, 1, 0, 1),
        (count(9), "", 10, 9, 1),
        (count(3), "", 10, 3, 7),
        (count(0), "", 10, 0, 10),
        (count(6), "", 9, 6, 3),
        (percent(40), "", 9, 4, 5),
        (percent(85), "", 10, 9, 1),
        (percent(95), "", 10, 10, 0),
        (percent(99), "", 50, 50, 0),
        (percent(99), "", 100, 99, 1),
        (percent(50), "", 1, 1, 0),
        (count(10), "", 10, 10, 0),
        (count(11), "", 10, 11, 0),
        (percent(0), "", 10, 0, 10),
        (percent(29), "", 100, 29, 71),
        (percent(7), "", 100, 7, 93),
        (predefined(ONE_AT_A_TIME), ONE_AT_A_TIME, 0, 0, 0),
        (predefined(HALF_AT_A_TIME), HALF_AT_A_TIME, 0, 0, 0),
        (count(3), "", 0, 3, 0),
    ],
)
def test_floor_and_lanes(minimum: MinimumHealthyHosts, config: str, total: int, floor: int, at_once: int) -> None:
    assert floor_of(minimum, total, config_name=config) == floor
    assert lanes_of(total, floor) == at_once


@pytest.mark.parametrize(
    ("minimum", "config", "total", "failing", "verdict", "attempted"),
    [
        pytest.param(percent(95), "", 10, (), None, 0, id="95 percent of 10 never start"),
        pytest.param(percent(99), "", 50, (), None, 0, id="99 percent of 50 never start"),
        pytest.param(count(10), "", 10, (), None, 0, id="all of 10 never start"),
        pytest.param(count(9), "", 10, (), True, 10, id="10 keep 9: all well"),
        pytest.param(count(9), "", 10, (0,), False, 1, id="10 keep 9: the first fails"),
        pytest.param(count(9), "", 10, (4,), False, 5, id="10 keep 9: the fifth fails"),
        pytest.param(count(9), "", 10, (8,), False, 9, id="10 keep 9: the last but one fails"),
        pytest.param(count(9), "", 10, (9,), True, 10, id="10 keep 9: the last fails"),
        pytest.param(count(8), "", 10, (0,), True, 10, id="10 keep 8: one fails"),
        pytest.param(count(8), "", 10, (0, 5), False, 6, id="10 keep 8: a second fails with some pending"),
        pytest.param(count(8), "", 10, (0, 9), True, 10, id="10 keep 8: the last is the second to fail"),
        pytest.param(count(0), "", 10, range(9), True, 10, id="10 keep 0: nine fail"),
        pytest.param(count(0), "", 10, range(10), False, 10, id="10 keep 0: ten fail"),
        pytest.param(percent(50), HALF_AT_A_TIME, 9, range(5, 9), True, 9, id="half of 9: the last four fail"),
        pytest.param(percent(50), HALF_AT_A_TIME, 9, range(4), False, 4, id="half of 9: the first four fail"),
        pytest.param(percent(50), HALF_AT_A_TIME, 9, range(4, 9), False, 8, id="half of 9: five fail"),
        pytest.param(percent(85), "", 10, (3,), False, 4, id="85 percent of 10: not the last fails"),
        pytest.param(percent(85), "", 10, (9,), True, 10, id="85 percent of 10: the last fails"),
        pytest.param(predefined(ONE_AT_A_TIME), ONE_AT_A_TIME, 1, (), True, 1, id="one of 1: well"),
        pytest.param(predefined(ONE_AT_A_TIME), ONE_AT_A_TIME, 1, (0,), False, 1, id="one of 1: fails"),
        pytest.param(percent(50), HALF_AT_A_TIME, 1, (), True, 1, id="half of 1: well"),
        pytest.param(percent(50), HALF_AT_A_TIME, 1, (0,), False, 1, id="half of 1: fails"),
        pytest.param(percent(50), "my-half", 1, (), None, 0, id="a custom half of 1 never starts"),
        pytest.param(predefined(ONE_AT_A_TIME), ONE_AT_A_TIME, 10, (9,), True, 10, id="one of 10: the last fails"),
        pytest.param(predefined(ONE_AT_A_TIME), ONE_AT_A_TIME, 10, (0,), False, 1, id="one of 10: the first fails"),
        pytest.param(predefined(ALL_AT_ONCE), ALL_AT_ONCE, 10, range(9), True, 10, id="all of 10: one succeeds"),
        pytest.param(predefined(ALL_AT_ONCE), ALL_AT_ONCE, 10, range(10), False, 10, id="all of 10: none succeeds"),
    ],
)
def test_documented_example(
    minimum: MinimumHealthyHosts,
    config: str,
    total: int,
    failing: Sequence[int],
    verdict: bool | None,
    attempted: int,
) -> None:
    hosts = [Host(1, well=number not in failing) for number in range(total)]
    floor = floor_of(minimum, total, config_name=config)
    for course in (by_lanes(hosts, floor), by_cap(hosts, floor)):
        assert (course.won if course else None) is verdict
        assert (len(course.started) if course else 0) == attempted


hosts = st.lists(st.builds(Host, seconds=st.integers(1, 9), well=st.booleans()), min_size=1, max_size=30)


@given(hosts, st.data())
def test_lanes_do_what_the_rule_says(crowd: list[Host], data: st.DataObject) -> None:
    floor = data.draw(st.integers(0, len(crowd) + 1))
    assert by_lanes(crowd, floor) == by_cap(crowd, floor)


@given(hosts, st.data())
def test_never_more_than_the_cap_and_never_below_the_floor(crowd: list[Host], data: st.DataObject) -> None:
    floor = data.draw(st.integers(0, len(crowd) - 1))
    course = by_lanes(crowd, floor)
    assert course is not None
    assert course.peak <= len(crowd) - floor
    # Each failure spends headroom that was set aside for it when the host was started: health never falls below M.
    assert course.least_healthy >= floor


@given(hosts, st.data())
def test_success_means_enough_hosts_and_all_attempted(crowd: list[Host], data: st.DataObject) -> None:
    floor = data.draw(st.integers(0, len(crowd) - 1))
    course = by_lanes(crowd, floor)
    assert course is not None
    if course.won:
        assert course.succeeded >= max(1, floor)
        assert len(course.started) == len(crowd)
    else:
        assert course.failed > 0


@given(st.integers(0, 99), st.integers(0, 100_000))
def test_percentages_are_rounded_up_exactly(value: int, total: int) -> None:
    assert floor_of(percent(value), total) == healthy_wanted(percent(value), total)


@given(st.sampled_from(sorted(PREDEFINED)), st.integers(1, 5_000))
def test_a_predefined_configuration_can_always_start(config: str, total: int) -> None:
    floor = floor_of(predefined(config), total, config_name=config)
    assert floor == healthy_wanted(predefined(config), total, config)
    assert 1 <= lanes_of(total, floor) <= total


def test_nothing_succeeds_while_targets_are_pending() -> None:
    assert not succeeded(Progress(total=3, taken=2, succeeded=2, lanes=1), 1)
