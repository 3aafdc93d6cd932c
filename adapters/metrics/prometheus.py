"""Numbers as Prometheus reads them, in its text format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from domain.metrics import FAMILIES, SUM, UNBOUNDED, Counts, Family, Kind, Series, bound_text

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class _Numbers(Collector):
    def __init__(self, numbers: Counts) -> None:
        self._numbers = numbers

    def collect(self) -> Iterable[Metric]:
        for family in FAMILIES:
            labels = sorted({series.labels for series in self._numbers if series.family == family.name})
            yield _metric(family, labels, self._numbers)


def render(numbers: Counts) -> bytes:
    """Every family, also those of which there is nothing yet."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(numbers))
    return generate_latest(registry)


def _metric(family: Family, labels: list[tuple[str, ...]], numbers: Counts) -> Metric:
    if family.kind is Kind.HISTOGRAM:
        shown = HistogramMetricFamily(family.name, family.meaning, labels=family.labels)
        for each in labels:
            shown.add_metric(each, list(_cumulative(family, each, numbers)), numbers.get(_of(family, each, SUM), 0.0))
        return shown
    kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
    metric = kind(family.name, family.meaning, labels=family.labels)
    for each in labels:
        metric.add_metric(each, numbers[_of(family, each)])
    return metric


def _cumulative(family: Family, labels: tuple[str, ...], numbers: Counts) -> Iterator[tuple[str, float]]:
    so_far = 0.0
    for bound in (*map(bound_text, family.buckets), UNBOUNDED):
        so_far += numbers.get(_of(family, labels, bound), 0.0)
        yield bound, so_far


def _of(family: Family, labels: tuple[str, ...], part: str = "") -> Series:
    return Series(family.name, labels, part)
