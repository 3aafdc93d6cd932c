"""From one phase to the next: what follows hosts, waits and environments, and how a deployment ends early."""

from __future__ import annotations

from typing import Any

import pytest

from domain import reasons
from domain.api_errors import DeploymentIsNotInReadyState, UnsupportedActionForDeploymentType
from domain.deployments import (
    Deployment,
    DeploymentErrorCode,
    DeploymentStatus,
    ErrorInformation,
    Phase,
    PhaseKind,
    Progress,
    WaitType,
)
from domain.errors import DeploymentAlreadyCompleted
from domain.happenings import HappeningType
from domain.limits import Limits
from domain.moves import Change
from tests.unit.workflows.engine_values import EVENTS, NOW, STOP, a_deployment
from workflows.admission import provisioned, stop
from workflows.decide import conclude_phase, end_early, last_phase_over
from workflows.waits import continued, waiting_for, where_it_is

BLUE_GREEN = {"deployment_style": {"deployment_type": "BLUE_GREEN", "deployment_option": "WITH_TRAFFIC_CONTROL"}}
HOSTS = {"first": 2, "count": 3, "lanes": 2, "floor": 1, "events": EVENTS}
WHOLE = (
    Phase(kind=PhaseKind.PROVISION, seconds=900),
    Phase(kind=PhaseKind.INSTALL, **HOSTS),
    Phase(kind=PhaseKind.READY_WAIT, seconds=600),
    Phase(kind=PhaseKind.SHIFT, **HOSTS),
    Phase(kind=PhaseKind.BLOCK, first=0, count=2, lanes=2, floor=2, events=EVENTS),
    Phase(kind=PhaseKind.TERMINATION_WAIT, seconds=300),
    Phase(kind=PhaseKind.RETIRE, seconds=900),
)
WELL = Progress(total=3, taken=3, succeeded=3, lanes=2, retired=2)


def at(kind: PhaseKind, phases: tuple[Phase, ...] = WHOLE, **more: Any) -> Deployment:
    number = next(at for at, phase in enumerate(phases) if phase.kind is kind)
    results = tuple(WELL if phase.kind.on_hosts else Progress() for phase in phases[:number])
    status = {PhaseKind.READY_WAIT: "Ready", PhaseKind.BAKING: "Baking"}.get(kind, "InProgress")
    values = {"phases": phases, "phase": number, "results": results, "status": status, "total": 5, "blue": 2}
    return a_deployment(floor=1, **{**BLUE_GREEN, **values, **more})


def after(deployment: Deployment, progress: Progress | None = None, *, now: float = NOW) -> Deployment:
    change = conclude_phase(deployment, progress, now=now)
    assert change is not None
    return change.deployment


def kind_of(deployment: Deployment) -> PhaseKind:
    assert deployment.under_way is not None
    return deployment.under_way.kind


def test_hosts_that_went_well_are_followed_by_the_next_phase_and_remembered() -> None:
    waiting = after(at(PhaseKind.INSTALL), WELL)
    assert kind_of(waiting) is PhaseKind.READY_WAIT
    assert (waiting.status, waiting.until) == (DeploymentStatus.READY, NOW + 600)
    assert waiting.results[-1] == WELL
    shifting = after(waiting.model_copy(update={"continued": True}))
    assert (kind_of(shifting), shifting.status) == (PhaseKind.SHIFT, DeploymentStatus.IN_PROGRESS)
    assert (shifting.until, shifting.continued) == (None, False)
    assert kind_of(after(shifting, WELL)) is PhaseKind.BLOCK


def test_readiness_is_told_once() -> None:
    change = conclude_phase(at(PhaseKind.INSTALL), WELL, now=NOW)
    assert change is not None
    assert [told.type for told in change.happenings] == [HappeningType.DEPLOYMENT_READY]


def test_nobody_who_continues_leaves_the_deployment_stopped() -> None:
    ready = at(PhaseKind.READY_WAIT, WHOLE[1:], until=NOW + 600)
    assert conclude_phase(ready, None, now=NOW + 599) is None
    over = after(ready, now=NOW + 600)
    assert over.status is DeploymentStatus.STOPPED
    assert over.error_information is not None
    assert "10 minutes" in over.error_information.message


def test_the_wait_before_termination_ends_by_itself() -> None:
    waiting = after(at(PhaseKind.BLOCK), WELL.model_copy(update={"total": 2, "taken": 2, "succeeded": 2}))
    assert kind_of(waiting) is PhaseKind.TERMINATION_WAIT
    assert (waiting.status, waiting.termination_wait_started) == (DeploymentStatus.IN_PROGRESS, True)
    assert conclude_phase(waiting, None, now=NOW + 299) is None
    retiring = after(waiting, now=NOW + 300)
    assert kind_of(retiring) is PhaseKind.RETIRE
    over = last_phase_over(retiring, now=NOW).deployment
    assert (over.status, over.error_information) == (DeploymentStatus.SUCCEEDED, None)


