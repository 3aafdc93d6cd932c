"""A deployment that fails and the one that rolls it back, in memory: nothing between the two is lost or done twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from adapters.scaling.memory import MemoryScaling
from domain import reasons
from domain.deployments import (
    CreateDeployment,
    Deployment,
    DeploymentStatus,
    Phase,
    Progress,
    RollbackInfo,
    TargetRecord,
    TargetStatus,
)
from domain.errors import WorldError
from domain.groups import DeploymentGroup
from domain.lifecycle import Event
from domain.limits import Limits
from domain.moves import Change, Heard
from domain.reports import AgentHello, EventStatus
from domain.scaling import SuspendedProcesses
from tasks.admitting import create_deployment
from tasks.beginning import begin
from tasks.phases import conclude
from tasks.rolling_back import revision_to_return_to
from tasks.steering import expire, stop
from tasks.watch import look_at_deployments
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import EVENTS, NOW, a_deployment, a_record, a_revision, held
from workflows import group_memory

ROLLBACK = {"enabled": True, "events": ("DEPLOYMENT_FAILURE",)}
ALL = {"enabled": True, "events": ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST")}


@pytest.fixture
def good(engine: Engine) -> Engine:
    """A group whose first deployment has succeeded."""
    engine.store.groups.change("g-1", lambda group: changed(group, target_revision=a_revision("v1")))
    return engine


def changed(group: DeploymentGroup, **members: Any) -> DeploymentGroup:
    return DeploymentGroup.model_validate({**group.model_dump(by_alias=False), **members})


def failing(engine: Engine) -> Deployment:
    """One under way whose only attempted host has failed."""
    request = CreateDeployment.model_validate(
        {
            "application_name": "shop",
            "deployment_group_name": "web",
            "revision": a_revision("v2"),
            "auto_rollback_configuration": ROLLBACK,
        }
    )
    deployment_id = create_deployment(engine.world(), request)
    begin.run(deployment_id)
    run = engine.store._runs[deployment_id]
    run.progress[0] = Progress(total=2, taken=1, failed=1, lanes=1, retired=1)
    run.records[run.order[0]] = touched(run.records[run.order[0]])
    return present(engine, deployment_id)


def touched(record: TargetRecord, start: float | None = NOW) -> TargetRecord:
    """One on which the first event failed; without `start`, before it began."""
    events = {Event.APPLICATION_STOP: held(EventStatus.FAILED, start=start)}
    return record.model_copy(update={"status": TargetStatus.FAILED, "attempt": "t-1", "events": events})


def present(engine: Engine, deployment_id: str | None) -> Deployment:
    found = engine.store.deployment(deployment_id or "")
    assert found is not None
    return found


def test_a_failure_is_rolled_back_by_the_next_deployment_of_the_group(good: Engine) -> None:
    failed = failing(good)
    conclude(good.world(), failed)
    over = present(good, failed.deployment_id)
    assert over.status is DeploymentStatus.FAILED
    assert over.rollback_info is not None
    back = present(good, over.rollback_info.rollback_deployment_id)
    assert (back.status, back.creator, back.rolls_back) == (
        DeploymentStatus.QUEUED,
        "codeDeployRollback",
        failed.deployment_id,
    )
    assert good.sent.named("begin")[-1] == (back.deployment_id,)
    begin.run(back.deployment_id)
    under_way = present(good, back.deployment_id)
    assert (under_way.status, under_way.total) == (DeploymentStatus.IN_PROGRESS, 1), "only the host that was touched"
    assert [r.target.target_id for r in good.store.targets(back.deployment_id)] == ["web-1"]
    assert under_way.revision == a_revision("v1")


def test_where_no_event_began_there_is_nothing_to_roll_back(good: Engine) -> None:
    failed = failing(good)
    run = good.store._runs[failed.deployment_id]
    run.records[run.order[0]] = touched(run.records[run.order[0]], start=None)
    conclude(good.world(), failed)
    info = present(good, failed.deployment_id).rollback_info
    assert info == RollbackInfo(rollback_message=reasons.NOTHING_TO_ROLL_BACK)
    assert good.store.active() == []


def test_by_hand_it_goes_past_what_runs_where_the_last_one_touched_nothing(good: Engine) -> None:
    for at in (0, 1):
        values: dict[str, Any] = {
            "create_time": NOW - 9 + at,
            "start_time": NOW - 9 + at,
            "revision": a_revision(f"v{at}"),
        }
        done = a_deployment(deployment_id=f"d-{at}", **values)
        good.store.admit(done.model_copy(update={"status": DeploymentStatus.CREATED}), token=None, queue=False)
        over = Change(done.model_copy(update={"status": DeploymentStatus.SUCCEEDED}))
        good.store.change(done.deployment_id, lambda _, over=over: over)  # type: ignore[misc]
    failed = failing(good)
    assert revision_to_return_to(good.world(), "shop", "web").deployment_id == "d-1"
    run = good.store._runs[failed.deployment_id]
    run.records[run.order[0]] = touched(run.records[run.order[0]], start=None)
    assert revision_to_return_to(good.world(), "shop", "web").deployment_id == "d-0"


def test_it_goes_before_those_that_waited_longer(good: Engine) -> None:
    good.store.groups.change("g-1", lambda group: changed(group, busy="QUEUE"))
    failed = failing(good)
    waiting = create_deployment(
        good.world(),
        CreateDeployment(application_name="shop", deployment_group_name="web", revision=a_revision("v3")),
    )
    conclude(good.world(), failed)
    over = present(good, failed.deployment_id)
    assert over.rollback_info is not None
    assert good.store.running("g-1") == over.rollback_info.rollback_deployment_id
    assert present(good, waiting).status is DeploymentStatus.QUEUED


def test_a_crash_between_the_two_makes_one_rollback(good: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = failing(good)
    with monkeypatch.context() as crash:
        crash.setattr(good.store, "change", lambda *_: (_ for _ in ()).throw(WorldError("gone")))
        with pytest.raises(WorldError):
            conclude(good.world(), failed)
    conclude(good.world(), failed)
    over = present(good, failed.deployment_id)
    assert over.rollback_info is not None
    assert set(good.store.active()) == {over.rollback_info.rollback_deployment_id}


def test_a_rollback_of_what_came_out_well_does_nothing(good: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = failing(good)
    with monkeypatch.context() as crash:
        crash.setattr(good.store, "change", lambda *_: (_ for _ in ()).throw(WorldError("gone")))
        with pytest.raises(WorldError):
            conclude(good.world(), failed)
    run = good.store._runs[failed.deployment_id]
    run.progress[0] = Progress(total=2, taken=2, succeeded=2, lanes=1, retired=1)
    conclude(good.world(), present(good, failed.deployment_id))
    assert present(good, failed.deployment_id).status is DeploymentStatus.SUCCEEDED
    (back,) = good.store.active()
    begin.run(back)
    nothing = present(good, back)
    assert nothing.status is DeploymentStatus.STOPPED
    assert nothing.error_information is not None
    assert "does nothing" in nothing.error_information.message


def test_without_an_earlier_success_it_says_so(engine: Engine) -> None:
    failed = failing(engine)
    conclude(engine.world(), failed)
    over = present(engine, failed.deployment_id)
    assert over.rollback_info is not None
    assert over.rollback_info.rollback_deployment_id is None
    assert "no earlier deployment" in (over.rollback_info.rollback_message or "")
    assert engine.store.active() == []


def test_a_rollback_that_fails_is_the_end(good: Engine) -> None:
    failed = failing(good)
    conclude(good.world(), failed)
    over = present(good, failed.deployment_id)
    assert over.rollback_info is not None
    back = over.rollback_info.rollback_deployment_id or ""
    begin.run(back)
    good.store._runs[back].progress[0] = Progress(total=1, taken=1, failed=1, lanes=1, retired=1)
    conclude(good.world(), present(good, back))
    lost = present(good, back)
    assert lost.status is DeploymentStatus.FAILED
    assert lost.rollback_info is not None
    assert lost.rollback_info.rollback_deployment_id is None
    assert good.store.active() == []


def test_hosts_whose_agents_are_away_come_last(good: Engine) -> None:
    good.hosts.names = ("web-1", "web-2", "web-3")
    failed = failing(good)
    run = good.store._runs[failed.deployment_id]
    begun = {Event.APPLICATION_STOP: held(EventStatus.SUCCEEDED, start=NOW)}
    for name, record in run.records.items():
        run.records[name] = record.model_copy(update={"attempt": "t-1", "events": begun})
    conclude(good.world(), present(good, failed.deployment_id))
    back = present(good, failed.deployment_id).rollback_info
    assert back is not None
    for host in ("web-2", "web-3"):
        good.store.record([Heard(AgentHello(host=host, at=NOW))])
    begin.run(back.rollback_deployment_id or "")
    targets = good.store.targets(back.rollback_deployment_id or "")
    assert [record.target.target_id for record in targets] == ["web-2", "web-3", "web-1"]


def test_a_wish_for_a_rollback_that_comes_at_the_last_moment_is_fulfilled(
    good: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between what its end was to be and the write of that."""
    failed = failing(good)
    off = {"auto_rollback_configuration": None}
    good.store.change(failed.deployment_id, lambda found: Change(found.model_copy(update=off)))
    stop(good.world(), failed.deployment_id)
    meanwhile(good, monkeypatch, lambda: stop(good.world(), failed.deployment_id, rollback=True))
    conclude(good.world(), present(good, failed.deployment_id))
    over = present(good, failed.deployment_id)
    assert (over.status, over.rollback_on_stop) == (DeploymentStatus.STOPPED, True)
    assert over.rollback_info is not None
    assert good.store.active() == [over.rollback_info.rollback_deployment_id]


