"""What a lane does next, what a group remembers of a host, and how a deployment ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.deployments import (
    DeploymentErrorCode,
    DeploymentStatus,
    ErrorInformation,
    Lane,
    Phase,
    PhaseKind,
    Progress,
    TargetRecord,
    TargetStatus,
)
from domain.fleet import Fate, HostRecord, InstanceHealth
from domain.happenings import HappeningType
from domain.moves import Conclude, LaneView, Move, Resend, Stale, Step, Take
from domain.reports import EventStatus, HostReport
from tests.unit.workflows.engine_values import (
    ALL_WELL,
    EVENTS,
    LIMITS,
    NOW,
    STOP,
    a_deployment,
    a_record,
    a_report,
    a_revision,
    a_view,
    held,
    outcomes_of,
    taken,
)
from workflows.decide import (
    completed,
    conclude_phase,
    ended,
    next_move,
    remembered,
    spoiled,
    target_status,
)
from workflows.timeouts import unfetchable, vanished

FRESH = Lane(number=0)


def move(view: LaneView, step: int = 1, report: HostReport | None = None, **more: Any) -> Move:
    return next_move(view, step=step, report=report, now=NOW, attempt="t-2", limits=LIMITS, **more)


def stepped(view: LaneView, letters: str = ALL_WELL) -> tuple[Conclude, Step]:
    made = move(view, report=a_report(letters))
    assert isinstance(made, Step)
    assert made.conclude is not None
    return made.conclude, made


TAKE = Take(target_id="web-2", attempt="t-2", at=NOW, check_at=NOW + LIMITS.nudge_seconds)


@pytest.mark.parametrize(("kind", "goes_on"), [(PhaseKind.BLOCK, True), (PhaseKind.ROLLOUT, False)])
def test_only_a_blue_host_that_is_skipped_leaves_its_lane_to_others(kind: PhaseKind, goes_on: bool) -> None:
    deployment = a_deployment(phases=(Phase(kind=kind, count=3, lanes=1, events=EVENTS),))
    conclude, step = stepped(a_view(deployment=deployment), "")
    assert conclude.status is TargetStatus.SKIPPED
    assert (step.take is not None) is goes_on
    assert step.happenings[0].type is HappeningType.INSTANCE_SKIPPED
    stopping = {"code": "MANUAL_STOP", "message": "stopped"}
    stopped = a_deployment(phases=deployment.phases, stopping=stopping)
    assert stepped(a_view(deployment=stopped), "")[1].take is None


@pytest.mark.parametrize(("blue_green", "goes_on"), [(False, True), (True, False)])
def test_a_rollback_in_place_tries_every_host(blue_green: bool, goes_on: bool) -> None:
    kind = "BLUE_GREEN" if blue_green else "IN_PLACE"
    style = {"deployment_type": kind, "deployment_option": "WITH_TRAFFIC_CONTROL"}
    deployment = a_deployment(rollback_info={"rollback_triggering_deployment_id": "d-BAD"}, deployment_style=style)
    conclude, step = stepped(a_view(deployment=deployment), "f")
    assert conclude.status is TargetStatus.FAILED
    assert (step.take is not None) is goes_on


def test_a_fresh_lane_takes_the_next_target() -> None:
    made = move(a_view(lane=FRESH, current=None), step=0)
    assert made == Step(None, TAKE, made.happenings if isinstance(made, Step) else ())
    assert isinstance(made, Step)
    assert [(h.type, h.instance_id) for h in made.happenings] == [(HappeningType.INSTANCE_START, "web-2")]


def test_a_lane_whose_host_is_done_concludes_it_and_takes_another() -> None:
    conclude, made = stepped(a_view())
    assert conclude.target_id == "web-1"
    assert conclude.status is TargetStatus.SUCCEEDED
    assert [outcome.event for outcome in conclude.outcomes] == list(EVENTS)
    assert conclude.at == NOW
    assert made.take == TAKE
    told = [(h.type, h.instance_id) for h in made.happenings]
    assert told == [(HappeningType.INSTANCE_SUCCESS, "web-1"), (HappeningType.INSTANCE_START, "web-2")]


def test_a_failed_host_takes_its_lane_along() -> None:
    conclude, made = stepped(a_view(), "ssf---")
    assert conclude.status is TargetStatus.FAILED
    assert [outcome.status for outcome in conclude.outcomes[3:]] == [EventStatus.SKIPPED] * 4
    assert made.take is None
    (told,) = made.happenings
    assert (told.type, told.failed_event, told.error_code) == (
        HappeningType.INSTANCE_FAILURE,
        "BeforeInstall",
        "ScriptFailed",
    )


def test_a_forgiven_failure_costs_nothing() -> None:
    conclude, made = stepped(a_view(), "Fssssss")
    assert conclude.status is TargetStatus.SUCCEEDED
    assert made.take == TAKE


def test_a_lane_retires_when_nothing_is_left() -> None:
    assert stepped(a_view(upcoming=None))[1].take is None
    assert move(a_view(lane=FRESH, current=None, upcoming=None), step=0) == Step(None, None)


def test_a_stopping_deployment_starts_no_host() -> None:
    stopping = a_deployment(stopping=STOP)
    assert stepped(a_view(deployment=stopping))[1].take is None
    assert move(a_view(deployment=stopping, lane=FRESH, current=None), step=0) == Step(None, None)


def test_a_target_that_has_ended_is_not_taken_again() -> None:
    view = a_view(upcoming=a_record("web-2", index=1, status=TargetStatus.FAILED))
    assert stepped(view)[1].take is None


RETIRED = Lane(number=0, step=1, retired=True)


@pytest.mark.parametrize(
    ("view", "step", "report"),
    [
        pytest.param(a_view(), 0, None, id="an earlier step"),
        pytest.param(a_view(), 2, a_report(), id="a later step"),
        pytest.param(a_view(lane=RETIRED, current=None), 1, a_report(), id="a retired lane"),
        pytest.param(a_view(), 1, None, id="no report of the host at work"),
        pytest.param(a_view(), 1, a_report(attempt="t-0"), id="another attempt"),
        pytest.param(a_view(), 1, a_report(name="web-2"), id="another host"),
        pytest.param(a_view(current=None), 1, a_report(), id="a target that is not there"),
        pytest.param(a_view(current=taken(attempt="t-9")), 1, a_report(), id="a target in another attempt"),
        pytest.param(
            a_view(deployment=a_deployment(status=DeploymentStatus.FAILED)), 1, a_report(), id="a finished deployment"
        ),
    ],
)
def test_a_message_whose_moment_has_passed_is_stale(view: LaneView, step: int, report: HostReport | None) -> None:
    assert move(view, step, report) == Stale()


def test_the_same_message_delivered_again_sends_the_chain_again() -> None:
    assert move(a_view(), 0, redelivered=True) == Resend()


@pytest.mark.parametrize(
    ("view", "step"),
    [
        pytest.param(a_view(lane=RETIRED, current=None), 0, id="retired"),
        pytest.param(a_view(lane=Lane(number=0, step=2, target_id="web-1", attempt="t-1")), 0, id="two steps ago"),
        pytest.param(a_view(current=taken(attempt="t-9")), 0, id="another attempt"),
        pytest.param(a_view(deployment=a_deployment(status=DeploymentStatus.STOPPED)), 0, id="finished deployment"),
        pytest.param(
            a_view(current=a_record(status=TargetStatus.FAILED, attempt="t-1")), 0, id="a host that has ended"
        ),
    ],
)
def test_a_redelivery_that_has_nothing_to_send_is_stale(view: LaneView, step: int) -> None:
    assert move(view, step, redelivered=True) == Stale()


def test_a_redelivery_of_the_present_step_is_an_ordinary_message() -> None:
    assert isinstance(move(a_view(), 1, a_report(), redelivered=True), Step)


@pytest.mark.parametrize(
    ("letters", "status"),
    [
        ("sssssss", TargetStatus.SUCCEEDED),
        ("Fssssss", TargetStatus.SUCCEEDED),
        ("FFFFFFF", TargetStatus.SUCCEEDED),
        ("f", TargetStatus.FAILED),
        ("ssssssf", TargetStatus.FAILED),
        ("Ff-----", TargetStatus.FAILED),
        ("", TargetStatus.SKIPPED),
        ("-------", TargetStatus.SKIPPED),
        ("s------", TargetStatus.FAILED),
        ("F------", TargetStatus.FAILED),
        ("ssssss", TargetStatus.FAILED),
        ("sssuuss", TargetStatus.FAILED),
        ("uuuuuuu", TargetStatus.SKIPPED),
    ],
)
def test_what_outcomes_come_to(letters: str, status: TargetStatus) -> None:
    """Cut off in the middle is Failed, never begun is Skipped, an event without an end is never a success."""
    assert target_status(completed(EVENTS, outcomes_of(letters))) is status


def test_the_first_end_that_is_told_counts() -> None:
    twice = (*outcomes_of("f"), *outcomes_of("s"))
    assert completed(EVENTS[:1], twice) == outcomes_of("f")


OLD, CURRENT = a_revision("v0"), a_revision("v1")
DEPLOYMENT = a_deployment(previous_revision=CURRENT)
ID, NEW = DEPLOYMENT.deployment_id, DEPLOYMENT.revision.identity


def host(health: str, revision: str | None, by: str | None = "d-before", lost_by: str | None = None) -> HostRecord:
    return HostRecord(health=InstanceHealth(health), revision=revision, deployment_id=by, lost_by=lost_by)


@pytest.mark.parametrize(
    ("known", "status", "after"),
    [
        pytest.param(HostRecord(), TargetStatus.SUCCEEDED, host("Healthy", NEW, ID), id="first success"),
        pytest.param(
            host("Unhealthy", CURRENT.identity, lost_by="d-before"),
            TargetStatus.SUCCEEDED,
            host("Healthy", NEW, ID),
            id="a success mends all",
        ),
        pytest.param(HostRecord(), TargetStatus.FAILED, host("Unhealthy", None, ID), id="first failure"),
        pytest.param(
            host("Healthy", CURRENT.identity),
            TargetStatus.FAILED,
            host("Unhealthy", CURRENT.identity, ID, ID),
            id="a failure that may lose the current revision",
        ),
        pytest.param(
            host("Healthy", OLD.identity),
            TargetStatus.FAILED,
            host("Unhealthy", OLD.identity, ID),
            id="an old revision stays old",
        ),
        pytest.param(
            host("Unhealthy", OLD.identity, lost_by="d-before"),
            TargetStatus.FAILED,
            host("Unhealthy", None, ID),
            id="a lost revision stays lost",
        ),
        pytest.param(
            host("Healthy", CURRENT.identity), TargetStatus.SKIPPED, host("Healthy", CURRENT.identity), id="skipped"
        ),
    ],
)
def test_what_a_group_remembers_of_a_host(known: HostRecord, status: TargetStatus, after: HostRecord) -> None:
    assert remembered(known, DEPLOYMENT, status) == after


def counts(**more: int) -> Progress:
    """Counters of three targets whose one lane has retired."""
    return Progress(**{"total": 3, "lanes": 1, "retired": 1, **more})


def settled(progress: Progress, *sample: TargetRecord, **more: Any) -> tuple[DeploymentStatus, str | None]:
    change = conclude_phase(a_deployment(**more), progress, now=NOW, sample=sample)
    assert change is not None
    error = change.deployment.error_information
    assert change.deployment.complete_time == NOW
    return change.deployment.status, error.code if error else None


LOST = vanished(Phase(events=EVENTS), taken("web-1"), Fate.TERMINATED, now=NOW) or pytest.fail("it is no more")
ANSWERED = taken("web-1", events={EVENTS[0]: held(EventStatus.FAILED, start=NOW)})
SILENT = taken("web-1", events={EVENTS[0]: held(EventStatus.FAILED, end=NOW)})
TERMINATED = taken(
    "web-1", events={each.event: held(each.status, end=NOW, diagnostics=each.diagnostics) for each in LOST.outcomes}
)
UNREACHABLE = taken(
    "web-1",
    events={
        each.event: held(each.status, end=NOW, diagnostics=each.diagnostics)
        for each in unfetchable(EVENTS, taken("web-1"), "the bucket refuses the key", now=NOW).outcomes
    },
)
TIMEOUT = ErrorInformation(code=DeploymentErrorCode.TIMEOUT, message="too long")
ALARM = ErrorInformation(code=DeploymentErrorCode.ALARM_ACTIVE, message="<cpu>")
GONE = ErrorInformation(code=DeploymentErrorCode.DEPLOYMENT_GROUP_MISSING, message="gone")


def test_the_hosts_that_nobody_served_are_named() -> None:
    sample = [taken(f"web-{number}") for number in range(5)]
    change = conclude_phase(a_deployment(), counts(taken=1, failed=1), now=NOW, sample=sample)
    assert change is not None
    assert change.deployment.error_information is not None
    assert "(web-0, web-1, web-2 and 2 more)" in change.deployment.error_information.message


@pytest.mark.parametrize(
    ("progress", "sample", "more", "status", "code"),
    [
        pytest.param(counts(taken=3, succeeded=3), (), {}, "Succeeded", None, id="all well"),
        pytest.param(counts(taken=3, succeeded=2, failed=1), (ANSWERED,), {}, "Succeeded", None, id="the last failed"),
        pytest.param(counts(taken=1, failed=1), (ANSWERED,), {}, "Failed", "HEALTH_CONSTRAINTS", id="no headroom left"),
        pytest.param(
            counts(taken=1, failed=1), (SILENT, a_record("web-2")), {}, "Failed", "AGENT_ISSUE", id="nobody answered"
        ),
        pytest.param(
            counts(taken=1, failed=1), (UNREACHABLE,), {}, "Failed", "HEALTH_CONSTRAINTS", id="nothing to fetch"
        ),
        pytest.param(
            counts(taken=1, failed=1), (TERMINATED,), {}, "Failed", "HEALTH_CONSTRAINTS", id="no more there to answer"
        ),
        pytest.param(
            counts(taken=2, succeeded=1, failed=1),
            (SILENT,),
            {},
            "Failed",
            "HEALTH_CONSTRAINTS",
            id="one succeeded, so agents do answer",
        ),
        pytest.param(
            counts(taken=3, failed=3), (ANSWERED,), {"floor": 0}, "Failed", "HEALTH_CONSTRAINTS", id="none succeeded"
        ),
        pytest.param(counts(taken=1, succeeded=1), (), {"stopping": STOP}, "Stopped", "MANUAL_STOP", id="stopped"),
        pytest.param(
            counts(taken=3, succeeded=2, skipped=1), (), {"stopping": STOP}, "Stopped", "MANUAL_STOP", id="one skipped"
        ),
        pytest.param(
            counts(taken=3, succeeded=2, failed=1), (), {"stopping": STOP}, "Stopped", "MANUAL_STOP", id="one cut off"
        ),
        pytest.param(
            counts(taken=3, succeeded=3), (), {"stopping": STOP}, "Succeeded", None, id="a stop that came too late"
        ),
        pytest.param(counts(taken=1, failed=1), (), {"stopping": ALARM}, "Stopped", "ALARM_ACTIVE", id="alarm"),
        pytest.param(counts(taken=1, failed=1), (), {"stopping": TIMEOUT}, "Failed", "TIMEOUT", id="too long"),
        pytest.param(counts(), (), {"stopping": GONE}, "Failed", "DEPLOYMENT_GROUP_MISSING", id="the group is gone"),
    ],
)
def test_the_verdict(
    progress: Progress, sample: tuple[TargetRecord, ...], more: dict[str, Any], status: str, code: str | None
) -> None:
    assert settled(progress, *sample, **more) == (status, code)


def test_no_verdict_while_a_lane_is_at_work() -> None:
    for progress in (Progress(), Progress(total=3, lanes=1, taken=3, succeeded=3), counts(lanes=2)):
        assert conclude_phase(a_deployment(), progress, now=NOW, sample=()) is None


@pytest.mark.parametrize("status", [status for status in DeploymentStatus if status.final])
def test_a_verdict_is_written_once(status: DeploymentStatus) -> None:
    over = a_deployment(status=status)
    assert conclude_phase(over, counts(taken=3, succeeded=3), now=NOW, sample=()) is None


def test_whatever_the_end_it_has_one_and_the_same_id() -> None:
    ids = set()
    for status in (status for status in DeploymentStatus if status.final):
        (told,) = ended(a_deployment(), status, None, now=NOW).happenings
        assert told.status == status
        ids.add(told.event_id)
    assert len(ids) == 1


def test_the_ids_of_what_is_told_never_change() -> None:
    _, first = stepped(a_view())
    later = next_move(a_view(), step=1, report=a_report(), now=NOW + 99, attempt="t-3", limits=LIMITS)
    assert isinstance(later, Step)
    assert [h.event_id for h in first.happenings] == [h.event_id for h in later.happenings]
    assert replace(later, happenings=()) != replace(first, happenings=())


WHY = ErrorInformation(code=DeploymentErrorCode.IAM_ROLE_PERMISSIONS, message="stays suspended")


def test_what_must_follow_a_success_and_cannot_be_done_fails_it() -> None:
    change = spoiled(ended(a_deployment(), DeploymentStatus.SUCCEEDED, None, now=NOW), WHY)
    assert (change.deployment.status, change.deployment.error_information) == (DeploymentStatus.FAILED, WHY)
    assert change.deployment.complete_time == NOW
    (told,) = change.happenings
    assert told.type is HappeningType.DEPLOYMENT_FAILURE


@pytest.mark.parametrize("status", [DeploymentStatus.FAILED, DeploymentStatus.STOPPED])
def test_what_ends_badly_anyhow_keeps_its_reason_and_says_the_other_beside_it(status: DeploymentStatus) -> None:
    before = ended(a_deployment(), status, STOP, now=NOW)
    change = spoiled(before, WHY)
    assert (change.deployment.status, change.deployment.error_information) == (status, STOP)
    assert change.deployment.status_messages == ("stays suspended",)
    assert change.happenings == before.happenings
