"""Hosts at work that are no more are given up, whoever else is at work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain import metrics
from domain.deployments import Lane, Phase, TargetRecord, TargetStatus
from domain.errors import CannotBegin, WorldError
from domain.fleet import Fate
from domain.lifecycle import Event
from domain.moves import Due
from domain.reports import EventStatus
from tasks import runtime
from tasks.vanished import _looking, give_up_vanished, vanished
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import EVENTS, NOW, a_deployment, held, taken
from workflows.events import events_for


class Counting:
    """A meter that keeps what was counted."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, ...]] = []

    def count(self, family: metrics.Family, *labels: str) -> None:
        self.counted.append((family.name, *labels))

    def observe(self, *_: Any) -> None:
        """Nothing."""


def at_work(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, *records: TargetRecord, events: tuple[Event, ...] = EVENTS
) -> None:
    """A deployment whose lanes work on these."""
    phase = Phase(count=len(records), lanes=len(records), events=events)
    engine.store.admit(a_deployment(phases=(phase,)), token=None, queue=False)

    def watched(due: list[Due]) -> list[tuple[Lane, TargetRecord]]:
        return [(Lane(number=each.lane, step=1, attempt="t-1", taken_at=NOW), records[each.lane]) for each in due]

    monkeypatch.setattr(engine.store, "watched", watched)


def failures(engine: Engine) -> dict[str, str]:
    reports = [args[3] for args in engine.sent.named("continue_lane")]
    return {each.order.target_id: each.outcomes[-1].diagnostics.message for each in reports}


def test_each_that_is_gone_is_given_up_and_no_other(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    running = {EVENTS[0]: held(EventStatus.IN_PROGRESS, start=NOW)}
    at_work(engine, monkeypatch, taken("web-1", events=running), taken("web-2"), taken("web-3"))
    engine.hosts.fates = {"web-1": Fate.TERMINATED, "web-3": Fate.DEREGISTERED, "web-9": Fate.TERMINATED}
    assert give_up_vanished(engine.world()) == 2
    assert failures(engine) == {
        "web-1": "The instance was terminated while this event ran.",
        "web-3": "The instance was deregistered while the deployment was under way, before this event began.",
    }
    assert engine.sent.named("withdraw") == [("host.web-1", "d-AAAAAAAAA"), ("host.web-3", "d-AAAAAAAAA")]
    # The next deployment of the group may begin as soon as the lane has moved.
    assert [said for said, _ in engine.sent.said] == 2 * ["withdraw", "stop_hosts", "continue_lane"]


def test_a_host_at_the_load_balancer_is_given_up_too(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    behind = events_for(load_balancer=True)
    known = {
        behind[0]: held(EventStatus.SUCCEEDED, start=NOW, end=NOW),
        Event.BLOCK_TRAFFIC: held(EventStatus.IN_PROGRESS, start=NOW),
    }
    at_work(engine, monkeypatch, taken(events=known), events=behind)
    engine.hosts.fates = {"web-1": Fate.TERMINATED}
    assert give_up_vanished(engine.world()) == 1
    ((_, _, _, report),) = engine.sent.named("continue_lane")
    assert report.outcomes[-1].event is Event.BLOCK_TRAFFIC


def test_they_are_counted_by_what_became_of_them(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    at_work(engine, monkeypatch, taken())
    engine.hosts.fates = {"web-1": Fate.TERMINATED}
    meter = Counting()
    give_up_vanished(replace(engine.world(), meter=meter))
    assert meter.counted == [("slipway_hosts_given_up_total", "terminated")]


def test_those_that_are_done_are_left_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    done = {event: held(EventStatus.SUCCEEDED, start=NOW, end=NOW) for event in EVENTS}
    ended = taken("web-2").model_copy(update={"status": TargetStatus.SUCCEEDED})
    at_work(engine, monkeypatch, taken(events=done), ended)
    engine.hosts.fates = {"web-1": Fate.TERMINATED, "web-2": Fate.TERMINATED}
    assert give_up_vanished(engine.world()) == 0
    assert not engine.sent.said


def test_nobody_is_asked_while_nothing_is_at_work(engine: Engine) -> None:
    engine.hosts.trouble = WorldError("away")
    assert give_up_vanished(engine.world()) == 0


@pytest.mark.parametrize("error", [WorldError("EC2 is away"), CannotBegin("no rights")])
def test_a_fleet_that_does_not_answer_is_asked_again_later(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    at_work(engine, monkeypatch, taken())
    engine.hosts.trouble = error
    monkeypatch.setattr(runtime, "_world", engine.world())
    vanished()
    assert not engine.sent.said
    assert not _looking.locked()


def test_one_thread_alone_waits_for_the_answer(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    at_work(engine, monkeypatch, taken())
    engine.hosts.fates = {"web-1": Fate.TERMINATED}
    monkeypatch.setattr(runtime, "_world", engine.world())
    with _looking:
        vanished()
    assert not engine.sent.said
    vanished()
    assert failures(engine)
