"""How deployments begin and end whatever happens between two writes, and whoever speaks at the same time."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from celery.exceptions import Ignore

from domain.deployments import CreateDeployment, Deployment, DeploymentErrorCode, DeploymentStatus, Progress
from domain.errors import MissingRights, RevisionMissing, WorldError
from domain.fleet import TargetKind
from domain.groups import DeploymentGroup
from tasks.admitting import create_deployment
from tasks.beginning import begin
from tasks.phases import conclude
from tasks.rollout import next_host
from tasks.steering import stop
from tests.unit.tasks.engine import MOST_TARGETS, Engine
from tests.unit.workflows.engine_values import NOW, a_deployment, a_revision
from workflows.group_memory import begun


def group_of(engine: Engine) -> DeploymentGroup:
    group = engine.store.groups.get("g-1")
    assert group is not None
    return group


def created(engine: Engine, **more: Any) -> str:
    request = CreateDeployment(application_name="shop", deployment_group_name="web", revision=a_revision(), **more)
    return create_deployment(engine.world(), request)


def concluded(engine: Engine, monkeypatch: pytest.MonkeyPatch, *, failed: int) -> str:
    """A deployment under way whose lanes have all retired, with one host of two or none failed; its id."""
    deployment_id = created(engine)
    begin(deployment_id)
    counts = Progress(total=2, taken=2, succeeded=2 - failed, failed=failed, lanes=1, retired=1)
    monkeypatch.setattr(engine.store, "progress", lambda *_: counts)
    return deployment_id


def test_one_that_fails_at_its_begin_is_remembered_as_failed(engine: Engine) -> None:
    engine.hosts.names = ()
    deployment_id = created(engine)
    begin(deployment_id)
    last = group_of(engine).last_attempted_deployment
    assert last is not None
    assert (last.deployment_id, last.status) == (deployment_id, DeploymentStatus.FAILED)
    assert last.end_time is not None


def test_an_application_that_was_deleted_is_named(engine: Engine) -> None:
    deployment_id = created(engine)
    engine.store.applications.remove("a-1")
    begin(deployment_id)
    ended = engine.store.deployment(deployment_id)
    assert ended is not None
    assert ended.error_information is not None
    assert ended.error_information.code is DeploymentErrorCode.APPLICATION_MISSING


def ended_at_begin(engine: Engine) -> Deployment:
    deployment_id = created(engine)
    begin(deployment_id)
    ended = engine.store.deployment(deployment_id)
    assert ended is not None
    return ended


def test_rights_that_are_missing_end_the_deployment_and_are_named(engine: Engine) -> None:
    engine.hosts.trouble = MissingRights("AWS refuses the call ec2:DescribeInstances")
    error = ended_at_begin(engine).error_information
    assert error is not None
    assert (error.code, error.message) == (
        DeploymentErrorCode.IAM_ROLE_PERMISSIONS,
        "AWS refuses the call ec2:DescribeInstances",
    )


def test_an_aws_that_is_away_leaves_the_deployment_to_be_begun_again(engine: Engine) -> None:
    engine.hosts.trouble = WorldError("AWS does not answer")
    deployment_id = created(engine)
    with pytest.raises(WorldError):
        begin(deployment_id)
    waiting = engine.store.deployment(deployment_id)
    assert waiting is not None
    assert waiting.status is DeploymentStatus.CREATED
    engine.hosts.trouble = None
    begin(deployment_id)
    under_way = engine.store.deployment(deployment_id)
    assert under_way is not None
    assert under_way.total == 2


@pytest.mark.parametrize(
    ("selection", "kinds", "said"),
    [
        ({"auto_scaling_groups": ("web",)}, {TargetKind.ON_PREMISES}, True),
        ({"ec2_tag_filters": ({"key": "role", "value": "web"},)}, {TargetKind.ON_PREMISES}, True),
        ({"auto_scaling_groups": ("web",)}, set(TargetKind), False),
        ({"auto_scaling_groups": ("shop-vms",)}, {TargetKind.ON_PREMISES}, False),
        ({"auto_scaling_groups": ("shop-vms", "web")}, {TargetKind.ON_PREMISES}, True),
        ({}, {TargetKind.ON_PREMISES}, False),
    ],
)
def test_where_aws_is_off_it_is_said_how_to_turn_it_on(
    engine: Engine, selection: dict[str, Any], kinds: set[TargetKind], said: bool
) -> None:
    engine.hosts.names, engine.hosts.kinds = (), frozenset(kinds)
    engine.store.groups.change("g-1", lambda group: type(group).model_validate({**dict(group), **selection}))
    error = ended_at_begin(engine).error_information
    assert error is not None
    assert error.code is DeploymentErrorCode.NO_INSTANCES
    assert ("SLIPWAY_AWS__ENABLED=true" in error.message) is said


@pytest.mark.parametrize(("more", "code"), [(0, None), (1, DeploymentErrorCode.OVER_MAX_INSTANCES)])
def test_more_targets_than_a_deployment_may_have_are_refused_with_their_numbers(
    engine: Engine, more: int, code: DeploymentErrorCode | None
) -> None:
    engine.hosts.names = [f"web-{number}" for number in range(MOST_TARGETS + more)]
    ended = ended_at_begin(engine)
    error = ended.error_information
    assert (error.code if error else None) is code
    if error is not None:
        assert ended.status is DeploymentStatus.FAILED
        assert "1001 targets" in error.message
        assert "may have 1000" in error.message
        assert engine.store.targets(ended.deployment_id) == []
        assert engine.store.running("g-1") is None


def test_a_revision_that_nobody_can_fetch_is_named(engine: Engine) -> None:
    deployment_id = created(engine)
    engine.links.gone = True
    begin(deployment_id)
    ended = engine.store.deployment(deployment_id)
    assert ended is not None
    assert ended.error_information is not None
    assert ended.error_information.code is DeploymentErrorCode.INVALID_REVISION
    assert "not to be reached any more" in ended.error_information.message


def test_a_revision_that_is_not_there_has_a_code_of_its_own(engine: Engine) -> None:
    deployment_id = created(engine)
    engine.links.fault = RevisionMissing("there is no object k in b")
    begin(deployment_id)
    ended = engine.store.deployment(deployment_id)
    assert ended is not None
    assert ended.error_information is not None
    assert ended.error_information.code is DeploymentErrorCode.REVISION_MISSING


def test_a_place_that_does_not_answer_is_no_verdict(engine: Engine) -> None:
    deployment_id = created(engine)
    engine.links.fault = WorldError("S3 does not answer")
    with pytest.raises(WorldError):
        begin(deployment_id)
    waiting = engine.store.deployment(deployment_id)
    assert waiting is not None
    assert waiting.status is DeploymentStatus.CREATED
    engine.links.fault = None
    begin(deployment_id)
    assert len(engine.sent.named("open_lanes")) == 1


@pytest.mark.parametrize("fault", [WorldError("S3 does not answer"), RevisionMissing("gone")], ids=["away", "gone"])
def test_a_host_that_gets_no_link_leaves_its_chord_whole(engine: Engine, fault: Exception) -> None:
    """An error would end the chord; the watch finds the host and sends it its order, or fails it alone."""
    deployment_id = created(engine)
    begin(deployment_id)
    engine.links.fault = fault
    with pytest.raises(Ignore):
        next_host(None, deployment_id, 0, 0, 0)
    assert engine.store.lane(deployment_id, 0, 0).step == 1


def test_two_begins_of_one_process_do_not_mix_their_targets(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease belongs to the process; the second one of its threads leaves the deployment to the first."""
    deployment_id = created(engine)
    amid, go, laid = threading.Event(), threading.Event(), []
    honest = engine.store.lay_out

    def slow(*given: Any) -> None:
        laid.append(given)
        amid.set()
        assert go.wait(10)
        honest(*given)

    monkeypatch.setattr(engine.store, "lay_out", slow)
    first = threading.Thread(target=begin, args=(deployment_id,))
    first.start()
    assert amid.wait(10)
    begin(deployment_id)
    go.set()
    first.join(10)
    assert len(laid) == 1
    assert len(engine.sent.named("open_lanes")) == 1


