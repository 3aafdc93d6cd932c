"""The watch goes on past what it cannot look at, and gives no agent up that nobody could have heard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from domain.deployments import Deployment, EventRecord, Lane
from domain.errors import WorldError
from domain.group_options import DeploymentStyle
from domain.lifecycle import Event
from domain.moves import Change, Due, Heard
from domain.reports import AgentHello, AgentReports, BundleSource, EventStatus
from tasks.recording import nobody_listens, record, say_listening
from tasks.watch import look_at_deployments, look_at_lanes
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import NOW, a_deployment, taken
from workers import ears, watch
from workers.ears import Ears
from workers.slots import Slots
from workflows import timeouts
from workflows.agents import FORGOTTEN


def a_lane(engine: Engine, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Lanes 0 to `number` - 1 that wait for agents that were never heard of."""
    deployment = a_deployment()
    engine.store.admit(deployment, token=None, queue=False)
    lanes = [Due(deployment.deployment_id, 0, lane, NOW) for lane in range(number)]
    held = iter([lanes])
    monkeypatch.setattr(engine.store, "due", lambda *_, **__: next(held, []))
    monkeypatch.setattr(
        engine.store,
        "watched",
        lambda due: [
            (
                Lane(number=each.lane, step=1, target_id=f"web-{each.lane}", attempt="t-1", taken_at=NOW - 60),
                taken(f"web-{each.lane}"),
            )
            for each in due
        ],
    )


def postponed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lanes whose next look is put off, as they are."""
    lanes: list[int] = []
    monkeypatch.setattr(engine.store, "postpone", lambda looks: lanes.extend(due.lane for due, _ in looks))
    return lanes


@pytest.mark.parametrize("where", ["judged", "moved"])
def test_a_lane_that_meets_a_bug_keeps_no_other_waiting(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    a_lane(engine, monkeypatch, 2)
    honest = timeouts.judge

    def odd_judge(deployment: Deployment, events: Sequence[Event], lane: Lane, *rest: Any, **more: Any) -> Any:
        if lane.number == 0 and where == "judged":
            raise ValueError("a bug")
        return honest(deployment, events, lane, *rest, **more)

    def odd_queue(queue: str) -> int:
        if queue == "host.web-0":
            raise ValueError("a bug")
        return 0

    monkeypatch.setattr(timeouts, "judge", odd_judge)
    monkeypatch.setattr(engine.sent, "waiting", odd_queue, raising=False)
    put_off = postponed(engine, monkeypatch)
    assert look_at_lanes(engine.world(), listening_since=lambda: NOW - 60) == 2
    assert put_off == [0, 1]
    assert [args[2].number for args in engine.sent.named("run_host")] == [1]


def test_what_is_sent_again_does_not_outlive_the_lane(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever took it later would begin an event of a host that was given up."""
    a_lane(engine, monkeypatch, 1)
    sent: list[dict[str, float]] = []
    monkeypatch.setattr(engine.sent, "waiting", lambda _: 0, raising=False)
    monkeypatch.setattr(engine.sent, "run_host", lambda *_, **more: sent.append(more), raising=False)
    engine.now = NOW + 190
    engine.store.record([Heard(AgentHello(host="web-0", at=engine.now, ahead=7, every=10, slots=1))])
    look_at_lanes(engine.world(), listening_since=lambda: NOW - 60)
    # It waits since sixty seconds before now, and has three hundred.
    assert sent == [{"good_for": 50, "ahead": 7}]