def meanwhile(engine: Engine, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Something happens between the decision on a phase and its write."""
    real, once = engine.store.groups.change, [happens]

    def change(*args: Any) -> Any:
        if once:
            once.pop()()
        return real(*args)

    monkeypatch.setattr(engine.store.groups, "change", change)


SUSPENDED = (SuspendedProcesses(auto_scaling_group="asg", processes=("Terminate",)),)


def test_a_stop_between_two_zones_that_comes_while_the_first_is_concluded(
    good: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends earlier than it was to end is rolled back, and what it suspended is resumed."""
    scaling = MemoryScaling("asg")
    scaling.suspend("asg", ["Terminate"])
    world = replace(good.world(), scaling=lambda: scaling)
    zones = tuple(Phase(first=at, count=1, lanes=1, events=EVENTS) for at in range(2))
    wanted = {"enabled": True, "events": ("DEPLOYMENT_STOP_ON_REQUEST",)}
    members = {"phases": zones, "suspended": SUSPENDED, "auto_rollback_configuration": wanted}
    under_way = a_deployment(total=2, floor=0, **members)
    good.store.admit(under_way, token=None, queue=False)
    good.store.groups.change("g-1", lambda group: group_memory.begun(group, under_way))
    done = Progress(total=1, taken=1, succeeded=1, lanes=1, retired=1)
    run = good.store._runs[under_way.deployment_id]
    run.progress[0] = done
    good.store.lay_out(under_way.deployment_id, [touched(a_record(index=0)), a_record("web-2", index=1)])
    meanwhile(good, monkeypatch, lambda: stop(world, under_way.deployment_id))
    conclude(world, under_way)
    over = present(good, under_way.deployment_id)
    assert over.status is DeploymentStatus.STOPPED
    assert over.rollback_info is not None
    assert good.store.active() == [over.rollback_info.rollback_deployment_id]
    assert scaling.suspended("asg") == frozenset()


def test_what_ends_before_it_began_says_so_and_leaves_nothing_suspended(good: Engine) -> None:
    scaling = MemoryScaling("asg")
    scaling.suspend("asg", ["Terminate"])
    world = replace(good.world(), scaling=lambda: scaling)
    values = {"application_name": "shop", "deployment_group_name": "web", "revision": a_revision("v2")}
    for end in (lambda made: stop(world, made, rollback=True), lambda made: expire(world, present(good, made))):
        made = create_deployment(world, CreateDeployment.model_validate({**values, "auto_rollback_configuration": ALL}))
        good.store.change(made, lambda found: Change(found.model_copy(update={"suspended": SUSPENDED})))
        scaling.suspend("asg", ["Terminate"])
        end(made)
        over = present(good, made)
        assert over.status.final
        assert over.rollback_info is not None
        assert "before it touched an instance" in (over.rollback_info.rollback_message or "")
        assert scaling.suspended("asg") == frozenset()
        assert good.store.active() == []


def test_one_whose_turn_came_and_that_cannot_begin_ends_at_some_time(good: Engine) -> None:
    good.store.groups.change("g-1", lambda group: changed(group, busy="QUEUE"))
    values = {"application_name": "shop", "deployment_group_name": "web"}
    first, second = (
        create_deployment(good.world(), CreateDeployment(revision=a_revision(name), **values)) for name in ("v2", "v3")
    )
    # It may wait for its turn as long as it takes.
    good.now += 30 * Limits().deployment_seconds
    stop(good.world(), first)
    good.hosts.trouble = WorldError("AWS does not answer")
    with pytest.raises(WorldError):
        begin.run(second)
    look_at_deployments(good.world())
    assert present(good, second).status is DeploymentStatus.CREATED
    good.now += Limits().deployment_seconds
    look_at_deployments(good.world())
    over = present(good, second)
    assert over.status is DeploymentStatus.FAILED
    assert over.error_information is not None
    assert over.error_information.code == "TIMEOUT"
    assert good.store.running("g-1") is None
