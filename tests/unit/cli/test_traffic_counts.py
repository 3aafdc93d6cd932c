"""What a load counts: rates that were reached or not, latencies, and counts that survive being written down."""

from __future__ import annotations

import random

import pytest

from cli.traffic.counts import Tally, read_counts


def test_percentiles_are_within_two_per_cent() -> None:
    tally = Tally(500)
    dice = random.Random(7)  # noqa: S311  (the same figures every time)
    took = [dice.lognormvariate(-4, 1) for _ in range(20_000)]
    for seconds in took:
        tally.answered("v1", "web-1", seconds)
    counts, took = tally.counts(40.0), sorted(took)
    assert counts.p50 == pytest.approx(took[10_000], rel=0.02)
    assert counts.p99 == pytest.approx(took[19_800], rel=0.02)
    assert counts.worst == took[-1]


def test_a_rate_that_was_not_reached_is_not_claimed() -> None:
    tally = Tally(500, late_after=0.1)
    for _ in range(400):
        tally.sent(0.0)
    assert tally.counts(1.0).rate == 400
    assert not tally.counts(1.0).kept_rate
    assert tally.counts(0.8).kept_rate


def test_a_rate_that_was_made_up_for_in_one_go_is_not_claimed_either() -> None:
    tally = Tally(500, late_after=0.1)
    for _ in range(450):
        tally.sent(0.0)
    for _ in range(50):
        tally.sent(0.3)
    counts = tally.counts(1.0)
    assert (counts.rate, counts.late, counts.worst_late) == (500, 50, 0.3)
    assert not counts.kept_rate


def test_each_outcome_has_its_count() -> None:
    tally = Tally(500)
    tally.answered("v1", "web-1", 0.01)
    tally.answered("v2", "web-1", 0.01)
    tally.failed("status 503")
    tally.retried()
    counts = tally.counts(1.0, ended=True)
    assert (counts.ok, counts.failed, counts.retried) == (2, 1, 1)
    assert counts.versions == {"v1": 1, "v2": 1}
    assert counts.hosts == {"web-1": 2}
    assert counts.reasons == {"status 503": 1}


def test_what_happens_lately_is_told_apart_from_the_whole() -> None:
    tally = Tally(100)
    for second in range(1, 6):
        for _ in range(100):
            tally.sent(0.0)
            tally.answered("v1" if second < 5 else "v2", "web-1", 0.01)
        counts = tally.counts(float(second))
    assert counts.lately == pytest.approx(100)
    assert counts.versions_lately == {"v1": 0, "v2": pytest.approx(100)}


def test_counts_are_read_as_they_were_written() -> None:
    tally = Tally(500)
    tally.sent(0.0)
    tally.answered("v1", "web-1", 0.01)
    counts = tally.counts(1.0)
    assert read_counts(counts.written()) == counts
