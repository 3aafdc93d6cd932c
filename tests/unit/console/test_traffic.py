"""The counter of requests, as text."""

from __future__ import annotations

from dataclasses import replace

from console.traffic import TrafficView, draw_traffic, traffic_totals
from tests.unit.console.drawing import as_text

CALM = TrafficView(
    asked=500,
    rate=499.6,
    answered=12_345,
    failed=0,
    p50=0.0193,
    p99=0.033,
    worst=0.5021,
    versions={"v1": 8_123, "v2": 4_222},
    rates={"v2": 498.0},
)


def test_it_counts_by_version_and_says_that_none_was_lost() -> None:
    first, old, new = as_text(draw_traffic(CALM)).splitlines()
    assert first.split("  ") == [
        *("traffic", "12,345 ok", "0 failed", "500 of 500/s", "p50 19 ms", "p99 33 ms", "worst 502 ms")
    ]
    assert old.split()[0] == "v1"
    assert old.split()[-3:] == ["0/s", "8,123", "requests"]
    assert new.split()[-3:] == ["498/s", "4,222", "requests"]


def test_it_hides_no_lost_repeated_or_late_request() -> None:
    troubled = replace(CALM, failed=3, retried=2, late=41, reasons={"status 503": 2, "refused": 1})
    text = " ".join(as_text(draw_traffic(troubled)).split())
    for part in ("3 failed", "2 retried", "41 sent late", "2 × status 503, 1 × refused"):
        assert part in text


def test_it_can_be_drawn_before_anything_was_sent() -> None:
    empty = TrafficView(asked=500, rate=0, answered=0, failed=0, p50=0, p99=0, worst=0, versions={})
    assert "0 ok" in as_text(draw_traffic(empty))
    assert traffic_totals(empty) == "requests by version: none answered; failed: 0"


def test_the_last_word_is_one_line() -> None:
    assert traffic_totals(CALM) == "requests by version: v1: 8,123, v2: 4,222; failed: 0"
    lost = replace(CALM, failed=2, reasons={"status 503": 2})
    assert traffic_totals(lost).endswith("failed: 2 (2 × status 503)")
