"""When a deployment is rolled back, when not and why, and by what."""

from __future__ import annotations

from typing import Any

import pytest

from domain.configs import MinimumHealthyHostsType
from domain.deployments import (
    Deployment,
    DeploymentErrorCode,
    DeploymentStatus,
    ErrorInformation,
    Phase,
    PhaseKind,
    RollbackInfo,
    TargetRecord,
    TargetStatus,
)
from domain.fleet import HostRecord
from domain.lifecycle import Event
from domain.moves import Change
from domain.reports import EventStatus
from tests.unit.workflows.engine_values import EVENTS, NOW, STOP, a_deployment, a_group, a_record, a_revision, held
from workflows import group_memory
from workflows.admission import start, stop
from workflows.decide import remembered
from workflows.rollback import (
    had_traffic,
    has_changed_anything,
    needed,
    returned_to,
    rollback_of,
    told,
    wanted,
    was_touched,
    why_not,
)

ALARM = ErrorInformation(code=DeploymentErrorCode.ALARM_ACTIVE, message="<cpu>")
LOST = ErrorInformation(code=DeploymentErrorCode.HEALTH_CONSTRAINTS, message="too many")
BLUE_GREEN = {"deployment_style": {"deployment_type": "BLUE_GREEN", "deployment_option": "WITH_TRAFFIC_CONTROL"}}
ALL = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST")


def ended(status: str, why: ErrorInformation | None, *events: str, **more: Any) -> Deployment:
    config = {"enabled": bool(events), "events": events}
    return a_deployment(**{"status": status, "error_information": why, "auto_rollback_configuration": config, **more})


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        pytest.param(ended("Failed", LOST, "DEPLOYMENT_FAILURE"), True, id="a failure"),
        pytest.param(ended("Failed", LOST, "DEPLOYMENT_STOP_ON_ALARM"), False, id="a failure nobody asked for"),
        pytest.param(ended("Failed", LOST), False, id="off"),
        pytest.param(ended("Failed", LOST, auto_rollback_configuration=None), False, id="nothing said"),
        pytest.param(ended("Stopped", ALARM, "DEPLOYMENT_STOP_ON_ALARM"), True, id="an alarm"),
        pytest.param(ended("Stopped", ALARM, "DEPLOYMENT_STOP_ON_REQUEST"), False, id="an alarm is no request"),
        pytest.param(ended("Stopped", STOP, "DEPLOYMENT_STOP_ON_REQUEST"), True, id="a request"),
        pytest.param(ended("Stopped", STOP, *ALL, rollback_on_stop=False), False, id="a request that says no"),
        pytest.param(ended("Stopped", STOP, rollback_on_stop=True), True, id="a request that says yes"),
        pytest.param(ended("Stopped", ALARM, *ALL, rollback_on_stop=False), False, id="an alarm, then a person: no"),
        pytest.param(ended("Stopped", ALARM, rollback_on_stop=True), True, id="an alarm, then a person: yes"),
        pytest.param(ended("Failed", LOST, rollback_on_stop=True), False, id="it failed before it was stopped"),
        pytest.param(ended("Succeeded", None, *ALL, rollback_on_stop=True), False, id="a success"),
        pytest.param(ended("Failed", LOST, *ALL, creator="codeDeployRollback"), False, id="a rollback that fails"),
        pytest.param(ended("Failed", LOST, *ALL, only=("web-1",)), False, id="to single instances"),
    ],
)
def test_when_it_is_wanted(deployment: Deployment, expected: bool) -> None:
    assert wanted(deployment) is expected


def blue_green(*kinds: PhaseKind, **more: Any) -> Deployment:
    phases = tuple(Phase(kind=kind, count=2, lanes=2, events=EVENTS) for kind in kinds)
    values = {"phases": phases, "phase": len(kinds) - 1, "total": 4, "blue": 2}
    return ended("Failed", LOST, *ALL, **{**BLUE_GREEN, **values, **more})


GOOD = a_group(target_revision=a_revision("v1"))
ROUND = (PhaseKind.INSTALL, PhaseKind.SHIFT, PhaseKind.BLOCK)