def test_what_takes_too_long_to_be_made_is_not_sent_any_more(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    a_lane(engine, monkeypatch, 1)
    engine.now = NOW + 230

    def slow(*_: object, **__: object) -> BundleSource:
        engine.now += 60
        return BundleSource(location="http://127.0.0.1/bundle", bundle_type="zip")

    monkeypatch.setattr(engine.sent, "waiting", lambda _: 0, raising=False)
    monkeypatch.setattr(engine.links, "source_of", slow)
    look_at_lanes(engine.world(), listening_since=lambda: NOW - 60)
    assert not engine.sent.named("run_host")


def test_what_waits_in_a_hosts_queue_is_not_sent_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    a_lane(engine, monkeypatch, 2)
    backlog = {"host.web-0": 3, "host.web-1": 0}
    monkeypatch.setattr(engine.sent, "waiting", backlog.__getitem__, raising=False)
    put_off = postponed(engine, monkeypatch)
    look_at_lanes(engine.world(), listening_since=lambda: NOW - 60)
    assert [args[2].number for args in engine.sent.named("run_host")] == [1]
    assert put_off == [0, 1]


def test_what_has_expired_is_sent_again_whatever_waits_there(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of others may wait in the same queue."""
    a_lane(engine, monkeypatch, 1)
    monkeypatch.setattr(engine.sent, "waiting", lambda _: 3, raising=False)
    hello = AgentHello(host="web-0", at=NOW, running=1, slots=1, every=10, full_at=NOW)
    engine.store.record([Heard(hello)])
    engine.now = NOW + 245
    engine.store.record([Heard(hello.model_copy(update={"at": engine.now, "full_at": engine.now}))])
    put_off = postponed(engine, monkeypatch)
    look_at_lanes(engine.world(), listening_since=lambda: NOW - 60)
    assert put_off == [0]
    assert [args[2].number for args in engine.sent.named("run_host")] == [0]


def test_who_waits_for_a_busy_agent_is_not_given_up_at_the_first_word_of_the_next_one(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_lane(engine, monkeypatch, 1)
    engine.now = NOW + 1000
    slots = Slots(1, now=lambda: engine.now)
    load = slots.load()
    hello = AgentHello(host="web-0", at=engine.now, every=10, running=0, slots=load.slots, full_at=load.full_at)
    record(engine.world(), [AgentReports(host="web-0", reports=(hello,))])
    monkeypatch.setattr(engine.sent, "waiting", lambda _: 0, raising=False)
    look_at_lanes(engine.world(), listening_since=lambda: NOW - 60)
    assert len(engine.sent.named("run_host")) == 1
    assert not engine.sent.named("continue_lane")


def test_every_agent_is_told_that_its_host_was_given_up_also_one_that_seems_dead(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may only be stopped, and would go on."""
    a_lane(engine, monkeypatch, 2)
    engine.now = NOW + 300
    engine.store.record([Heard(AgentHello(host="web-1", at=engine.now, every=10, slots=1))])
    told: list[object] = []
    monkeypatch.setattr(engine.sent, "stop_hosts", lambda _, **more: told.append(more), raising=False)
    look_at_lanes(engine.world(), listening_since=lambda: NOW - 60)
    assert len(engine.sent.named("continue_lane")) == 2
    assert told == [{"now": True, "agents": [name]} for name in ("web-0", "web-1")]


@pytest.mark.parametrize(("taken_back", "heard"), [(1, NOW - 62), (0, NOW - 5), (0, NOW - 62)])
def test_in_a_stop_a_host_is_skipped_only_if_its_agent_cannot_have_begun(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, taken_back: int, heard: float
) -> None:
    a_lane(engine, monkeypatch, 1)
    stopped: dict[str, Any] = {"stopping": {"code": "MANUAL_STOP", "message": "stopped"}, "stopping_at": NOW - 50}
    engine.store.change("d-AAAAAAAAA", lambda _: Change(a_deployment(**stopped)))
    engine.now = heard
    engine.store.record([Heard(AgentHello(host="web-0", at=heard, every=10, slots=1))])
    engine.now = NOW
    monkeypatch.setattr(engine.sent, "withdraw", lambda *_: taken_back, raising=False)
    look_at_lanes(engine.world(), listening_since=lambda: NOW - 600)
    sent = [args[3] for args in engine.sent.named("continue_lane")]
    assert [report.outcomes for report in sent] == ([()] if taken_back or heard > NOW - 48 else [])


def test_hosts_that_are_no_more_are_looked_for_at_intervals_while_something_runs(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "EVERY", 0.0)
    monkeypatch.setattr(ears, "nobody_listens", lambda _: False)

    def looks(seconds: int) -> int:
        end, until = threading.Event(), engine.now + seconds
        world = engine.world()

        def tick() -> float:
            engine.now += 0.5
            if engine.now >= until:
                end.set()
            return engine.now

        watch.run_watch(replace(world, now=tick), end)
        return len(engine.sent.named("look_for_vanished"))

    assert looks(60) == 0
    engine.store.admit(a_deployment(), token=None, queue=False)
    assert looks(60) in {4, 5}


def test_what_agents_left_unacknowledged_is_forgotten_once_an_hour(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "EVERY", 0.0)
    monkeypatch.setattr(ears, "nobody_listens", lambda _: False)
    end, start = threading.Event(), engine.now

    def tick() -> float:
        engine.now += 10
        if engine.now >= start + 2.5 * watch.FORGET_EVERY:
            end.set()
        return engine.now

    watch.run_watch(replace(engine.world(), now=tick), end)
    moments = [before for (before,) in engine.sent.named("forget_unacked")]
    assert len(moments) == 3
    assert all(later - sooner >= watch.FORGET_EVERY for sooner, later in pairwise(moments))
    assert moments[0] <= engine.now - FORGOTTEN


def test_a_store_that_is_away_ends_the_round(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    a_lane(engine, monkeypatch, 1)

    def away(_: object) -> None:
        raise WorldError("away")

    monkeypatch.setattr(engine.store, "seen", away)
    with pytest.raises(WorldError):
        look_at_lanes(engine.world(), listening_since=lambda: NOW - 60)


def test_a_host_whose_revision_is_out_of_reach_fails_at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    a_lane(engine, monkeypatch, 1)
    engine.links.gone = True
    look_at_lanes(engine.world(), listening_since=lambda: NOW - 60)
    ((_, _, _, report),) = engine.sent.named("continue_lane")
    assert report.order.source is None
    assert [outcome.status for outcome in report.outcomes] == [EventStatus.FAILED]
    assert "not to be reached any more" in report.outcomes[0].diagnostics.message


def test_a_place_of_revisions_that_is_away_ends_no_round(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    a_lane(engine, monkeypatch, 2)
    engine.links.fault = WorldError("S3 does not answer")
    put_off = postponed(engine, monkeypatch)
    assert look_at_lanes(engine.world(), listening_since=lambda: NOW - 60) == 2
    assert put_off == [0, 1]
    assert not engine.sent.named("run_host")


def test_the_watch_lives_through_a_bug(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    end, rounds = threading.Event(), []

    def broken(*_: object, **__: object) -> None:
        rounds.append(1)
        if len(rounds) == 3:
            end.set()
        raise ValueError("a bug")

    monkeypatch.setattr(watch, "round_of_watch", broken)
    monkeypatch.setattr(watch, "EVERY", 0.0)
    watch.run_watch(engine.world(), end)
    assert len(rounds) == 3


@pytest.mark.parametrize("where", ["due", "watched", "seen"])
def test_silence_counts_from_the_return_of_a_store_that_was_away_in_the_middle_of_a_look(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    engine.store.record([Heard(AgentHello(host="web-0", at=NOW, every=1))])
    a_lane(engine, monkeypatch, 1)
    running = taken("web-0", events={Event.APPLICATION_STOP: EventRecord(status="InProgress", start_time=NOW - 5)})
    lane = Lane(number=0, step=1, target_id="web-0", attempt="t-1", taken_at=NOW - 60)
    monkeypatch.setattr(engine.store, "watched", lambda due: [(lane, running) for _ in due])
    honest = getattr(engine.store, where)

    def answer_late(*given: object, **named: object) -> object:
        engine.now = NOW + 1000
        return honest(*given, **named)

    since = Ears(engine.world()).since
    monkeypatch.setattr(engine.store, where, answer_late)
    look_at_lanes(engine.world(), listening_since=since)
    assert engine.now == NOW + 1000
    assert not engine.sent.named("continue_lane")


def test_a_broker_that_does_not_answer_has_heard_nobody(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()
    since: list[float] = []

    def look(_: object, *, listening_since: Callable[[], float], **__: bool) -> None:
        since.append(listening_since() - NOW)
        engine.now += 1
        if len(since) == 3:
            end.set()
        if len(since) == 2:
            raise WorldError("the broker is away")

    monkeypatch.setattr(ears, "EVERY", 3600.0)
    monkeypatch.setattr(ears, "nobody_listens", lambda _: False)
    monkeypatch.setattr(watch, "round_of_watch", look)
    monkeypatch.setattr(watch, "EVERY", 0.0)
    watch.run_watch(engine.world(), end)
    assert since == [0, 0, 2]


def test_a_recorder_is_heard_by_every_watch(engine: Engine) -> None:
    say_listening(engine.world())
    other = Engine(store=engine.store.peer())
    assert not nobody_listens(other.world())


@pytest.mark.parametrize(("blue_green", "limit"), [(False, 43_200), (True, 392_400)])
def test_a_deployment_that_runs_too_long_is_ended_with_that_reason(
    engine: Engine, blue_green: bool, limit: int
) -> None:
    kind = "BLUE_GREEN" if blue_green else "IN_PLACE"
    style = DeploymentStyle(deployment_type=kind, deployment_option="WITHOUT_TRAFFIC_CONTROL")
    deployment = a_deployment(start_time=NOW, deployment_style=style)
    engine.store.admit(deployment, token=None, queue=False)

    def after(seconds: float) -> Deployment:
        engine.now = NOW + seconds
        look_at_deployments(engine.world())
        found = engine.store.deployment(deployment.deployment_id)
        assert found is not None
        return found

    assert after(limit - 1).stopping is None
    stopping = after(limit).stopping
    assert stopping is not None
    assert (stopping.code, stopping.message) == ("TIMEOUT", f"The deployment ran longer than {limit} seconds.")
    assert engine.sent.named("stop_hosts") == [(deployment.deployment_id,)]
