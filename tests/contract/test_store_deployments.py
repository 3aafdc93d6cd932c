"""Deployments as a whole: admission, the group's queue, indexes, edits, what they tell, and leases."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import pytest

from domain.applications import Application
from domain.deployments import Deployment, DeploymentStatus, Progress
from domain.errors import Conflict, DeploymentLimitExceeded, IllegalMove
from domain.groups import DeploymentGroup
from domain.moves import Admitted, Change, Shown
from domain.ports import Store
from tests.contract.conftest import Peers
from tests.contract.store_values import NOW, a_deployment, a_happening, rolling, to_status

END = to_status(DeploymentStatus.FAILED)


def admit(store: Store, name: str, *, token: str | None = None, queue: bool = False, group: str = "g-1") -> Admitted:
    return store.admit(a_deployment(name, group=group), token=token, queue=queue)


def status_of(store: Store, name: str) -> DeploymentStatus:
    found = store.deployment(name)
    assert found is not None
    return found.status


def test_a_deployment_comes_back_as_it_was(store: Store) -> None:
    deployment = a_deployment("d-1", total=3, lanes=2)
    assert store.admit(deployment, token=None, queue=False) == Admitted("d-1")
    assert store.deployment("d-1") == deployment
    assert store.deployments(["x", "d-1"]) == [None, deployment]
    assert store.deployments([]) == []
    assert store.deployment("d-1:x") is None


def test_a_busy_group_refuses_and_names_who_is_in_the_way(store: Store) -> None:
    admit(store, "d-1")
    with pytest.raises(DeploymentLimitExceeded, match="web has an active deployment d-1") as refusal:
        store.admit(a_deployment("d-2"), token="t", queue=False, happenings=[a_happening()])
    assert refusal.value.running == "d-1"
    assert store.deployment("d-2") is None
    assert store.history() == []
    assert store.active() == ["d-1"]
    assert admit(store, "d-3", group="g-2") == Admitted("d-3")


def test_a_refused_token_is_not_remembered(store: Store) -> None:
    admit(store, "d-1")
    with pytest.raises(DeploymentLimitExceeded):
        admit(store, "d-2", token="t")
    store.change("d-1", END)
    assert admit(store, "d-2", token="t") == Admitted("d-2")


def test_a_token_seen_before_answers_with_its_deployment(store: Store) -> None:
    store.admit(a_deployment("d-1"), token="t", queue=False, happenings=[a_happening(1)])
    again = store.admit(a_deployment("d-2"), token="t", queue=False, happenings=[a_happening(2)])
    assert again == Admitted("d-1", repeated=True)
    assert store.deployment("d-2") is None
    assert [happening for _, happening in store.history()] == [a_happening(1)]


def test_a_token_of_a_waiting_deployment_says_that_it_waits(store: Store) -> None:
    admit(store, "d-1")
    admit(store, "d-2", token="t", queue=True)
    assert admit(store, "d-3", token="t", queue=True) == Admitted("d-2", repeated=True, queued=True)
    store.change("d-1", END)
    assert admit(store, "d-3", token="t", queue=True) == Admitted("d-2", repeated=True)


def test_an_id_is_given_once(store: Store) -> None:
    admit(store, "d-1")
    with pytest.raises(Conflict, match="d-1 already"):
        admit(store, "d-1", group="g-2")
    assert store.running("g-2") is None


def test_who_waits_is_served_in_order(store: Store) -> None:
    admit(store, "d-1")
    assert admit(store, "d-3", queue=True) == Admitted("d-3", queued=True)
    assert admit(store, "d-2", queue=True) == Admitted("d-2", queued=True)
    assert status_of(store, "d-3") is DeploymentStatus.QUEUED
    assert store.active() == ["d-1", "d-2", "d-3"]
    ended = store.change("d-1", END)
    assert ended is not None
    assert ended.freed == "d-3"
    assert status_of(store, "d-3") is DeploymentStatus.QUEUED
    assert store.running("g-1") == "d-3"
    ended = store.change("d-3", END)
    assert ended is not None
    assert ended.freed == "d-2"
    ended = store.change("d-2", END)
    assert ended is not None
    assert ended.freed is None
    assert store.running("g-1") is None
    assert store.active() == []


def test_who_ends_while_waiting_frees_nobody(store: Store) -> None:
    for name in ("d-1", "d-2", "d-3"):
        admit(store, name, queue=True)
    stopped = store.change("d-2", to_status(DeploymentStatus.STOPPED))
    assert stopped is not None
    assert stopped.freed is None
    assert store.running("g-1") == "d-1"
    ended = store.change("d-1", END)
    assert ended is not None
    assert ended.freed == "d-3"


def test_who_ends_once_its_turn_has_come_hands_on(store: Store) -> None:
    for name in ("d-1", "d-2", "d-3"):
        admit(store, name, queue=True)
    store.change("d-1", END)
    stopped = store.change("d-2", to_status(DeploymentStatus.STOPPED))
    assert stopped is not None
    assert stopped.freed == "d-3"


def test_a_change_and_its_happenings_are_one(store: Store) -> None:
    store.admit(a_deployment("d-1"), token=None, queue=False, happenings=[a_happening(1)])
    changed = store.change("d-1", to_status(DeploymentStatus.IN_PROGRESS, a_happening(2), a_happening(3)))
    assert changed is not None
    assert changed.deployment.status is DeploymentStatus.IN_PROGRESS
    assert status_of(store, "d-1") is DeploymentStatus.IN_PROGRESS
    assert [happening for _, happening in store.history()] == [a_happening(1), a_happening(2), a_happening(3)]


def test_an_edit_may_change_nothing(store: Store) -> None:
    admit(store, "d-1")
    assert store.change("d-1", lambda _: None) is None
    assert store.change("d-2", END) is None
    assert store.deployment("d-1") == a_deployment("d-1")


def test_an_edit_that_fails_changes_nothing(store: Store) -> None:
    admit(store, "d-1")
    with pytest.raises(ZeroDivisionError):
        store.change("d-1", lambda _: 1 / 0)  # type: ignore[arg-type,return-value]
    assert store.deployment("d-1") == a_deployment("d-1")


def test_a_deployment_that_ended_stays_so(store: Store) -> None:
    admit(store, "d-1")
    store.change("d-1", END)
    with pytest.raises(IllegalMove):
        store.change("d-1", to_status(DeploymentStatus.IN_PROGRESS))
    again = store.change("d-1", lambda present: END(present.model_copy(update={"description": "x"})))
    assert again is not None
    assert again.freed is None
    assert status_of(store, "d-1") is DeploymentStatus.FAILED


def test_id_and_group_are_not_for_editing(store: Store) -> None:
    admit(store, "d-1")
    with pytest.raises(ValueError, match="not for editing"):
        store.change("d-1", lambda present: END(present.model_copy(update={"deployment_group_id": "g-2"})))


def test_nothing_of_an_ended_deployment_is_due(store: Store) -> None:
    rolling(store, total=600, lanes=600)
    rolling(store, total=1, lanes=1, name="d-2", group="g-2")
    assert len(store.due(NOW + 10, limit=1000)) == 601
    store.change("d-1", END)
    assert [due.deployment_id for due in store.due(NOW + 10, limit=1000)] == ["d-2"]


def test_a_phase_of_an_ended_deployment_does_not_open(store: Store) -> None:
    admit(store, "d-1")
    store.change("d-1", END)
    store.open_phase("d-1", 0, Progress(total=1, lanes=1), check_at=NOW)
    assert store.progress("d-1", 0) is None
    assert store.due(NOW) == []


def test_recent_is_newest_first_and_stable(store: Store) -> None:
    for name, group, at in (("d-2", "g-1", 2.0), ("d-1", "g-2", 1.0), ("d-4", "g-3", 2.0), ("d-3", "g-4", 3.0)):
        store.admit(a_deployment(name, group=group, at=at), token=None, queue=False)
    newest = [(3.0, "d-3"), (2.0, "d-4"), (2.0, "d-2"), (1.0, "d-1")]
    assert store.recent() == newest
    assert store.recent(after=(3.0, "d-3"), limit=2) == newest[1:3]
    assert store.recent(after=(2.0, "d-4")) == newest[2:]
    assert store.recent(after=(2.0, "d-3")) == newest[2:]
    assert store.recent(after=(1.0, "d-1")) == []
    assert store.recent(limit=0) == []
    assert store.recent(since=2.0) == newest[:3]
    assert store.recent(until=2.0) == newest[1:]
    assert store.recent(since=1.5, until=2.5, after=(2.0, "d-4")) == newest[2:3]
    assert store.recent(since=2.5, after=(2.0, "d-4")) == []
    assert store.recent(group_id="g-1") == [(2.0, "d-2")]
    assert store.recent(group_id="g-9") == []
    store.change("d-2", END)
    store.admit(a_deployment("d-5", group="g-1", at=9.0), token=None, queue=False)
    assert store.recent(group_id="g-1") == [(9.0, "d-5"), (2.0, "d-2")]


def test_no_more_are_under_way_than_may_be(store: Store) -> None:
    for number in range(2):
        store.admit(a_deployment(f"d-{number}", group=f"g-{number}"), token=f"t-{number}", queue=False, most=2)
    with pytest.raises(DeploymentLimitExceeded, match="2") as refused:
        store.admit(a_deployment("d-2", group="g-2"), token=None, queue=True, most=2)
    assert refused.value.running is None
    assert store.deployment("d-2") is None
    again = store.admit(a_deployment("d-3", group="g-0"), token="t-0", queue=False, most=2)
    assert (again.deployment_id, again.repeated) == ("d-0", True)
    store.change("d-0", END)
    assert store.admit(a_deployment("d-2", group="g-2"), token=None, queue=False, most=2).deployment_id == "d-2"


def test_what_is_shown_is_under_todays_names(store: Store) -> None:
    deployment = rolling(store, total=3, lanes=2)
    admit(store, "d-2", group="g-2")
    before = store.shown(["d-2", "d-9", "d-1"])
    assert [each and (each.application_name, each.group_name) for each in before] == [(None, None), None, (None, None)]
    store.applications.add(Application(application_id="a-1", application_name="shop", create_time=NOW))
    store.groups.add(DeploymentGroup(application_id="a-1", deployment_group_id="g-1", deployment_group_name="new"))
    assert store.shown(["d-1", "d-2"]) == [
        Shown(deployment, Progress(total=3, lanes=2), "shop", "new"),
        Shown(a_deployment("d-2", group="g-2"), None, "shop", None),
    ]
    assert store.shown([]) == []
    assert len(store.shown(["d-1"] * 250)) == 250


def test_deployments_of_a_deleted_application_are_listed_no_more(store: Store) -> None:
    for number in range(250):
        store.admit(a_deployment(f"d-{number:03}", group=f"g-{number}"), token=None, queue=False)
    other = a_deployment("d-other", group="g-other").model_copy(update={"application_id": "a-2"})
    store.admit(other, token=None, queue=False)
    store.forget_deployments("a-1")
    assert store.recent(limit=1000) == [(NOW, "d-other")]
    assert store.recent(group_id="g-7") == []
    assert status_of(store, "d-007") is DeploymentStatus.CREATED
    assert "d-007" in store.active(limit=1000)
    store.forget_deployments("a-1")
    store.forget_deployments("a-9")
    assert store.recent(group_id="g-other") == [(NOW, "d-other")]


def test_active_goes_page_by_page(store: Store) -> None:
    for number in range(5):
        admit(store, f"d-{number}", group=f"g-{number}")
    assert store.active(limit=2) == ["d-0", "d-1"]
    assert store.active(after="d-1", limit=2) == ["d-2", "d-3"]
    assert store.active(after="d-4") == []


def test_one_of_many_admissions_wins(store: Store) -> None:
    won: list[str] = []
    barrier = threading.Barrier(8)

    def try_it(name: str) -> None:
        barrier.wait()
        with contextlib.suppress(DeploymentLimitExceeded):
            won.append(admit(store, name).deployment_id)

    threads = [threading.Thread(target=try_it, args=(f"d-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.active() == won
    assert store.running("g-1") == won[0]


def test_one_token_makes_one_deployment(store: Store) -> None:
    answers: list[Admitted] = []
    barrier = threading.Barrier(8)

    def try_it(name: str) -> None:
        barrier.wait()
        answers.append(admit(store, name, token="t"))

    threads = [threading.Thread(target=try_it, args=(f"d-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.deployment_id for answer in answers}) == 1
    assert sorted(answer.repeated for answer in answers) == [False] + [True] * 7
    assert len(store.active()) == 1


def test_a_lease_has_one_holder(open_store: Callable[..., tuple[Store, Peers]]) -> None:
    store, peers = open_store()
    rival = peers()
    assert store.claim("watch", 30)
    assert store.claim("watch", 30)
    assert not rival.claim("watch", 30)
    assert rival.claim("other", 30)


def test_a_lease_ends(open_store: Callable[..., tuple[Store, Peers]]) -> None:
    store, peers = open_store()
    rival = peers()
    assert store.claim("watch", 30)
    assert store.claim("watch", 0.01)
    for _ in range(100_000):
        if rival.claim("watch", 30):
            break
    assert not store.claim("watch", 30)


def test_a_store_answers(store: Store) -> None:
    store.ping()


def on_instance(name: str, instance_id: str = "i-1", *, group: str = "g-1") -> Deployment:
    return a_deployment(name, group=group).model_copy(update={"claims": f"{group}/{instance_id}"})


def test_who_claims_something_else_runs_beside_the_group(store: Store) -> None:
    assert store.admit(on_instance("d-1"), token=None, queue=False) == Admitted("d-1")
    assert store.admit(on_instance("d-2", "i-2"), token=None, queue=False) == Admitted("d-2")
    assert admit(store, "d-3") == Admitted("d-3")
    assert [store.running(claimed) for claimed in ("g-1/i-1", "g-1/i-2", "g-1")] == ["d-1", "d-2", "d-3"]
    assert store.active() == ["d-1", "d-2", "d-3"]
    assert {deployment_id for _, deployment_id in store.recent(group_id="g-1")} == {"d-1", "d-2", "d-3"}
    ended = store.change("d-1", END)
    assert ended is not None
    assert ended.freed is None
    assert [store.running(claimed) for claimed in ("g-1/i-1", "g-1/i-2", "g-1")] == [None, "d-2", "d-3"]


def test_who_claims_the_same_waits_for_it_alone(store: Store) -> None:
    store.admit(on_instance("d-1"), token=None, queue=True)
    admit(store, "d-2")
    waiting = store.admit(on_instance("d-3"), token="t", queue=True)
    assert waiting == Admitted("d-3", queued=True)
    assert store.admit(on_instance("d-4"), token="t", queue=True) == Admitted("d-3", repeated=True, queued=True)
    with pytest.raises(DeploymentLimitExceeded) as refusal:
        store.admit(on_instance("d-5"), token=None, queue=False)
    assert refusal.value.running == "d-1"
    ended = store.change("d-2", END)
    assert ended is not None
    assert ended.freed is None
    ended = store.change("d-1", END)
    assert ended is not None
    assert ended.freed == "d-3"
    assert store.running("g-1/i-1") == "d-3"


def test_a_claim_is_not_for_editing(store: Store) -> None:
    admit(store, "d-1")
    with pytest.raises(ValueError, match="not for editing"):
        store.change("d-1", lambda present: Change(present.model_copy(update={"claims": "g-2"})))


def test_a_deployment_that_ended_may_still_be_edited(store: Store) -> None:
    admit(store, "d-1")
    store.change("d-1", END)
    store.change("d-1", lambda present: Change(present.model_copy(update={"auto_updates": ("d-2",)})))
    found = store.deployment("d-1")
    assert found is not None
    assert (found.status, found.auto_updates) == (DeploymentStatus.FAILED, ("d-2",))
    assert admit(store, "d-3") == Admitted("d-3")


def test_one_that_goes_first_is_freed_before_those_that_waited(store: Store) -> None:
    admit(store, "d-1")
    admit(store, "d-2", queue=True)
    ahead = store.admit(a_deployment("d-3"), token="t", queue=True, first=True)
    assert ahead == Admitted("d-3", queued=True)
    assert store.admit(a_deployment("d-4"), token="t", queue=True, first=True) == Admitted("d-3", True, True)
    changed = store.change("d-1", END)
    assert changed is not None
    assert changed.freed == "d-3"
    after = store.change("d-3", END)
    assert after is not None
    assert after.freed == "d-2"
