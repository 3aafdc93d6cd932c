"""What agents told: what is kept of it, what is fenced off, and how logs are bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from domain.deployments import DeploymentStatus, EventRecord, TargetRecord
from domain.fleet import AgentSeen
from domain.lifecycle import Event
from domain.moves import Due, Heard, LogChunk
from domain.ports import Store
from domain.reports import AgentHello, AgentReport, Diagnostics, ErrorCode, EventStatus, LogLines, Outcome
from tests.contract.conftest import Peers
from tests.contract.store_values import NOW, finished, lines, onward, outcome, rolling, started, take_one, to_status

INSTALL = Event.INSTALL


def tell(store: Store, *reports: AgentReport, check_at: float | None = None) -> None:
    store.record([Heard(report, check_at) for report in reports])


def again(store: Store, record: TargetRecord) -> TargetRecord:
    found = store.target("d-1", record.target.target_id)
    assert found is not None
    return found


def log_of(store: Store, record: TargetRecord, *, after: int = 0, event: Event = INSTALL) -> list[LogChunk]:
    return store.log("d-1", record.target.target_id, event.value, after=after)


@pytest.fixture
def taken(store: Store) -> TargetRecord:
    rolling(store, total=2, lanes=1)
    return take_one(store)


def test_an_event_begins_and_ends(store: Store, taken: TargetRecord) -> None:
    tell(store, started(taken, INSTALL, at=NOW + 6))
    assert again(store, taken).events == {INSTALL: EventRecord(status=EventStatus.IN_PROGRESS, start_time=NOW + 6)}
    assert again(store, taken).last_updated_at == NOW + 6
    wrong = Diagnostics(error_code=ErrorCode.SCRIPT_FAILED, script_name="ä.sh", message="exit 1", log_tail="x\n\0|y")
    failed = Outcome(event=INSTALL, status=EventStatus.FAILED, end_time=NOW + 9, diagnostics=wrong, forgiven=True)
    tell(store, finished(taken, failed))
    assert again(store, taken).events == {
        INSTALL: EventRecord(
            status=EventStatus.FAILED, start_time=NOW + 6, end_time=NOW + 9, diagnostics=wrong, forgiven=True
        )
    }
    assert again(store, taken).last_updated_at == NOW + 9
    assert not again(store, taken).interrupted


def test_agents_are_counted_while_they_are_heard_of(store: Store) -> None:
    assert store.agents() == 0
    tell(store, AgentHello(host="a", at=NOW), AgentHello(host="b", at=NOW + 100), AgentHello(host="a", at=NOW + 50))
    assert (store.agents(), store.agents(since=NOW + 60), store.agents(since=NOW + 100.5)) == (2, 1, 0)
    tell(store, AgentHello(host="a", at=NOW + 1), AgentHello(host="c", at=NOW + 50 + 30 * 86_400))
    assert store.agents() == 3
    tell(store, AgentHello(host="c", at=NOW + 50.5 + 30 * 86_400))
    assert store.agents() == 2


def test_a_batch_is_kept_in_order(store: Store, taken: TargetRecord) -> None:
    events = [Event.APPLICATION_STOP, Event.DOWNLOAD_BUNDLE, INSTALL]
    tell(store, *(report for e in events for report in (started(taken, e), finished(taken, outcome(e)))))
    assert set(again(store, taken).events) == set(events)
    assert {held.status for held in again(store, taken).events.values()} == {EventStatus.SUCCEEDED}
    tell(store)


def test_an_event_does_not_go_back(store: Store, taken: TargetRecord) -> None:
    tell(store, finished(taken, outcome(INSTALL)))
    before = again(store, taken)
    tell(
        store,
        started(taken, INSTALL, at=NOW + 50),
        finished(taken, outcome(INSTALL, EventStatus.FAILED)),
        finished(taken, outcome(INSTALL, EventStatus.UNKNOWN)),
        check_at=NOW + 500,
    )
    assert again(store, taken) == before
    assert store.due(NOW + 99) == [Due("d-1", 0, 0, NOW + 30)]


def test_a_second_start_keeps_the_first(store: Store, taken: TargetRecord) -> None:
    tell(store, started(taken, INSTALL, at=NOW + 6), started(taken, INSTALL, at=NOW + 8))
    assert again(store, taken).events[INSTALL].start_time == NOW + 6


def test_reports_of_another_attempt_change_nothing(store: Store, taken: TargetRecord) -> None:
    stale = taken.model_copy(update={"attempt": "a-old"})
    tell(store, started(stale, INSTALL), finished(stale, outcome(INSTALL), interrupted=True), check_at=NOW + 500)
    tell(store, lines(stale, 0, ["x"]), check_at=NOW + 500)
    assert again(store, taken) == taken
    assert log_of(store, taken) == []
    assert store.due(NOW + 99) == [Due("d-1", 0, 0, NOW + 30)]


def test_reports_of_what_is_not_under_way_change_nothing(store: Store, taken: TargetRecord) -> None:
    store.advance("d-1", 0, 0, onward(1))
    ended, waiting = again(store, taken), store.targets("d-1", first=1)[0]
    tell(store, finished(ended, outcome(INSTALL, EventStatus.FAILED), interrupted=True), check_at=NOW + 500)
    unknown = taken.model_copy(update={"target": taken.target.model_copy(update={"target_id": "i-x"})})
    tell(store, started(unknown, INSTALL), lines(unknown, 0, ["x"]))
    pending = waiting.model_copy(update={"attempt": ""})
    tell(store, started(pending, INSTALL))
    assert again(store, taken) == ended
    assert store.targets("d-1", first=1) == [waiting]
    assert store.target("d-1", "i-x") is None
    assert store.due(NOW + 99) == [Due("d-1", 0, 0, NOW + 30)]


def test_an_interrupted_end_keeps_its_outcome(store: Store, taken: TargetRecord) -> None:
    tell(store, started(taken, INSTALL), finished(taken, outcome(INSTALL, EventStatus.FAILED), interrupted=True))
    found = again(store, taken)
    assert found.interrupted
    assert found.events[INSTALL].status is EventStatus.FAILED


def test_an_end_told_again_as_interrupted_is_noted(store: Store, taken: TargetRecord) -> None:
    tell(store, finished(taken, outcome(INSTALL)))
    tell(store, finished(taken, outcome(INSTALL, EventStatus.FAILED), interrupted=True), check_at=NOW + 7)
    found = again(store, taken)
    assert found.interrupted
    assert found.events[INSTALL].status is EventStatus.SUCCEEDED
    assert store.due(NOW + 99) == [Due("d-1", 0, 0, NOW + 7)]


def test_a_report_moves_the_next_look(store: Store, taken: TargetRecord) -> None:
    tell(store, started(taken, INSTALL), check_at=NOW + 77)
    assert store.due(NOW + 99) == [Due("d-1", 0, 0, NOW + 77)]
    tell(store, finished(taken, outcome(INSTALL)))
    assert store.due(NOW + 99) == [Due("d-1", 0, 0, NOW + 77)]


def test_nothing_of_an_ended_deployment_is_looked_at(store: Store, taken: TargetRecord) -> None:
    store.change("d-1", to_status(DeploymentStatus.STOPPED))
    tell(store, started(taken, INSTALL), check_at=NOW + 77)
    assert again(store, taken).events[INSTALL].status is EventStatus.IN_PROGRESS
    store.advance("d-1", 0, 0, onward(1))
    assert store.due(NOW + 999) == []


def test_an_agent_is_seen(store: Store) -> None:
    load: dict[str, Any] = {"every": 10.0, "grace": 5.0, "running": 1, "slots": 2, "full_at": NOW + 4}
    late = AgentHello(host="h-1", at=NOW + 5, version="1.2", root="/srv", started_at=NOW, **load)
    tell(store, AgentHello(host="h-1", at=NOW), late, AgentHello(host="h-1", at=NOW + 1))
    seen = AgentSeen(host="h-1", at=NOW + 5, version="1.2", root="/srv", started_at=NOW, **load)
    assert store.seen(["h-2", "h-1"]) == [None, seen]
    assert store.seen([]) == []


def test_lines_are_kept_once_and_in_order(store: Store, taken: TargetRecord) -> None:
    tell(store, lines(taken, 0, ["a", ""]), lines(taken, 2, ["c ü", "1 2"]))
    tell(store, lines(taken, 0, ["a", ""]), lines(taken, 1, ["", "c ü", "1 2", "e"]))
    assert log_of(store, taken) == [LogChunk("Install", 0, ("a", "", "c ü", "1 2", "e"))]
    assert log_of(store, taken, after=3) == [LogChunk("Install", 3, ("1 2", "e"))]
    assert log_of(store, taken, after=5) == []
    assert log_of(store, taken, event=Event.AFTER_INSTALL) == []


def test_reports_that_overtook_each_other_lose_no_line(store: Store, taken: TargetRecord) -> None:
    tell(store, lines(taken, 6, ["g"]), lines(taken, 2, ["c", "d"]))
    assert log_of(store, taken) == [LogChunk("Install", 2, ("c", "d")), LogChunk("Install", 6, ("g",))]
    tell(store, lines(taken, 2, ["c"]), lines(taken, 4, ["e", "f", "g", "h"]), lines(taken, 0, ["a", "b", "c"]))
    assert log_of(store, taken) == [LogChunk("Install", 0, tuple("abcdefgh"))]


def test_numbers_that_make_no_sense_are_left_out(store: Store, taken: TargetRecord) -> None:
    tell(store, lines(taken, -5, ["x"]), lines(taken, 2**60, ["x"]), lines(taken, 0, []), lines(taken, 0, ["a"]))
    assert log_of(store, taken) == [LogChunk("Install", 0, ("a",))]


def test_lines_that_come_after_the_end_are_kept(store: Store, taken: TargetRecord) -> None:
    store.advance("d-1", 0, 0, onward(1))
    tell(store, lines(taken, 0, ["last words"]), check_at=NOW + 500)
    assert log_of(store, taken) == [LogChunk("Install", 0, ("last words",))]
    assert store.due(NOW + 99) == [Due("d-1", 0, 0, NOW + 30)]


OpenStore = Callable[..., tuple[Store, Peers]]


def a_small_log(open_store: OpenStore, *reports: Sequence[str]) -> tuple[Store, TargetRecord]:
    store, _ = open_store(log_limit=40)
    rolling(store, total=1, lanes=1)
    taken = take_one(store)
    first = 0
    for texts in reports:
        tell(store, lines(taken, first, texts))
        first += len(texts)
    return store, taken


def test_a_log_keeps_its_first_half_and_its_latest(open_store: OpenStore) -> None:
    store, taken = a_small_log(open_store, [f"line {n:04d}" for n in range(3)], [f"line {n:04d}" for n in range(3, 9)])
    assert log_of(store, taken) == [
        LogChunk("Install", 0, ("line 0000", "line 0001")),
        LogChunk("Install", 7, ("line 0007", "line 0008"), dropped=50),
    ]
    assert log_of(store, taken, after=2) == [LogChunk("Install", 7, ("line 0007", "line 0008"), dropped=50)]
    assert log_of(store, taken, after=8) == [LogChunk("Install", 8, ("line 0008",))]


def test_bytes_count_and_not_letters(open_store: OpenStore) -> None:
    store, taken = a_small_log(open_store, ["ü" * 9, "ü" * 9, "ü" * 9])
    assert log_of(store, taken) == [
        LogChunk("Install", 0, ("ü" * 9,)),
        LogChunk("Install", 2, ("ü" * 9,), dropped=19),
    ]


def test_a_line_longer_than_half_the_limit_is_dropped_and_says_so(open_store: OpenStore) -> None:
    store, taken = a_small_log(open_store, ["a", "x" * 500])
    assert log_of(store, taken) == [LogChunk("Install", 0, ("a",)), LogChunk("Install", 2, (), dropped=501)]
    tell(store, lines(taken, 2, ["b"]))
    assert log_of(store, taken) == [LogChunk("Install", 0, ("a",)), LogChunk("Install", 2, ("b",), dropped=501)]


def test_dropped_lines_do_not_come_back(open_store: OpenStore) -> None:
    store, taken = a_small_log(open_store, [f"line {n:04d}" for n in range(9)])
    before = log_of(store, taken)
    tell(store, lines(taken, 0, [f"line {n:04d}" for n in range(9)]))
    assert log_of(store, taken) == before


def test_a_large_batch_is_kept_whole(store: Store, taken: TargetRecord) -> None:
    reports: list[LogLines] = [lines(taken, n * 10, [f"{n} {k} {'x' * 60}" for k in range(10)]) for n in range(700)]
    tell(store, *reports)
    assert log_of(store, taken) == [LogChunk("Install", 0, tuple(text for report in reports for text in report.lines))]
