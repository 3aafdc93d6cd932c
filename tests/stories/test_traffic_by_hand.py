"""What the stories of traffic stand on, with nobody deploying: a real HAProxy and real applications lose no request
while hosts are drained, replaced and put back, and every request that is lost is seen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.traffic.counts import Counts
from cli.traffic.haproxy import BACKEND, HAProxy
from cli.traffic.load_process import LoadBroke, LoadProcess
from tests.balanced import Applications, applications, put_back, take_out
from tests.services import wait_until

HOSTS = ("web-1", "web-2", "web-3", "web-4")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Applications, HAProxy]]:
    with applications(tmp_path, HOSTS) as running:
        yield running


def nothing_was_lost(counts: Counts) -> None:
    assert counts.reasons == {}
    assert (counts.failed, counts.retried, counts.ok) == (0, 0, counts.sent)
    assert counts.rate >= 0.99 * 500


def answered_by(load: LoadProcess, version: str, count: int) -> None:
    wait_until(lambda: load.counts().versions.get(version, 0) >= count, f"{count} answers of {version}")


def test_hosts_that_are_drained_replaced_and_put_back_lose_nothing(
    place: tuple[Applications, HAProxy], tmp_path: Path
) -> None:
    running, balancer = place
    with LoadProcess(tmp_path, balancer.port) as load:
        answered_by(load, "v1", 200)
        for host in HOSTS:
            take_out(balancer, host)
            running.stop(host)
            running.start(host, "v2")
            put_back(balancer, host)
        before = load.counts().versions["v2"]
        answered_by(load, "v2", before + 200)
        counts = load.end()
    nothing_was_lost(counts)
    assert set(counts.versions) == {"v1", "v2"}
    assert set(counts.hosts) == set(HOSTS)


def test_traffic_that_goes_from_blue_to_green_loses_nothing(tmp_path: Path) -> None:
    blue, green = ("blue-1", "blue-2"), ("green-1", "green-2")
    with applications(tmp_path, blue, green) as (running, balancer), LoadProcess(tmp_path, balancer.port) as load:
        answered_by(load, "v1", 100)
        for host in green:
            running.start(host, "v2")
            put_back(balancer, host)
        for host in blue:
            take_out(balancer, host)
            running.stop(host)
        answered_by(load, "v2", load.counts().versions["v2"] + 100)
        counts = load.end()
    nothing_was_lost(counts)
    assert set(counts.hosts) == {*blue, *green}


@pytest.mark.parametrize("state", ["drain", "maint"])
def test_a_version_that_is_never_healthy_never_answers(
    place: tuple[Applications, HAProxy], tmp_path: Path, state: str
) -> None:
    running, balancer = place
    with LoadProcess(tmp_path, balancer.port) as load:
        answered_by(load, "v1", 50)
        take_out(balancer, "web-1")
        balancer.ask(f"set server {BACKEND}/web-1 state {state}")
        running.stop("web-1")
        running.start("web-1", "v2", healthy=False)
        with pytest.raises(AssertionError, match="health of web-1"):
            put_back(balancer, "web-1", limit=1.0)
        counts = load.end()
    nothing_was_lost(counts)
    assert set(counts.versions) == {"v1"}


def test_a_host_that_is_stopped_while_it_has_traffic_is_found_out(
    place: tuple[Applications, HAProxy], tmp_path: Path
) -> None:
    running, balancer = place
    with LoadProcess(tmp_path, balancer.port) as load:
        answered_by(load, "v1", 200)
        running.stop("web-1")
        wait_until(lambda: load.counts().failed, "a lost request")
        wait_until(lambda: "DOWN" in balancer.statuses()["web-1"], "the balancer's notice")
        counts = load.end()
    assert counts.failed > 0
    assert set(counts.reasons) <= {"status 502", "status 503", "closed"}
    assert counts.rate >= 0.99 * 500


def test_a_load_that_cannot_keep_its_rate_says_so(place: tuple[Applications, HAProxy], tmp_path: Path) -> None:
    _, balancer = place
    with LoadProcess(tmp_path, balancer.port, rate=30_000) as load:
        wait_until(lambda: load.counts().sent > 3_000, "some requests")
        counts = load.counts()
    assert not counts.kept_rate
    assert counts.late > 0


def test_the_load_costs_little_of_one_core(place: tuple[Applications, HAProxy], tmp_path: Path) -> None:
    _, balancer = place
    with LoadProcess(tmp_path, balancer.port) as load:
        answered_by(load, "v1", 100)
        before, began = processor_seconds(load.pid), time.monotonic()
        answered_by(load, "v1", 1_000)
        share = (processor_seconds(load.pid) - before) / (time.monotonic() - began)
    assert share < 0.5


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_a_load_that_ended_by_itself_is_not_taken_for_one_that_runs(tmp_path: Path) -> None:
    with (
        pytest.raises(LoadBroke, match="invalid"),
        LoadProcess(tmp_path, 1, rate="many"),  # type: ignore[arg-type]
    ):
        pass
