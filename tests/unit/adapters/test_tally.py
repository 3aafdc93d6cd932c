"""What a process counts reaches the installation's counters now and then: all of it, once."""

from __future__ import annotations

import threading

import pytest

from adapters.metrics.memory import MemoryCounters
from adapters.metrics.tally import MOST_LABELS, Tally
from domain.errors import WorldError
from domain.metrics import API_CALLS, API_SECONDS, DEPLOYMENTS_ENDED, Counts, Series
from tests.services import wait_until

ENDED = Series(DEPLOYMENTS_ENDED.name, ("Succeeded",))


class Flaky(MemoryCounters):
    """Adds and says that it did not, as often as it is told."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    def add(self, counts: Counts, *, mark: str) -> None:
        super().add(counts, mark=mark)
        if self.failures:
            self.failures -= 1
            raise WorldError("the answer was lost")


def test_what_was_counted_comes_by_itself() -> None:
    counters = MemoryCounters()
    tally = Tally(counters, every=0.01)
    tally.count(DEPLOYMENTS_ENDED, "Succeeded")
    wait_until(counters.read, "the flush", limit=5)
    assert counters.read() == {ENDED: 1.0}
    tally.close()


def test_counting_asks_nobody() -> None:
    counters = MemoryCounters()
    tally = Tally(counters, every=3600)
    for _ in range(3):
        tally.count(DEPLOYMENTS_ENDED, "Succeeded")
    assert counters.read() == {}
    tally.close()
    assert counters.read() == {ENDED: 3.0}


def test_a_lost_answer_counts_nothing_twice_and_loses_nothing() -> None:
    counters = Flaky(2)
    tally = Tally(counters, every=3600)
    tally.count(DEPLOYMENTS_ENDED, "Succeeded")
    for _ in range(2):
        with pytest.raises(WorldError):
            tally.flush()
        tally.count(DEPLOYMENTS_ENDED, "Succeeded")
    tally.flush()
    assert counters.read() == {ENDED: 3.0}


def test_threads_do_not_count_over_each_other() -> None:
    counters = MemoryCounters()
    tally = Tally(counters, every=0.001)

    def count() -> None:
        for _ in range(500):
            tally.count(DEPLOYMENTS_ENDED, "Succeeded")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.close()
    assert counters.read() == {ENDED: 2000.0}


def test_labels_without_end_are_counted_as_one() -> None:
    counters = MemoryCounters()
    tally = Tally(counters, every=3600)
    for number in range(MOST_LABELS + 50):
        tally.count(API_CALLS, f"Operation{number}", "OK")
    tally.close()
    assert len(counters.read()) == MOST_LABELS + 1
    assert counters.read()[Series(API_CALLS.name, ("other", "other"))] == 50.0


def test_a_forked_child_tells_only_what_it_counted_itself() -> None:
    counters = MemoryCounters()
    tally = Tally(counters, every=3600)
    tally.count(DEPLOYMENTS_ENDED, "Succeeded")
    # What a fork calls in the child; a real one would take this test's threads with it.
    tally._reset()
    tally.observe(API_SECONDS, 0.3, "GetDeployment")
    tally.close()
    assert ENDED not in counters.read()
    assert counters.read()[Series(API_SECONDS.name, ("GetDeployment",), "0.5")] == 1.0