def test_a_zone_is_looked_at_before_the_next_begins() -> None:
    phases = (
        Phase(count=2, lanes=2, floor=1, events=EVENTS),
        Phase(kind=PhaseKind.BAKING, seconds=60),
        Phase(first=2, count=2, lanes=2, floor=1, events=EVENTS),
    )
    first = a_deployment(total=4, floor=1, phases=phases)
    baking = after(first, Progress(total=2, taken=2, succeeded=1, failed=1, lanes=2, retired=2))
    assert (baking.status, baking.until) == (DeploymentStatus.BAKING, NOW + 60)
    second = after(baking, now=NOW + 60)
    assert second.status is DeploymentStatus.IN_PROGRESS
    assert second.under_way is not None
    assert second.under_way.lanes == 2, "four, less the one that failed and the one that must stay"


def test_zones_that_used_up_the_room_of_all_leave_the_next_alone() -> None:
    phases = (Phase(count=2, lanes=2, floor=1, events=EVENTS), Phase(first=2, count=2, lanes=2, events=EVENTS))
    first = a_deployment(total=4, floor=3, phases=phases)
    over = after(first, Progress(total=2, taken=2, succeeded=1, failed=1, lanes=2, retired=2))
    assert over.status is DeploymentStatus.FAILED
    assert over.error_information is not None
    assert over.error_information.code is DeploymentErrorCode.HEALTH_CONSTRAINTS


@pytest.mark.parametrize(
    ("lost", "lanes"),
    [(0, 2), (1, 1), (2, 1)],
)
def test_green_that_failed_to_install_slows_the_shift_down_and_never_stops_it(lost: int, lanes: int) -> None:
    result = Progress(total=3, taken=3, succeeded=3 - lost, failed=lost, lanes=2, retired=2)
    shifting = after(at(PhaseKind.INSTALL, (WHOLE[1], *WHOLE[3:])), result)
    assert shifting.under_way is not None
    assert (shifting.under_way.kind, shifting.under_way.lanes) == (PhaseKind.SHIFT, lanes)


def test_one_original_that_keeps_its_traffic_fails_the_deployment() -> None:
    progress = Progress(total=2, taken=2, succeeded=1, failed=1, lanes=2, retired=2)
    over = after(at(PhaseKind.BLOCK), progress)
    assert over.status is DeploymentStatus.FAILED
    assert over.error_information is not None
    assert "could not be taken out of traffic" in over.error_information.message


GREEN_FAILS = Progress(total=3, taken=2, failed=2, lanes=2, retired=2)


@pytest.mark.parametrize(
    ("deployment", "progress", "status"),
    [
        pytest.param(at(PhaseKind.INSTALL), GREEN_FAILS, "Failed", id="green fails"),
        pytest.param(at(PhaseKind.INSTALL, stopping=STOP), GREEN_FAILS, "Stopped", id="stopped in between"),
        pytest.param(at(PhaseKind.READY_WAIT, stopping=STOP), None, "Stopped", id="stopped while it waits"),
        pytest.param(at(PhaseKind.READY_WAIT, until=NOW), None, "Stopped", id="nobody continued"),
    ],
)
def test_green_that_was_made_and_never_served_is_removed_before_the_end(
    deployment: Deployment, progress: Progress | None, status: str
) -> None:
    leaving = after(deployment, progress)
    assert kind_of(leaving) is PhaseKind.ABANDON
    assert leaving.status is DeploymentStatus.IN_PROGRESS
    over = last_phase_over(leaving, now=NOW).deployment
    assert over.status == status
    assert over.error_information == leaving.stopping
    assert over.status_messages == ()


@pytest.mark.parametrize("kind", [PhaseKind.SHIFT, PhaseKind.BLOCK])
def test_green_that_serves_stays_and_is_spoken_of(kind: PhaseKind) -> None:
    over = end_early(at(kind), STOP, now=NOW).deployment
    assert (over.status, over.status_messages) == (DeploymentStatus.STOPPED, (reasons.GREEN_STAYS,))


def test_green_that_a_rollback_takes_out_is_not_spoken_of_as_left() -> None:
    wished = end_early(at(PhaseKind.SHIFT, rollback_on_stop=True), STOP, now=NOW).deployment
    assert (wished.status, wished.status_messages) == (DeploymentStatus.STOPPED, ())
    nowhere = end_early(at(PhaseKind.SHIFT, rollback_on_stop=True, blue=0), STOP, now=NOW).deployment
    assert nowhere.status_messages == (reasons.GREEN_STAYS,), "there is no blue to go back to"


