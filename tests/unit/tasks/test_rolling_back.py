"""A deployment that fails and the one that rolls it back, in memory: nothing between the two is lost or done twice."""

from __future__ import annotations

from typing import Any

import pytest

from domain.deployments import CreateDeployment, Deployment, DeploymentStatus, Progress, TargetStatus
from domain.errors import WorldError
from domain.groups import DeploymentGroup
from tasks.admitting import create_deployment
from tasks.beginning import begin
from tasks.phases import conclude
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import a_revision

ROLLBACK = {"enabled": True, "events": ("DEPLOYMENT_FAILURE",)}


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
    first = run.records[run.order[0]]
    run.records[run.order[0]] = first.model_copy(update={"status": TargetStatus.FAILED, "attempt": "t-1"})
    return present(engine, deployment_id)


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
