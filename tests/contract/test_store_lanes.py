"""Targets, phases and lanes: what is written at each step, what is due, and what races must not break."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain.deployments import DeploymentStatus, Lane, Phase, Progress, TargetStatus
from domain.errors import IllegalMove
from domain.fleet import HostRecord, InstanceHealth
from domain.lifecycle import Event
from domain.moves import Due, LaneView, Move, Resend, Stale, Step
from domain.ports import Store
from tests.contract.store_values import (
    EVENTS,
    NOW,
    a_deployment,
    a_happening,
    a_target,
    conclusion,
    onward,
    rolling,
    take_one,
    taking,
    to_status,
)


def host(index: int) -> str:
    return a_target(index).target.target_id


def test_targets_are_read_in_pick_order(store: Store) -> None:
    store.admit(a_deployment(total=700), token=None, queue=False)
    records = [a_target(index) for index in range(700)]
    store.lay_out("d-1", records[400:])
    store.lay_out("d-1", records[:400])
    assert store.targets("d-1", count=700) == records
    assert store.targets("d-1", first=126, count=4) == records[126:130]
    assert store.targets("d-1", first=699, count=10) == records[699:]
    assert store.targets("d-1", first=700) == []
    assert store.targets("d-1", count=0) == []
    assert store.targets("d-2") == []
    assert store.target("d-1", host(127)) == records[127]
    assert store.target("d-1", "i-x") is None


def test_ids_that_look_like_keys_do_not_meet(store: Store) -> None:
    store.admit(a_deployment(), token=None, queue=False)
    names = ["a", "a:head", "a%3Ahead", "{a}", "ü", "a b"]
    records = [
        a_target(index).model_copy(
            update={"target": a_target(index).target.model_copy(update={"target_id": name, "arn": f"arn:{name}\0"})}
        )
        for index, name in enumerate(names)
    ]
    store.lay_out("d-1", records)
    assert store.targets("d-1") == records
    assert [store.target("d-1", name) for name in names] == records
    store.open_phase("d-1", 0, Progress(total=len(names), lanes=1), check_at=NOW)
    assert [take_one(store).target.target_id for _ in names] == names


def test_laying_out_again_leaves_what_is_under_way(store: Store) -> None:
    rolling(store, total=3, lanes=1)
    taken = take_one(store)
    store.lay_out("d-1", [a_target(index) for index in range(3)])
    assert store.targets("d-1") == [taken, a_target(1), a_target(2)]


def test_laying_out_in_another_order_before_the_phase_opens(store: Store) -> None:
    store.admit(a_deployment(), token=None, queue=False)
    store.lay_out("d-1", [a_target(index) for index in range(4)])
    again = [a_target(index).model_copy(update={"index": place}) for place, index in enumerate((3, 9, 0, 1))]
    store.lay_out("d-1", again)
    assert store.targets("d-1") == again
    assert store.target("d-1", host(2)) is None
    assert store.target("d-1", host(0)) == again[2]


def test_nothing_moves_once_a_phase_is_open(store: Store) -> None:
    rolling(store, total=2, lanes=1)
    store.lay_out("d-1", [a_target(1).model_copy(update={"index": 0}), a_target(5).model_copy(update={"index": 1})])
    assert store.targets("d-1") == [a_target(0), a_target(1)]
    store.lay_out("d-1", [a_target(2)])
    assert store.targets("d-1") == [a_target(0), a_target(1), a_target(2)]


def test_nothing_is_laid_out_for_a_deployment_that_is_not_there(store: Store) -> None:
    store.lay_out("d-1", [a_target(0)])
    store.open_phase("d-1", 0, Progress(total=1, lanes=1), check_at=NOW)
    store.admit(a_deployment(), token=None, queue=False)
    assert store.targets("d-1") == []
    assert store.progress("d-1", 0) is None


def test_a_phase_opens_once(store: Store) -> None:
    rolling(store, total=3, lanes=2)
    assert store.progress("d-1", 0) == Progress(total=3, lanes=2)
    assert store.progress("d-1", 1) is None
    take_one(store)
    store.open_phase("d-1", 0, Progress(total=9, lanes=9), check_at=NOW)
    assert store.progress("d-1", 0) == Progress(version=1, total=3, taken=1, lanes=2)
    assert store.due(NOW) == []


def test_a_lane_nobody_touched_is_at_step_0(store: Store) -> None:
    assert store.lane("d-1", 0, 7) == Lane(number=7)


def test_what_a_lane_sees_first(store: Store) -> None:
    deployment = rolling(store, total=2, lanes=1)
    views: list[LaneView] = []
    store.advance("d-1", 0, 0, lambda view: views.append(view) or Stale())  # type: ignore[func-returns-value]
    assert views == [
        LaneView(
            deployment=deployment,
            progress=Progress(total=2, lanes=1),
            lane=Lane(number=0),
            current=None,
            upcoming=a_target(0),
        )
    ]


@pytest.mark.parametrize("move", [Stale(), Resend()], ids=["stale", "resend"])
def test_moves_that_write_nothing(store: Store, move: Move) -> None:
    rolling(store)
    taken = take_one(store)
    made = store.advance("d-1", 0, 0, lambda _: move)
    assert made is not None
    assert made[1] == move
    assert made[0].current == taken
    assert store.progress("d-1", 0) == Progress(version=1, total=3, taken=1, lanes=1)


def test_a_step_is_written_as_a_whole(store: Store) -> None:
    rolling(store, total=2, lanes=1)
    first = take_one(store)
    assert first.status is TargetStatus.IN_PROGRESS
    assert first.attempt
    assert (first.lane, first.last_updated_at) == (0, NOW + 5)
    assert store.lane("d-1", 0, 0) == Lane(number=0, step=1, target_id=host(0), attempt=first.attempt, taken_at=NOW + 5)

    def choose(view: LaneView) -> Step:
        return Step(conclusion(view), taking(view, check_at=NOW + 99), (a_happening(1), a_happening(2)))

    made = store.advance("d-1", 0, 0, choose)
    assert made is not None
    ended, second = store.targets("d-1")
    assert ended.status is TargetStatus.SUCCEEDED
    assert {event: held.status for event, held in ended.events.items()} == dict.fromkeys(EVENTS, "Succeeded")
    assert (ended.attempt, ended.last_updated_at) == (first.attempt, NOW + 20)
    assert second.status is TargetStatus.IN_PROGRESS
    assert store.progress("d-1", 0) == Progress(version=2, total=2, taken=2, succeeded=1, lanes=1)
    assert store.lane("d-1", 0, 0).step == 2
    assert store.due(NOW + 99) == [Due("d-1", 0, 0, NOW + 99)]
    assert [happening for _, happening in store.history()] == [a_happening(1), a_happening(2)]
    known = HostRecord(health=InstanceHealth.HEALTHY, revision="r-1", deployment_id="d-1")
    assert store.host_records("g-1", [host(1), host(0)]) == [HostRecord(), known]
    assert store.host_records("g-2", [host(0)]) == [HostRecord()]
    assert store.host_records("g-1", []) == []


def test_the_view_knows_what_the_group_remembers_of_the_current_host(store: Store) -> None:
    rolling(store, total=1, lanes=1)
    take_one(store)
    store.advance("d-1", 0, 0, onward(1))
    store.change("d-1", to_status(DeploymentStatus.SUCCEEDED))
    rolling(store, total=1, lanes=1, name="d-2")
    take_one(store, name="d-2")
    made = store.advance("d-2", 0, 0, lambda _: Stale())
    assert made is not None
    assert made[0].known == HostRecord(health=InstanceHealth.HEALTHY, revision="r-1", deployment_id="d-1")


def test_a_retired_lane_is_due_no_more(store: Store) -> None:
    rolling(store, total=1, lanes=2)
    take_one(store)
    store.advance("d-1", 0, 0, onward(1))
    assert store.lane("d-1", 0, 0) == Lane(number=0, step=1, retired=True)
    assert store.progress("d-1", 0) == Progress(version=2, total=1, taken=1, succeeded=1, lanes=2, retired=1)
    assert [due.lane for due in store.due(NOW + 99)] == [1]
    store.advance("d-1", 0, 1, onward(0))
    progress = store.progress("d-1", 0)
    assert progress is not None
    assert progress.concluded
    assert store.due(NOW + 99) == []
    with pytest.raises(IllegalMove, match="retired"):
        store.advance("d-1", 0, 0, lambda _: Step(None, None))


@pytest.mark.parametrize(
    ("status", "counter"),
    [("Succeeded", "succeeded"), ("Failed", "failed"), ("Skipped", "skipped"), ("Unknown", "failed")],
)
def test_each_end_has_its_counter(store: Store, status: str, counter: str) -> None:
    rolling(store, total=1, lanes=1)
    take_one(store)
    store.advance("d-1", 0, 0, onward(1, TargetStatus(status)))
    expected = Progress(version=2, total=1, taken=1, lanes=1, retired=1)
    assert store.progress("d-1", 0) == expected.model_copy(update={counter: 1})


def test_steps_that_do_not_fit_are_refused_and_write_nothing(store: Store) -> None:
    rolling(store, total=3, lanes=1)
    taken = take_one(store)

    def abandon(view: LaneView) -> Step:
        return Step(None, taking(view))

    def skip_ahead(view: LaneView) -> Step:
        take = taking(view)
        assert take is not None
        return Step(conclusion(view), type(take)(host(2), take.attempt, take.at, take.check_at))

    def go_back(view: LaneView) -> Step:
        return Step(conclusion(view, TargetStatus.PENDING), None)

    for choose in (abandon, skip_ahead, go_back):
        with pytest.raises(IllegalMove):
            store.advance("d-1", 0, 0, choose)
    assert store.targets("d-1") == [taken, a_target(1), a_target(2)]
    assert store.progress("d-1", 0) == Progress(version=1, total=3, taken=1, lanes=1)


def test_there_is_no_move_where_nothing_is(store: Store) -> None:
    assert store.advance("d-1", 0, 0, onward(0)) is None
    rolling(store, lanes=2)
    assert store.advance("d-1", 1, 0, onward(0)) is None
    assert store.advance("d-1", 0, 2, onward(0)) is None


def test_a_later_phase_begins_at_its_first_target_and_may_take_one_again(store: Store) -> None:
    traffic = (Event.ALLOW_TRAFFIC,)
    phases = (Phase(count=2, lanes=1, events=EVENTS), Phase(first=1, count=1, lanes=1, events=traffic))
    deployment = a_deployment(total=2).model_copy(update={"phases": phases})
    store.admit(deployment, token=None, queue=False)
    store.lay_out("d-1", [a_target(0), a_target(1)])
    store.open_phase("d-1", 0, Progress(total=2, lanes=1), check_at=NOW)
    for step in range(3):
        store.advance("d-1", 0, 0, onward(step, TargetStatus.READY))
    ready = store.target("d-1", host(1))
    store.open_phase("d-1", 1, Progress(total=1, lanes=1), check_at=NOW)
    store.advance("d-1", 1, 0, onward(0))
    again = store.target("d-1", host(1))
    assert ready is not None
    assert again is not None
    assert again.attempt != ready.attempt
    assert again.status is TargetStatus.IN_PROGRESS
    assert again.events == ready.events
    assert store.lane("d-1", 1, 0).target_id == host(1)
    check = store.due(NOW + 99)
    assert [(due.phase, due.lane) for due in check] == [(1, 0)]


def test_taking_again_forgets_the_events_to_come(store: Store) -> None:
    deployment = a_deployment(total=1)
    phases = (Phase(count=1, lanes=1, events=EVENTS), Phase(count=1, lanes=1, events=EVENTS[3:]))
    store.admit(deployment.model_copy(update={"phases": phases}), token=None, queue=False)
    store.lay_out("d-1", [a_target(0)])
    for phase in (0, 1):
        store.open_phase("d-1", phase, Progress(total=1, lanes=1), check_at=NOW)
        store.advance("d-1", phase, 0, onward(0))
        if phase == 0:
            store.advance("d-1", 0, 0, onward(1, TargetStatus.UNKNOWN))
    again = store.target("d-1", host(0))
    assert again is not None
    assert set(again.events) == set(EVENTS[:3])


def test_the_most_overdue_come_first(store: Store) -> None:
    rolling(store, total=600, lanes=600)
    rolling(store, total=2, lanes=2, name="d-2", group="g-2")
    for lane, at in ((599, NOW + 1), (3, NOW + 2), (300, NOW + 3)):
        store.postpone([(Due("d-1", 0, lane, NOW + 10), at)])
    store.postpone([(Due("d-2", 0, 1, NOW + 10), NOW + 2.5)])
    found = store.due(NOW + 10, limit=5)
    assert [(due.deployment_id, due.lane, due.check_at) for due in found[:4]] == [
        ("d-1", 599, NOW + 1),
        ("d-1", 3, NOW + 2),
        ("d-2", 1, NOW + 2.5),
        ("d-1", 300, NOW + 3),
    ]
    assert len(found) == 5
    assert store.due(NOW + 2, limit=100) == found[:2]
    assert store.due(NOW, limit=100) == []
    assert store.due(NOW + 99, limit=0) == []
    assert len({(due.deployment_id, due.lane) for due in store.due(NOW + 99, limit=1000)}) == 602


def test_a_lane_may_be_due_earlier_than_all_others(store: Store) -> None:
    rolling(store, total=2, lanes=2)
    store.advance("d-1", 0, 1, lambda view: Step(None, taking(view, check_at=NOW + 3)))
    assert store.due(NOW + 5) == [Due("d-1", 0, 1, NOW + 3)]


def test_a_lane_that_moved_is_not_postponed(store: Store) -> None:
    rolling(store, total=2, lanes=2)
    old = store.due(NOW + 10)[0]
    take_one(store)
    store.postpone([(old, NOW + 500)])
    assert [due.check_at for due in store.due(NOW + 99)] == [NOW + 10, NOW + 30]
    store.advance("d-1", 0, 0, lambda view: Step(conclusion(view), None))
    store.postpone([(Due("d-1", 0, 0, NOW + 30), NOW + 60)])
    store.postpone([(Due("d-9", 0, 0, NOW), NOW + 60)])
    assert [due.lane for due in store.due(NOW + 99)] == [1]


@pytest.mark.parametrize("failing", [0, 7], ids=["all well", "every seventh fails"])
def test_lanes_that_race_count_exactly_and_share_nothing(store: Store, failing: int) -> None:
    total, lanes = 60, 8
    rolling(store, total=total, lanes=lanes)
    taken: list[str] = []

    def walk(lane: int) -> None:
        step = 0
        while True:
            index = len(taken)
            bad = failing and index % failing == 0
            made = store.advance("d-1", 0, lane, onward(step, TargetStatus.FAILED if bad else TargetStatus.SUCCEEDED))
            assert made is not None
            move = made[1]
            assert isinstance(move, Step)
            if move.take is None:
                return
            taken.append(move.take.target_id)
            step += 1

    with ThreadPoolExecutor(lanes) as pool:
        list(pool.map(walk, range(lanes)))
    assert Counter(taken) == Counter(host(index) for index in range(total))
    records = store.targets("d-1", count=total)
    ends = Counter(record.status for record in records)
    progress = store.progress("d-1", 0)
    assert progress is not None
    assert (progress.taken, progress.retired, progress.in_flight) == (total, lanes, 0)
    assert (progress.succeeded, progress.failed) == (ends[TargetStatus.SUCCEEDED], ends[TargetStatus.FAILED])
    assert progress.version == total + lanes
    assert store.due(NOW + 99) == []


def test_one_message_told_many_times_moves_a_lane_once(store: Store) -> None:
    rolling(store, total=20, lanes=1)
    steps: list[Step] = []

    def deliver(_: int) -> None:
        made = store.advance("d-1", 0, 0, onward(0))
        assert made is not None
        if isinstance(made[1], Step):
            steps.append(made[1])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(deliver, range(24)))
    assert len(steps) == 1
    assert store.lane("d-1", 0, 0).step == 1
    assert store.progress("d-1", 0) == Progress(version=1, total=20, taken=1, lanes=1)


def test_what_is_watched_is_told_in_the_order_asked_for(store: Store) -> None:
    rolling(store, total=3, lanes=3)
    record = take_one(store, lane=1)
    due = [Due("d-1", 0, lane, NOW + 10) for lane in (2, 1, 0)]
    nobody = Due("d-9", 0, 7, NOW)
    found = store.watched([*due, nobody])
    assert [lane.number for lane, _ in found] == [2, 1, 0, 7]
    assert [held for _, held in found] == [None, record, None, None]
    assert found[1][0] == store.lane("d-1", 0, 1)
    assert store.watched([]) == []


def test_looks_are_put_off_together(store: Store) -> None:
    rolling(store, total=3, lanes=3)
    store.postpone([(Due("d-1", 0, 0, NOW + 10), NOW + 40), (Due("d-1", 0, 2, NOW + 10), NOW + 50)])
    assert [(due.lane, due.check_at) for due in store.due(NOW + 99)] == [(1, NOW + 10), (0, NOW + 40), (2, NOW + 50)]
    store.postpone([])