@pytest.mark.parametrize(
    ("deployment", "words"),
    [
        pytest.param(ended("Failed", LOST, phases=()), "before it touched an instance", id="never begun"),
        pytest.param(blue_green(PhaseKind.INSTALL), "no traffic was shifted", id="green never served"),
        pytest.param(blue_green(PhaseKind.INSTALL, PhaseKind.SHIFT, blue=0), "no original instances", id="no blue"),
        pytest.param(blue_green(*ROUND, PhaseKind.RETIRE), "have been retired", id="blue is gone"),
        pytest.param(
            blue_green(*ROUND, PhaseKind.RETIRE, jumped_from=2),
            "have taken the place",
            id="blue was left out of traffic",
        ),
        pytest.param(
            blue_green(*ROUND, PhaseKind.RETIRE, PhaseKind.ABANDON, jumped_from=0),
            "no traffic was shifted",
            id="green was made and removed",
        ),
        pytest.param(
            blue_green(*ROUND, PhaseKind.RETIRE, PhaseKind.ABANDON, jumped_from=1),
            "no traffic was shifted",
            id="no green host got traffic",
        ),
    ],
)
def test_why_not(deployment: Deployment, words: str) -> None:
    assert words in (why_not(deployment, GOOD) or "")


def test_without_an_earlier_success_there_is_no_way_back() -> None:
    assert "no earlier deployment" in (why_not(ended("Failed", LOST), a_group()) or "")
    assert "group has been deleted" in (why_not(ended("Failed", LOST), None) or "")
    assert "group has been deleted" in (why_not(blue_green(PhaseKind.INSTALL, PhaseKind.SHIFT), None) or "")
    assert why_not(ended("Failed", LOST), GOOD) is None
    assert why_not(blue_green(PhaseKind.INSTALL, PhaseKind.SHIFT), a_group()) is None, "blue needs no revision"


def back(deployment: Deployment, last: Deployment | None = None) -> Deployment:
    return rollback_of(deployment, GOOD, last, deployment_id="d-BACK", now=NOW)


def test_it_brings_back_the_last_good_revision_as_fast_as_the_other_went() -> None:
    failed = ended("Failed", LOST, *ALL, total=10, floor=7, ignore_application_stop_failures=True)
    made = back(failed, a_deployment(file_exists_behavior="OVERWRITE"))
    assert (made.revision, made.creator, made.deployment_id) == (a_revision("v1"), "codeDeployRollback", "d-BACK")
    minimum = made.minimum_healthy_hosts
    assert (minimum.type, minimum.value) == (MinimumHealthyHostsType.MOST_CONCURRENCY, 3)
    assert made.file_exists_behavior == "OVERWRITE"
    assert made.ignore_application_stop_failures
    assert (made.auto_rollback_configuration, made.zonal_config) == (None, None)
    assert made.rolls_back == failed.deployment_id
    assert made.rollback_info is not None
    assert made.rollback_info.rollback_message == (
        "The deployment d-AAAAAAAAA ended as Failed; the deployment d-BACK rolls it back."
    )


def test_hosts_are_told_to_which_state_it_returns() -> None:
    failed = ended("Failed", LOST, *ALL, restore_overwritten=True, start_time=NOW + 5)
    good = a_deployment(create_time=NOW - 9000, start_time=NOW - 60)
    assert (back(failed, good).restore_overwritten, back(failed, good).back_to) == (True, NOW - 60)
    # One may wait in the queue, so it is known by when it began; the failed one counts where no good one is known.
    assert back(failed).back_to == NOW + 5
    assert not back(ended("Failed", LOST, *ALL), good).restore_overwritten


def laid_out(made: Deployment, total: int, **more: Any) -> Deployment:
    change = start(made, total, group=GOOD, now=NOW, **more)
    assert change is not None
    return change.deployment


