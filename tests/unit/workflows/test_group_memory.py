"""What a group remembers of its deployments, also when word of them comes late or twice."""

from __future__ import annotations

from typing import Any

import pytest

from domain.deployments import DeploymentStatus, Phase, PhaseKind, Progress
from domain.groups import Selection
from domain.scaling import ScalingHook
from tests.unit.workflows.engine_values import NOW, a_deployment, a_group, a_revision
from workflows.group_memory import begun, ended, knows_success

FIRST = a_deployment(deployment_id="d-FIRST0000", revision=a_revision("v1"))
SECOND = a_deployment(deployment_id="d-SECOND000", revision=a_revision("v2"))
END = {"complete_time": NOW}
SUCCESS = {"status": DeploymentStatus.SUCCEEDED, **END}
GROUP = a_group()


def test_a_deployment_is_remembered_from_its_begin_to_its_end() -> None:
    during = begun(GROUP, FIRST)
    assert during.last_attempted_deployment is not None
    assert during.last_attempted_deployment.status == DeploymentStatus.IN_PROGRESS
    assert during.target_revision is None
    after = ended(during, FIRST.model_copy(update=SUCCESS))
    assert after.last_attempted_deployment == after.last_successful_deployment
    assert after.last_successful_deployment is not None
    assert after.last_successful_deployment.end_time == NOW
    assert after.target_revision == FIRST.revision


@pytest.mark.parametrize("status", [DeploymentStatus.FAILED, DeploymentStatus.STOPPED])
def test_what_does_not_succeed_leaves_the_revision(status: DeploymentStatus) -> None:
    good = ended(begun(GROUP, FIRST), FIRST.model_copy(update=SUCCESS))
    after = ended(begun(good, SECOND), SECOND.model_copy(update={"status": status, **END}))
    assert after.target_revision == FIRST.revision
    assert after.last_successful_deployment == good.last_successful_deployment
    assert after.last_attempted_deployment is not None
    assert after.last_attempted_deployment.status == status


def test_one_that_ends_as_it_begins_is_remembered_as_ended() -> None:
    after = begun(GROUP, FIRST.model_copy(update={"status": DeploymentStatus.FAILED, **END}))
    assert after.last_attempted_deployment is not None
    assert after.last_attempted_deployment.status == DeploymentStatus.FAILED


def test_a_late_word_of_an_earlier_deployment_changes_nothing() -> None:
    first = ended(begun(GROUP, FIRST), FIRST.model_copy(update=SUCCESS))
    second = ended(begun(first, SECOND), SECOND.model_copy(update=SUCCESS))
    assert ended(second, FIRST.model_copy(update=SUCCESS)) == second
    assert second.target_revision == SECOND.revision


def test_a_group_made_anew_under_the_old_name_remembers_nothing_of_before() -> None:
    anew = a_group(deployment_group_id="g-2")
    assert begun(anew, FIRST) == anew
    assert ended(anew, FIRST.model_copy(update=SUCCESS)) == anew


def test_a_success_that_was_told_is_known() -> None:
    during = begun(GROUP, FIRST)
    assert not knows_success(during, FIRST)
    after = ended(during, FIRST.model_copy(update=SUCCESS))
    assert knows_success(after, FIRST)
    assert not knows_success(after, SECOND)


HOOKS = tuple(ScalingHook(auto_scaling_group=name, name=f"on-{name}") for name in ("blue", "other"))
HOOKED = a_group(auto_scaling_groups=("blue",), hooks=HOOKS)
TO_GREEN: dict[str, Any] = {
    "takes_over": Selection(auto_scaling_groups=("green",)),
    "source_environment": "blue",
    "green_environment": "green",
}
BLOCK, RETIRE = (Phase(kind=kind) for kind in (PhaseKind.BLOCK, PhaseKind.RETIRE))


def test_green_takes_over_once_as_soon_as_blue_gave_way() -> None:
    """It grows by itself from then on; what somebody changes since is not taken back."""
    deployment = a_deployment(phases=(BLOCK, RETIRE), **TO_GREEN)
    during = ended(begun(HOOKED, deployment), deployment)
    assert (during.auto_scaling_groups, during.hooks) == (("blue",), HOOKS)
    retiring = deployment.model_copy(update={"phase": 1, "results": (Progress(),)})
    after = ended(during, retiring)
    assert (after.auto_scaling_groups, after.target_revision) == (("green",), deployment.revision)
    assert [(hook.auto_scaling_group, hook.name) for hook in after.hooks] == [
        ("green", "on-blue"),
        ("other", "on-other"),
    ]
    assert ended(after, retiring) == after
    edited = after.model_copy(update={"auto_scaling_groups": ("green", "more")})
    assert ended(edited, retiring.model_copy(update=SUCCESS)).auto_scaling_groups == ("green", "more")


def test_green_takes_over_at_the_end_where_nobody_is_retired() -> None:
    found = Selection(auto_scaling_groups=("green",))
    deployment = a_deployment(phases=(BLOCK,), takes_over=found)
    group = begun(HOOKED, deployment)
    assert ended(group, deployment.model_copy(update={"status": DeploymentStatus.FAILED})).hooks == HOOKS
    after = ended(group, deployment.model_copy(update={**SUCCESS, "results": (Progress(),)}))
    # Nobody moved the hooks: they are kept on record until they are removed with the group.
    assert (after.auto_scaling_groups, after.hooks) == (("green",), HOOKS)


def test_a_deployment_that_fails_leaves_blue_in_its_place() -> None:
    deployment = a_deployment(phases=(BLOCK, RETIRE), **TO_GREEN)
    after = ended(begun(HOOKED, deployment), deployment.model_copy(update={"status": DeploymentStatus.FAILED}))
    assert after.auto_scaling_groups == ("blue",)