def test_a_broker_that_is_away_does_not_undo_an_admission(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: str) -> None:
        raise WorldError("the broker is away")

    monkeypatch.setattr(engine.sent, "begin", away, raising=False)
    assert engine.store.deployment(created(engine)) is not None


def test_a_stop_after_the_group_was_told_of_success_is_too_late(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control dies once the group knows of the success; the stop that comes then must not make two truths of it."""
    deployment_id = concluded(engine, monkeypatch, failed=1)
    present = engine.store.deployment(deployment_id)
    assert present is not None
    honest = engine.store.change

    def dies(*_: Any) -> None:
        raise WorldError("killed")

    monkeypatch.setattr(engine.store, "change", dies)
    with pytest.raises(WorldError):
        conclude(engine.world(), present)
    monkeypatch.setattr(engine.store, "change", honest)
    stop(engine.world(), deployment_id)
    stopping = engine.store.deployment(deployment_id)
    assert stopping is not None
    assert stopping.stopping is not None
    conclude(engine.world(), stopping)
    ended = engine.store.deployment(deployment_id)
    assert ended is not None
    assert ended.status is DeploymentStatus.SUCCEEDED
    assert group_of(engine).target_revision == ended.revision


def test_a_stop_between_the_groups_word_and_the_verdict_is_too_late(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment_id = concluded(engine, monkeypatch, failed=1)
    present = engine.store.deployment(deployment_id)
    assert present is not None
    stop(engine.world(), deployment_id)
    conclude(engine.world(), present)
    ended, last = engine.store.deployment(deployment_id), group_of(engine).last_attempted_deployment
    assert ended is not None
    assert last is not None
    assert ended.status == last.status == DeploymentStatus.SUCCEEDED


def test_a_settle_that_slept_does_not_take_the_group_back(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two settle at once; by the time the slower one speaks, the group has gone on to another deployment."""
    deployment_id = concluded(engine, monkeypatch, failed=0)
    slow = engine.store.deployment(deployment_id)
    assert slow is not None
    conclude(engine.world(), slow)
    other = a_deployment(deployment_id="d-OTHER0000", create_time=NOW + 60)
    engine.store.groups.change("g-1", lambda group: begun(group, other))
    after = group_of(engine)
    conclude(engine.world(), slow)
    assert group_of(engine) == after