def test_in_place_it_goes_to_the_hosts_that_were_touched() -> None:
    under_way = laid_out(back(ended("Failed", LOST, *ALL, total=10, floor=7)), 4, matched=10)
    (phase,) = under_way.phases
    assert (phase.kind, phase.count, phase.lanes, phase.events) == (PhaseKind.ROLLOUT, 4, 3, EVENTS)
    nobody = laid_out(back(ended("Failed", LOST, *ALL)), 0, matched=3)
    assert nobody.status == "Succeeded"
    (told,) = nobody.status_messages
    assert told.startswith("None of the instances that the deployment d-AAAAAAAAA had touched is there any more")


def test_blue_green_it_moves_traffic_back_and_takes_green_out() -> None:
    failed = blue_green(PhaseKind.INSTALL, PhaseKind.SHIFT, source_environment="web", green_environment="web-green")
    under_way = laid_out(back(failed), 1, blue=2)
    assert [(phase.kind, phase.first, phase.count) for phase in under_way.phases] == [
        (PhaseKind.SHIFT, 0, 2),
        (PhaseKind.BLOCK, 2, 1),
        (PhaseKind.ABANDON, 0, 0),
    ]
    assert under_way.phases[0].events[0] is Event.BEFORE_ALLOW_TRAFFIC
    assert under_way.phases[1].events[0] is Event.BEFORE_BLOCK_TRAFFIC
    nobody = laid_out(back(blue_green(PhaseKind.INSTALL, PhaseKind.SHIFT)), 0, blue=2)
    assert [phase.kind for phase in nobody.phases] == [PhaseKind.SHIFT]


def test_blue_has_what_it_had_before_whatever_the_group_runs_by_then() -> None:
    failed = blue_green(*ROUND, previous_revision=a_revision("v0"))
    assert (back(failed).revision, back(failed).returns_to_unknown) == (a_revision("v0"), False)
    unknown = back(blue_green(*ROUND))
    assert unknown.returns_to_unknown
    # What it says of itself then is not what blue has.
    success = unknown.model_copy(update={"status": DeploymentStatus.SUCCEEDED})
    last = {"deployment_id": "d-BACK", "create_time": NOW, "status": "InProgress"}
    group = a_group(target_revision=a_revision(), last_attempted_deployment=last)
    assert group_memory.ended(group, success).target_revision is None
    known = remembered(HostRecord(), success, TargetStatus.SUCCEEDED)
    assert (known.revision, known.health) == (None, "Healthy")


def test_which_hosts_were_touched() -> None:
    assert not was_touched(a_record())
    assert not was_touched(a_record(status="Skipped", attempt="t-1"))
    assert not was_touched(a_record(status="Failed", attempt="t-1")), "nothing of it ever began"
    begun = {Event.APPLICATION_STOP: held(EventStatus.FAILED, start=NOW)}
    assert was_touched(a_record(status="Failed", attempt="t-1", events=begun))
    assert not had_traffic(a_record(status="Ready", attempt="t-1"))
    for status, expected in ((EventStatus.FAILED, True), (EventStatus.SUCCEEDED, True), (EventStatus.SKIPPED, False)):
        assert had_traffic(a_record(attempt="t-1", events={Event.ALLOW_TRAFFIC: held(status)})) is expected


BEGUN = a_record(attempt="t-1", events={Event.APPLICATION_STOP: held(EventStatus.FAILED, start=NOW)})
SERVED = a_record(attempt="t-1", events={Event.ALLOW_TRAFFIC: held(EventStatus.SUCCEEDED, start=NOW)})


@pytest.mark.parametrize(
    ("deployment", "records", "expected"),
    [
        pytest.param(ended("Failed", LOST, phases=()), [BEGUN], False, id="never begun"),
        pytest.param(ended("Failed", LOST), [a_record(), a_record(attempt="t-1")], False, id="no event began"),
        pytest.param(ended("Failed", LOST), [a_record(), BEGUN], True, id="an event began"),
        pytest.param(ended("Succeeded", None), [], True, id="a success needs no look"),
        pytest.param(blue_green(PhaseKind.INSTALL), [BEGUN], False, id="green that never served"),
        pytest.param(blue_green(*ROUND), [BEGUN, SERVED], True, id="green that served"),
    ],
)
def test_whether_a_group_is_as_it_was(deployment: Deployment, records: list[TargetRecord], expected: bool) -> None:
    assert has_changed_anything(deployment, records) is expected


