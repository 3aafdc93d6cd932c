"""What is counted as deployments run, and what is looked up when somebody reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.metrics.memory import MemoryCounters
from adapters.metrics.tally import Tally
from domain.deployments import CreateDeployment
from domain.errors import WorldError
from domain.metrics import (
    API_CALLS,
    CHANNEL_FAILING,
    DEAD_LETTERS,
    DEPLOYMENTS,
    EVENTS,
    EVENTS_LOST,
    EVENTS_WAITING,
    QUEUE_MESSAGES,
    UP,
    Series,
)
from domain.reports import AgentHello, AgentReports
from tasks.admitting import create_deployment
from tasks.beginning import begin
from tasks.measuring import count_call, count_events, gather
from tasks.recording import record
from tasks.runtime import World
from tasks.steering import stop
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import a_revision, outcomes_of


class Counting:
    """An engine that counts."""

    def __init__(self, engine: Engine) -> None:
        self.counters = MemoryCounters()
        self.tally = Tally(self.counters, every=3600)
        self.world: World = replace(engine.world(), meter=self.tally)

    def numbers(self) -> dict[Series, float]:
        self.tally.flush()
        return dict(gather(self.world, self.counters))


@pytest.fixture
def counting(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Counting:
    made = Counting(engine)
    monkeypatch.setattr("tasks.runtime._world", made.world)
    monkeypatch.setattr(engine.sent, "waiting", lambda queue: len(queue), raising=False)
    return made


def created(counting: Counting) -> str:
    request = CreateDeployment(application_name="shop", deployment_group_name="web", revision=a_revision())
    return create_deployment(counting.world, request)


def test_deployments_are_there_by_status_and_counted_once_when_they_end(engine: Engine, counting: Counting) -> None:
    first = created(counting)
    assert counting.numbers()[Series(DEPLOYMENTS.name, ("Created",))] == 1
    stop(counting.world, first)
    engine.hosts.names = ()
    second = created(counting)
    begin(second)
    begin(second)
    numbers = counting.numbers()
    assert numbers[Series(DEPLOYMENTS.name, ("Created",))] == 0
    ended = {series.labels: value for series, value in numbers.items() if series.family.endswith("ended_total")}
    assert ended == {("Stopped",): 1, ("Failed",): 1}


def test_channels_are_told_apart(engine: Engine, counting: Counting) -> None:
    created(counting)
    engine.store.serve(["exchange", "webhook:chat"], now=engine.now)
    engine.store.told("exchange", before=0, after=1)
    engine.store.hold("webhook:chat", before=0, tries=2, since=engine.now - 30, again_at=engine.now, why="away")
    numbers = counting.numbers()
    found = {
        channel: [
            numbers[Series(family.name, (channel,))]
            for family in (EVENTS_WAITING, EVENTS_LOST, DEAD_LETTERS, CHANNEL_FAILING)
        ]
        for channel in ("exchange", "webhook:chat")
    }
    assert found == {"exchange": [0, 0, 0, 0], "webhook:chat": [1, 0, 0, 30]}


def test_events_are_counted_by_outcome_and_timed_if_they_ran(counting: Counting) -> None:
    count_events(counting.tally, outcomes_of("sf-"))
    numbers = counting.numbers()
    assert {s.labels: v for s, v in numbers.items() if s.family == EVENTS.name} == {
        ("ApplicationStop", "Succeeded"): 1,
        ("DownloadBundle", "Failed"): 1,
        ("BeforeInstall", "Skipped"): 1,
    }
    timed = {series.labels for series in numbers if series.part == "1.0"}
    assert timed == {("ApplicationStop",), ("DownloadBundle",)}


def test_calls_are_counted_by_code(counting: Counting) -> None:
    count_call(counting.tally, "GetDeployment", "", 0.2)
    count_call(counting.tally, "GetDeployment", "DeploymentDoesNotExistException", 0.1)
    numbers = counting.numbers()
    assert numbers[Series(API_CALLS.name, ("GetDeployment", "OK"))] == 1
    assert numbers[Series(API_CALLS.name, ("GetDeployment", "DeploymentDoesNotExistException"))] == 1


def test_agents_are_counted_as_they_are_heard_of(engine: Engine, counting: Counting) -> None:
    record(counting.world, [AgentReports(host="web-1", reports=(AgentHello(host="web-1", at=engine.now),))])
    engine.now += 61
    record(counting.world, [AgentReports(host="web-2", reports=(AgentHello(host="web-2", at=engine.now),))])
    numbers = counting.numbers()
    assert numbers[Series("slipway_agents_known")] == 2
    assert numbers[Series("slipway_agents_seen")] == 1


def test_a_broker_that_is_away_leaves_the_rest(
    engine: Engine, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(queue: str) -> Any:
        raise WorldError("the broker does not answer")

    assert counting.numbers()[Series(QUEUE_MESSAGES.name, ("slipway.control",))] == len("slipway.control")
    monkeypatch.setattr(engine.sent, "waiting", away, raising=False)
    numbers = counting.numbers()
    assert (numbers[Series(UP.name, ("store",))], numbers[Series(UP.name, ("broker",))]) == (1, 0)
    assert not [series for series in numbers if series.family == QUEUE_MESSAGES.name]
