"""What people are shown of targets and counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.deployments import Deployment, DeploymentStatus, Overview, Phase, Progress, TargetRecord, TargetStatus
from domain.lifecycle import Event
from domain.reports import EventStatus
from tests.unit.workflows.engine_values import EVENTS, NOW, a_deployment, a_record, held, taken
from workflows.events import BLUE, BLUE_BACK, events_for
from workflows.reporting import events_of, overview, target_view

RUNNING, ENDED = a_deployment(), a_deployment(status=DeploymentStatus.FAILED)


def test_all_events_are_listed_from_the_start_in_order() -> None:
    shown = target_view(a_record(), RUNNING)
    assert shown.status is TargetStatus.PENDING
    assert [(event, each.status) for event, each in shown.events.items()] == [(event, "Pending") for event in EVENTS]


def test_what_is_known_of_an_event_stays() -> None:
    known = {EVENTS[0]: held(EventStatus.SUCCEEDED, start=NOW), EVENTS[1]: held(EventStatus.IN_PROGRESS, start=NOW)}
    shown = target_view(taken(events=known), RUNNING)
    assert {event: shown.events[event] for event in known} == known
    assert {shown.events[event].status for event in EVENTS[2:]} == {EventStatus.PENDING}


@pytest.mark.parametrize(
    ("record", "deployment", "status"),
    [
        pytest.param(a_record(), ENDED, "Skipped", id="never taken"),
        pytest.param(a_record(status=TargetStatus.FAILED), RUNNING, "Failed", id="done before the deployment"),
        pytest.param(a_record(status=TargetStatus.SUCCEEDED), ENDED, "Succeeded", id="done"),
    ],
)
def test_of_a_target_that_has_ended_no_event_is_pending(
    record: TargetRecord, deployment: Deployment, status: str
) -> None:
    shown = target_view(record, deployment)
    assert shown.status == status
    assert [each.status for each in shown.events.values()] == [EventStatus.SKIPPED] * len(EVENTS)


def test_before_the_start_nothing_is_known() -> None:
    assert target_view(a_record(), a_deployment(phases=())).events == {}


def test_a_target_has_the_events_of_every_phase_that_goes_to_it() -> None:
    phases = (
        Phase(first=0, count=2, events=BLUE_BACK),
        Phase(first=0, count=4, events=BLUE),
        Phase(first=4, count=1, events=EVENTS),
    )
    deployment = a_deployment(phases=phases)
    both = tuple(event for event in events_for(load_balancer=True) if event in {*BLUE, *BLUE_BACK})
    assert [events_of(deployment, index) for index in (1, 3, 4, 5)] == [both, BLUE, EVENTS, ()]
    assert both[0] is Event.BEFORE_BLOCK_TRAFFIC


MANY = a_deployment(total=9)
MANY_ENDED = a_deployment(total=9, status=DeploymentStatus.STOPPED)
COUNTS = Progress(total=9, taken=6, succeeded=2, failed=1, skipped=1, lanes=3, retired=1)


@pytest.mark.parametrize(
    ("deployment", "progress", "expected"),
    [
        pytest.param(RUNNING, None, Overview(pending=3), id="not begun"),
        pytest.param(ENDED, None, Overview(skipped=3), id="ended before it began"),
        pytest.param(
            a_deployment(total=9),
            COUNTS,
            Overview(pending=3, in_progress=2, succeeded=2, failed=1, skipped=1),
            id="amid",
        ),
        pytest.param(
            a_deployment(total=9, status=DeploymentStatus.STOPPED),
            COUNTS,
            Overview(in_progress=2, succeeded=2, failed=1, skipped=4),
            id="ended",
        ),
    ],
)
def test_targets_are_counted_by_status(deployment: Deployment, progress: Progress | None, expected: Overview) -> None:
    assert overview(deployment, progress) == expected


@given(st.sampled_from(DeploymentStatus), st.lists(st.sampled_from(["pending", "work", "good", "bad", "skip"])))
def test_counts_add_up_to_the_number_of_targets(status: DeploymentStatus, targets: list[str]) -> None:
    progress = Progress(
        total=len(targets),
        taken=len(targets) - targets.count("pending"),
        succeeded=targets.count("good"),
        failed=targets.count("bad"),
        skipped=targets.count("skip"),
    )
    shown = overview(a_deployment(status=status, total=len(targets)), progress)
    assert sum(shown.model_dump().values()) == len(targets)
    assert min(shown.model_dump().values()) >= 0


def test_the_api_spells_the_counts_in_its_own_way() -> None:
    assert set(Overview().model_dump(mode="json")) == {
        "Pending",
        "InProgress",
        "Succeeded",
        "Failed",
        "Skipped",
        "Ready",
    }