def test_found_green_is_nobodys_to_remove() -> None:
    over = after(at(PhaseKind.INSTALL, WHOLE[1:]), GREEN_FAILS)
    assert over.status is DeploymentStatus.FAILED


def test_a_stop_comes_too_late_once_blue_is_going() -> None:
    assert stop(at(PhaseKind.RETIRE), now=NOW) is None


@pytest.mark.parametrize(
    ("deployment", "wait", "error"),
    [
        (a_deployment(), WaitType.READY_WAIT, UnsupportedActionForDeploymentType),
        (at(PhaseKind.INSTALL), WaitType.READY_WAIT, DeploymentIsNotInReadyState),
        (at(PhaseKind.READY_WAIT), WaitType.TERMINATION_WAIT, DeploymentIsNotInReadyState),
        (at(PhaseKind.TERMINATION_WAIT), WaitType.READY_WAIT, DeploymentIsNotInReadyState),
        (at(PhaseKind.RETIRE, status="Succeeded"), WaitType.TERMINATION_WAIT, DeploymentAlreadyCompleted),
    ],
)
def test_nothing_is_continued_that_does_not_wait(
    deployment: Deployment, wait: WaitType, error: type[Exception]
) -> None:
    with pytest.raises(error):
        continued(deployment, wait)


@pytest.mark.parametrize(
    ("kind", "wait"),
    [(PhaseKind.READY_WAIT, WaitType.READY_WAIT), (PhaseKind.TERMINATION_WAIT, WaitType.TERMINATION_WAIT)],
)
def test_a_wait_is_continued_once(kind: PhaseKind, wait: WaitType) -> None:
    change = continued(at(kind, until=NOW + 99), wait)
    assert change is not None
    assert kind_of(after(change.deployment)) in {PhaseKind.SHIFT, PhaseKind.RETIRE}
    assert continued(change.deployment, wait) is None


def made(deployment: Deployment, green: int) -> Change | None:
    return provisioned(deployment, green, name="web-green", now=NOW, limits=Limits())


def test_hosts_that_were_made_late_or_twice_change_nothing() -> None:
    assert made(at(PhaseKind.INSTALL), 3) is None
    assert made(at(PhaseKind.PROVISION, status="Failed"), 3) is None


def test_no_host_made_or_none_that_may_be_touched_ends_it() -> None:
    for green, code in ((0, "NO_INSTANCES"), (1, "HEALTH_CONSTRAINTS_INVALID")):
        change = made(at(PhaseKind.PROVISION, WHOLE[:1]), green)
        assert change is not None
        assert kind_of(change.deployment) is PhaseKind.ABANDON
        assert change.deployment.stopping is not None
        assert change.deployment.stopping.code == code


def test_what_ends_early_says_why() -> None:
    why = ErrorInformation(code=DeploymentErrorCode.AUTO_SCALING_CONFIGURATION, message="no capacity")
    leaving = end_early(at(PhaseKind.PROVISION, WHOLE[:1]), why, now=NOW).deployment
    assert kind_of(leaving) is PhaseKind.ABANDON
    over = last_phase_over(leaving, now=NOW).deployment
    assert (over.status, over.error_information) == (DeploymentStatus.FAILED, why)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (PhaseKind.READY_WAIT, "slipway continue d-AAAAAAAAA`; stopped in 10:00"),
        (PhaseKind.TERMINATION_WAIT, "in 10:00; `slipway continue d-AAAAAAAAA --terminate`"),
        (PhaseKind.PROVISION, "given up in 10:00"),
        (PhaseKind.RETIRE, "being retired"),
    ],
)
def test_a_wait_says_how_to_end_it_and_when_it_ends(kind: PhaseKind, words: str) -> None:
    assert words in waiting_for(at(kind, until=NOW + 600), NOW)


def test_work_on_hosts_waits_for_nothing() -> None:
    assert waiting_for(at(PhaseKind.SHIFT), NOW) == ""
    assert waiting_for(at(PhaseKind.RETIRE, status="Succeeded"), NOW) == ""


def test_a_stop_waits_for_the_events_that_run() -> None:
    stopping = at(PhaseKind.SHIFT, stopping=STOP)
    assert waiting_for(stopping, NOW) == "the events that run; `slipway stop d-AAAAAAAAA --now` ends them"
    cutting = stopping.model_copy(update={"cutting": True})
    assert waiting_for(cutting, NOW) == "the events that run, which are being ended"
    assert waiting_for(cutting.model_copy(update={"status": DeploymentStatus.STOPPED}), NOW) == ""


def test_every_kind_of_phase_has_words_for_people() -> None:
    for kind in PhaseKind:
        phases = (Phase(kind=kind, count=1, lanes=1, events=EVENTS),)
        assert where_it_is(a_deployment(phases=phases)).endswith(".")
        assert bool(waiting_for(a_deployment(phases=phases), NOW)) is not kind.on_hosts