def history(*told: str) -> list[Deployment]:
    """Deployments of a group by `v1 ok`, `v2 bad`, `v2 none` (it changed nothing) and `v1 ok <0`: back to the first;
    newest first. One begins each second."""
    made = []
    for at, (revision, outcome, *back) in enumerate(line.split() for line in told):
        values: dict[str, Any] = {
            "deployment_id": f"d-{at}",
            "revision": a_revision(revision),
            "status": "Succeeded" if outcome == "ok" else "Failed",
            "start_time": NOW + at,
            "phases": () if outcome == "none" else (Phase(count=2, lanes=2, events=EVENTS),),
            "back_to": NOW + int(back[0][1:]) if back else None,
        }
        made.append(a_deployment(**values))
    return made[::-1]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (["v1 ok", "v2 ok"], 0),
        (["v1 ok", "v2 bad"], 0),
        (["v1 ok", "v2 ok", "v2 ok"], 0),
        (["v1 ok", "v2 ok", "v3 ok", "v2 ok <1"], 0),
        (["v1 ok", "v2 ok", "v3 bad", "v2 ok <1"], 0),
        (["v1 ok", "v2 ok", "v3 none"], 0),
        (["v1 ok", "v2 ok", "v3 ok", "v2 bad <1"], 1),
        (["v1 ok", "v2 ok", "v1 ok <0", "v3 ok"], 2),
        (["v1 ok", "v2 ok", "v1 ok <0", "v3 ok", "v1 ok <2"], None),
        (["v1 ok", "v2 ok", "v3 ok", "v2 ok <1", "v3 ok <2"], 1),
        (["v1 ok", "v2 bad", "v1 bad <0", "v4 ok"], 0),
        (["v1 ok"], None),
        (["v1 bad"], None),
        (["v1 none"], None),
        ([], None),
    ],
)
def test_to_what_a_group_returns_when_somebody_asks(told: list[str], expected: int | None) -> None:
    found = returned_to(history(*told), lambda deployment: bool(deployment.came_to))
    assert (found and found.deployment_id) == (None if expected is None else f"d-{expected}")


def test_what_no_deployment_brought_is_nothing_to_return_to() -> None:
    """Traffic went back to blue of a revision that nobody knows: the rollback itself names the one that failed."""
    first, *rest = history("v1 bad", "v1 ok <0", "v2 ok")
    unknown = [each.model_copy(update={"returns_to_unknown": each.back_to is not None}) for each in rest]
    assert returned_to([first, *unknown], lambda _: True) is None


def test_who_rolls_back_again_and_again_comes_to_the_first_success() -> None:
    told = ["v1 ok", "v2 ok", "v3 ok", "v4 ok"]
    seen = []
    while found := returned_to(history(*told), lambda _: True):
        seen.append(at := int(found.deployment_id.removeprefix("d-")))
        told.append(f"v{at + 1} ok <{at}")
    assert seen == [2, 1, 0]


def test_an_end_that_came_out_well_at_the_last_moment_says_nothing_of_a_rollback() -> None:
    info = RollbackInfo(rollback_deployment_id="d-BACK")
    well = Change(ended("Succeeded", None, *ALL))
    assert told(well, info) == well
    failed = told(Change(ended("Failed", LOST, *ALL)), info).deployment
    assert failed.rollback_info == info
    assert needed(back(failed), failed)
    assert not needed(back(failed), well.deployment)
    assert not needed(back(failed), None)


def test_whoever_stops_may_say_more_later() -> None:
    first = stop(a_deployment(), now=NOW, rollback=True)
    assert first is not None
    assert first.deployment.rollback_on_stop is True
    assert stop(first.deployment, now=NOW) is None
    second = stop(first.deployment, now=NOW, rollback=False, cut=True)
    assert second is not None
    assert (second.deployment.rollback_on_stop, second.deployment.cutting) == (False, True)
