"""Numbers in Prometheus' text format, read back by Prometheus' own parser."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from adapters.metrics.prometheus import render
from docs import make_metrics
from domain.metrics import EVENT_SECONDS, FAMILIES, QUEUE_MESSAGES, Kind, Series, observed


def samples(numbers: dict[Series, float]) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(render(numbers).decode())
        for sample in family.samples
    }


def test_every_family_is_described_even_with_nothing_in_it() -> None:
    text = render({}).decode()
    for family in FAMILIES:
        assert f"# HELP {family.name} {family.meaning}\n# TYPE {family.name} {family.kind}\n" in text


def test_labels_hold_whatever_they_hold() -> None:
    odd = 'a"b\\c\nd'
    assert samples({Series(QUEUE_MESSAGES.name, (odd,)): 3.0}) == {(QUEUE_MESSAGES.name, (odd,)): 3.0}


@given(st.lists(st.floats(0, 10_000), min_size=1, max_size=30))
def test_a_histogram_counts_every_observation(seconds: list[float]) -> None:
    numbers: dict[Series, float] = {}
    for each in seconds:
        for series, amount in observed(EVENT_SECONDS, each, ("Install",)).items():
            numbers[series] = numbers.get(series, 0) + amount
    found = samples(numbers)
    assert found[f"{EVENT_SECONDS.name}_count", ("Install",)] == len(seconds)
    for bound in EVENT_SECONDS.buckets:
        below = found[f"{EVENT_SECONDS.name}_bucket", ("Install", f"{float(bound)}")]
        assert below == sum(each <= bound for each in seconds)
    assert abs(found[f"{EVENT_SECONDS.name}_sum", ("Install",)] - sum(seconds)) < 0.001


def test_the_families_are_named_as_prometheus_advises() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert family.name.startswith("slipway_")
        assert family.name.endswith("_total") is (family.kind is Kind.COUNTER)
        assert bool(family.buckets) is (family.kind is Kind.HISTOGRAM)
        assert not set(family.labels) & {"deployment_id", "host", "target", "instance"}


def test_the_page_of_metrics_is_made_from_the_table() -> None:
    """`python docs/make_metrics.py` writes it anew."""
    assert make_metrics.PAGE.read_text(encoding="utf-8") == make_metrics.page()
