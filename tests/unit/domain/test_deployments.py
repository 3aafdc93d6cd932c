"""Deployments and targets: the tables of legal moves, the counters, and requests read from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from itertools import product
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from docs import make_states
from domain.deployments import (
    NEXT,
    NEXT_TARGET,
    CreateDeployment,
    DeploymentErrorCode,
    DeploymentStatus,
    Overview,
    Progress,
    TargetStatus,
    moved,
)
from domain.errors import IllegalMove

FINAL = {DeploymentStatus.SUCCEEDED, DeploymentStatus.FAILED, DeploymentStatus.STOPPED}
FINAL_TARGETS = {TargetStatus.SUCCEEDED, TargetStatus.FAILED, TargetStatus.SKIPPED}


def test_every_status_has_a_row() -> None:
    assert set(NEXT) == set(DeploymentStatus)
    assert set(NEXT_TARGET) == set(TargetStatus)


def test_final_statuses_lead_nowhere_and_all_others_lead_on() -> None:
    assert {status for status in DeploymentStatus if status.final} == FINAL
    assert {status for status, row in NEXT.items() if not row} == FINAL
    assert {status for status in TargetStatus if status.final} == FINAL_TARGETS
    assert {status for status, row in NEXT_TARGET.items() if not row} == FINAL_TARGETS


@pytest.mark.parametrize(("before", "after"), list(product(DeploymentStatus, DeploymentStatus)))
def test_a_move_is_in_the_table_or_raises(before: DeploymentStatus, after: DeploymentStatus) -> None:
    if after in NEXT[before]:
        assert moved(before, after) is after
    else:
        with pytest.raises(IllegalMove, match=f"from {before} to {after}"):
            moved(before, after)


S = TypeVar("S", bound=StrEnum)


def reached(first: S, table: Mapping[S, frozenset[S]]) -> set[S]:
    found, fresh = {first}, [first]
    while fresh:
        new = table[fresh.pop()] - found
        found |= new
        fresh.extend(new)
    return found


def test_every_status_can_be_reached_and_none_is_a_trap() -> None:
    assert reached(DeploymentStatus.CREATED, NEXT) == set(NEXT)
    assert reached(TargetStatus.PENDING, NEXT_TARGET) == set(NEXT_TARGET)
    assert all(reached(status, NEXT) & FINAL for status in NEXT)
    assert all(reached(status, NEXT_TARGET) & FINAL_TARGETS for status in NEXT_TARGET)


def test_nothing_stays_where_it_is_by_a_move() -> None:
    assert not [status for status, row in NEXT.items() if status in row]
    assert not [status for status, row in NEXT_TARGET.items() if status in row]


def test_error_codes_are_named_as_the_api_names_them() -> None:
    assert [code for code in DeploymentErrorCode if code.name != code.value] == []


@given(st.data(), st.integers(0, 50))
def test_counters_add_up(data: st.DataObject, total: int) -> None:
    taken = data.draw(st.integers(0, total))
    succeeded = data.draw(st.integers(0, taken))
    failed = data.draw(st.integers(0, taken - succeeded))
    skipped = data.draw(st.integers(0, taken - succeeded - failed))
    progress = Progress(total=total, taken=taken, succeeded=succeeded, failed=failed, skipped=skipped)
    assert progress.pending + progress.in_flight + succeeded + failed + skipped == total
    assert progress.pending >= 0
    assert progress.in_flight >= 0


@pytest.mark.parametrize(
    ("lanes", "retired", "concluded"), [(0, 0, False), (2, 0, False), (2, 1, False), (2, 2, True), (1, 1, True)]
)
def test_a_phase_is_concluded_when_all_its_lanes_have_retired(lanes: int, retired: int, concluded: bool) -> None:
    assert Progress(lanes=lanes, retired=retired).concluded is concluded


def test_an_overview_is_spelt_as_the_api_spells_it() -> None:
    names = {"Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready"}
    assert set(Overview().model_dump()) == names


REQUEST = """{
  "applicationName": "shop", "deploymentGroupName": "web", "deploymentConfigName": "CodeDeployDefault.AllAtOnce",
  "revision": {"revisionType": "GitHub", "gitHubLocation": {"repository": "acme/shop", "commitId": "0a1b"}},
  "ignoreApplicationStopFailures": true, "updateOutdatedInstancesOnly": true, "fileExistsBehavior": "RETAIN",
  "someMemberOfTomorrow": {"x": 1}
}"""


def test_a_request_is_read_as_the_api_writes_it() -> None:
    request = CreateDeployment.model_validate_json(REQUEST)
    assert request.revision is not None
    assert request.revision.github_location is not None
    assert request.revision.github_location.commit_id == "0a1b"
    assert request.ignore_application_stop_failures
    assert request.update_outdated_instances_only
    assert (request.deployment_config_name, request.file_exists_behavior) == ("CodeDeployDefault.AllAtOnce", "RETAIN")
    assert request.creator == "user"


@pytest.mark.parametrize(
    "wrong", ['{"applicationName": 7}', '{"revision": {"revisionType": "Tape"}}', '{"revision": "v1"}', "[]"]
)
def test_a_request_of_another_shape_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        CreateDeployment.model_validate_json(wrong)


def test_values_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Progress().total = 3  # type: ignore[misc]


def test_the_page_of_statuses_is_the_generated_one() -> None:
    """`python docs/make_states.py` writes it anew."""
    assert make_states.PAGE.read_text(encoding="utf-8") == make_states.page()


def test_the_page_draws_every_move() -> None:
    page = make_states.page()
    moves = [*NEXT.items(), *NEXT_TARGET.items()]
    for before, row in moves:
        for after in row or {"[*]"}:
            assert f"    {before} --> {after}\n" in page
