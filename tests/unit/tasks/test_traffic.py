"""BlockTraffic and AllowTraffic: one look at the balancers at a time, against balancers in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from celery.exceptions import Ignore, Retry

from adapters.load_balancers.memory import MemoryLoadBalancer, MemoryLoadBalancers
from domain.deployments import Phase, Progress, TargetRecord
from domain.fleet import Target
from domain.lifecycle import Event
from domain.limits import Limits
from domain.moves import Change, Heard, Step, Take
from domain.reports import EventFinished, EventStatus, HostReport, Outcome
from domain.traffic import Standing
from tasks import runtime
from tasks.leases import alone
from tasks.traffic import allow_traffic, block_traffic, look, undo_traffic
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import NOW, STOP, a_deployment, a_record, an_order, an_outcome
from workflows.balancing import LookAgain, next_look
from workflows.canvas import wire
from workflows.events import events_for

ID = a_deployment().deployment_id
BEHIND = events_for(load_balancer=True)
BLOCK, ALLOW = Event.BLOCK_TRAFFIC, Event.ALLOW_TRAFFIC
ORDER = an_order("web-1", event_limit=600)
LEFT = "back: draining, 1 requests left; front: out of service"


@pytest.fixture
def balancers() -> dict[str, MemoryLoadBalancer]:
    return {"front": MemoryLoadBalancer("web-1", "web-2"), "back": MemoryLoadBalancer("web-1")}


@pytest.fixture
def engine(balancers: dict[str, MemoryLoadBalancer]) -> Engine:
    engine = Engine(balancers=MemoryLoadBalancers(balancers))
    deployment = a_deployment(
        deployment_style={"deployment_option": "WITH_TRAFFIC_CONTROL"},
        load_balancer_info={"target_group_info_list": [{"name": "front"}], "elb_info_list": [{"name": "back"}]},
        phases=(Phase(count=2, lanes=1, events=BEHIND),),
    )
    engine.store.admit(deployment, token=None, queue=False)
    engine.store.lay_out(ID, [a_record("web-1"), a_record("web-2", index=1)])
    engine.store.open_phase(ID, 0, Progress(total=2, lanes=1), check_at=NOW)
    engine.store.advance(ID, 0, 0, lambda _: Step(None, Take("web-1", "t-1", NOW, NOW + 15)))
    runtime.enter(engine.world())
    return engine


def record(engine: Engine) -> TargetRecord:
    found = engine.store.target(ID, "web-1")
    assert found is not None
    return found


def test_a_host_is_let_go_once_every_balancer_has_no_request_for_it(
    engine: Engine, balancers: dict[str, MemoryLoadBalancer]
) -> None:
    balancers["back"].begin("web-1")
    assert look(engine.world(), BLOCK, ORDER) == LookAgain(0.1, LEFT)
    assert record(engine).events[BLOCK].status is EventStatus.IN_PROGRESS
    engine.now += 20
    assert look(engine.world(), BLOCK, ORDER) == LookAgain(2.0, LEFT)
    balancers["back"].end("web-1")
    outcome = look(engine.world(), BLOCK, ORDER)
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.start_time, outcome.end_time) == (EventStatus.SUCCEEDED, NOW, NOW + 20)
    assert record(engine).events[BLOCK].status is EventStatus.SUCCEEDED
    assert balancers["front"].serving == {"web-2"}


def lines(engine: Engine, event: Event = BLOCK) -> list[str]:
    return [line for chunk in engine.store.log(ID, "web-1", event.value) for line in chunk.lines]


def test_what_the_balancers_say_is_in_the_log_of_the_event_once(
    engine: Engine, balancers: dict[str, MemoryLoadBalancer], monkeypatch: pytest.MonkeyPatch
) -> None:
    said, written = "", list[int]()
    monkeypatch.setattr(engine.store, "record", spied(engine.store.record, written))
    start = "web-1 out of traffic at back, front"
    for _ in range(2):
        balancers["back"].begin("web-1")
    for number in range(6):
        if number == 3:
            balancers["back"].end("web-1")
        looked = look(engine.world(), BLOCK, ORDER, said)
        assert isinstance(looked, LookAgain)
        said = looked.said
        engine.now += 0.1
    two = "back: draining, 2 requests left; front: out of service"
    assert lines(engine) == [start, two, LEFT]
    # The start with its line; then a look is one write, with a line where there is news.
    assert written == [2, 2, 1, 1, 2, 1, 1]
    engine.now += 300
    assert isinstance(look(engine.world(), BLOCK, ORDER, said), Outcome)
    end = "back: gave up on requests in flight; front: out of service"
    assert lines(engine) == [start, two, LEFT, end]


def spied(record: Callable[[Sequence[Heard]], None], written: list[int]) -> Callable[[Sequence[Heard]], None]:
    def write(heard: Sequence[Heard]) -> None:
        written.append(len(heard))
        record(heard)

    return write


def test_a_look_that_is_made_again_hides_no_line_of_a_later_one(
    engine: Engine, balancers: dict[str, MemoryLoadBalancer]
) -> None:
    """Its worker died, or the watch sent the chain again: nobody knows what was said before."""
    balancers["back"].begin("web-1")
    for _ in range(2):
        look(engine.world(), BLOCK, ORDER)
        engine.now += 1
    balancers["back"].end("web-1")
    look(engine.world(), BLOCK, ORDER)
    assert lines(engine)[1:] == [LEFT, LEFT, "back: out of service; front: out of service"]


@pytest.mark.parametrize(
    ("detail", "done", "told"),
    [
        ("a\nb\x1b[31m", False, r"front: a\nb\x1b[31m"),
        ("x" * 5000, True, f"front: {'x' * 300}…"),
        ("", False, "front: not there yet"),
        ("", True, "front: done"),
    ],
    ids=["another line", "too long", "waiting", "done"],
)
def test_what_a_balancer_says_is_one_short_line(engine: Engine, detail: str, done: bool, told: str) -> None:
    class Speaks(MemoryLoadBalancer):
        def block(self, target: Target, *, waited: float) -> Standing:  # noqa: ARG002
            return Standing(done=done, detail=detail)

    engine.balancers = MemoryLoadBalancers({"front": Speaks(), "back": MemoryLoadBalancer()})
    look(engine.world(), BLOCK, ORDER)
    assert lines(engine)[1] == f"back: out of service; {told}"


def test_a_message_that_comes_again_is_answered_from_the_record(
    engine: Engine, balancers: dict[str, MemoryLoadBalancer]
) -> None:
    first = look(engine.world(), BLOCK, ORDER)
    asked = len(balancers["front"].calls)
    engine.now += 5
    assert look(engine.world(), BLOCK, ORDER) == first
    assert len(balancers["front"].calls) == asked


def test_each_look_keeps_the_watch_away_until_after_the_next(
    engine: Engine, balancers: dict[str, MemoryLoadBalancer]
) -> None:
    balancers["front"].begin("web-1")
    look(engine.world(), BLOCK, ORDER)
    for _ in range(30):
        engine.now += 2
        assert engine.store.due(engine.now) == []
        look(engine.world(), BLOCK, ORDER)
    (due,) = engine.store.due(engine.now + 2 + Limits().nudge_seconds)
    assert due.check_at > engine.now


def test_a_host_that_is_never_found_healthy_fails_and_is_taken_out_again(
    engine: Engine, balancers: dict[str, MemoryLoadBalancer]
) -> None:
    balancers["front"].ail("web-1")
    assert isinstance(look(engine.world(), ALLOW, ORDER), LookAgain)
    assert "web-1" in balancers["back"].serving
    engine.now += 600
    outcome = look(engine.world(), ALLOW, ORDER)
    assert isinstance(outcome, Outcome)
    assert outcome.status is EventStatus.FAILED
    assert outcome.diagnostics is not None
    assert outcome.diagnostics.message == (
        "The load balancer did not get there within 600 seconds; last it said: front: unhealthy."
    )
    balancers["front"].heal("web-1")
    assert "web-1" not in balancers["front"].serving | balancers["back"].serving


def test_a_balancer_that_is_away_is_asked_again_until_the_time_is_over(
    engine: Engine, balancers: dict[str, MemoryLoadBalancer]
) -> None:
    balancers["front"].go_away("connection refused")
    assert isinstance(look(engine.world(), BLOCK, ORDER), LookAgain)
    engine.now += 300
    balancers["front"].come_back()
    outcome = look(engine.world(), BLOCK, ORDER)
    assert isinstance(outcome, Outcome)
    assert outcome.status is EventStatus.SUCCEEDED


def refuse(balancers: dict[str, MemoryLoadBalancer], _: Engine) -> None:
    balancers["front"].refuse("web-1", "no such server")


def lose(_: dict[str, MemoryLoadBalancer], engine: Engine) -> None:
    engine.balancers = MemoryLoadBalancers({})


@pytest.mark.parametrize(("trouble", "word"), [(refuse, "no such server"), (lose, "no load balancer")])
def test_what_asking_again_would_not_help_fails_at_once(
    engine: Engine,
    balancers: dict[str, MemoryLoadBalancer],
    trouble: Callable[[dict[str, MemoryLoadBalancer], Engine], None],
    word: str,
) -> None:
    trouble(balancers, engine)
    outcome = look(engine.world(), BLOCK, ORDER)
    assert isinstance(outcome, Outcome)
    assert outcome.status is EventStatus.FAILED
    assert outcome.diagnostics is not None
    assert word in outcome.diagnostics.message


def test_a_stop_begins_nothing_new_and_lets_what_was_begun_end(
    engine: Engine, balancers: dict[str, MemoryLoadBalancer]
) -> None:
    balancers["front"].begin("web-1")
    assert isinstance(look(engine.world(), BLOCK, ORDER), LookAgain)
    engine.store.change(ID, lambda d: Change(d.model_copy(update={"stopping": STOP})))
    assert isinstance(look(engine.world(), BLOCK, ORDER), LookAgain)
    skipped = look(engine.world(), ALLOW, ORDER)
    assert isinstance(skipped, Outcome)
    assert skipped.status is EventStatus.SKIPPED
    engine.store.change(ID, lambda d: Change(d.model_copy(update={"cutting": True})))
    cut = look(engine.world(), BLOCK, ORDER)
    assert isinstance(cut, Outcome)
    assert cut.status is EventStatus.FAILED


def test_another_attempt_is_not_looked_at(engine: Engine) -> None:
    with pytest.raises(Ignore):
        look(engine.world(), BLOCK, an_order("web-1", attempt="t-0"))
    with pytest.raises(Ignore):
        look(engine.world(), BLOCK, an_order("web-9"))


def test_after_a_failure_nothing_is_asked_of_a_balancer(
    engine: Engine, balancers: dict[str, MemoryLoadBalancer]
) -> None:
    failed = HostReport(order=ORDER, outcomes=(an_outcome(BEHIND[0], EventStatus.FAILED),))
    told: Any = block_traffic.run(wire(failed))
    assert told.__json__()["outcomes"][-1] == {"event": "BlockTraffic", "status": "Skipped"}
    assert balancers["front"].calls == ()
    assert engine.store.target(ID, "web-1") is not None


def test_the_next_look_is_a_message_of_its_own_that_is_not_too_old(
    engine: Engine, balancers: dict[str, MemoryLoadBalancer], monkeypatch: pytest.MonkeyPatch
) -> None:
    balancers["front"].ail("web-1")
    asked: dict[str, Any] = {}

    def retry(**options: Any) -> Retry:
        asked.update(options)
        return Retry()

    monkeypatch.setattr(allow_traffic, "retry", retry)
    with pytest.raises(Retry):
        allow_traffic.run(wire(HostReport(order=ORDER)))
    expires = engine.world().limits.pickup_seconds + 0.1
    words = {"argsrepr": "d-AAAAAAAAA shop/web web-1", "kwargsrepr": ""}
    said = {"said": "back: in service; front: unhealthy"}
    assert asked == {"kwargs": said, "countdown": 0.1, "expires": expires, **words}
    assert allow_traffic.max_retries is None


def test_looks_grow_rarer_and_stay_within_bounds() -> None:
    looks = [next_look(waited) for waited in (0, 0.5, 1, 5, 10, 20, 3600)]
    assert looks == sorted(looks)
    assert (looks[0], looks[-1]) == (0.1, 2.0)


def test_what_one_balancer_refuses_is_undone_at_the_others(
    engine: Engine, balancers: dict[str, MemoryLoadBalancer]
) -> None:
    look(engine.world(), BLOCK, ORDER)
    balancers["front"].refuse("web-1", "the target group is full")
    outcome = look(engine.world(), ALLOW, ORDER)
    assert isinstance(outcome, Outcome)
    assert outcome.status is EventStatus.FAILED
    assert "web-1" not in balancers["back"].serving


def test_a_host_that_was_not_let_go_serves_on(engine: Engine, balancers: dict[str, MemoryLoadBalancer]) -> None:
    balancers["front"]._drain_seconds = 3600.0
    balancers["front"].begin("web-1")
    assert isinstance(look(engine.world(), BLOCK, ORDER), LookAgain)
    engine.now += 600
    outcome = look(engine.world(), BLOCK, ORDER)
    assert isinstance(outcome, Outcome)
    assert outcome.status is EventStatus.FAILED
    assert "web-1" in balancers["front"].serving & balancers["back"].serving


def test_while_one_looks_a_second_message_ends(engine: Engine, balancers: dict[str, MemoryLoadBalancer]) -> None:
    balancers["front"].ail("web-1")
    message = wire(HostReport(order=ORDER))
    with alone(engine.world(), f"traffic:{ID}:web-1", 5), pytest.raises(Ignore):
        allow_traffic.run(message)
    assert balancers["front"].calls == ()


def test_a_host_that_was_given_up_is_taken_out_for_as_long_as_nobody_else_has_the_group(
    engine: Engine, balancers: dict[str, MemoryLoadBalancer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch fails an event whose looks stopped; nobody undid it then."""
    ids = {"deployment_id": ID, "target_id": "web-1", "attempt": "t-1"}
    lost = an_outcome(ALLOW, EventStatus.FAILED, end_time=engine.now)
    engine.store.record([Heard(EventFinished(outcome=lost, **ids))])
    balancers["front"].begin("web-1")
    monkeypatch.setattr(undo_traffic, "retry", lambda **_: Retry())
    with pytest.raises(Retry):
        undo_traffic.run(ID, "web-1")
    balancers["front"].end("web-1")
    undo_traffic.run(ID, "web-1")
    assert "web-1" not in balancers["front"].serving | balancers["back"].serving
    asked = len(balancers["front"].calls)
    monkeypatch.setattr(engine.store, "running", lambda _: "d-NEXT")
    undo_traffic.run(ID, "web-1")
    assert len(balancers["front"].calls) == asked
