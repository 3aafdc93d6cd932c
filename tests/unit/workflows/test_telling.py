"""What is told of deployments and instances: kinds, ids and reasons."""

from __future__ import annotations

from itertools import product

import pytest

from domain.deployments import DeploymentErrorCode, DeploymentStatus, ErrorInformation, TargetStatus
from domain.happenings import TERMINAL, Happening, HappeningType
from domain.lifecycle import Event
from domain.reports import EventStatus
from tests.unit.workflows.engine_values import NOW, a_deployment, a_target, an_outcome, outcomes_of
from workflows.telling import deployment_happening, instance_happening

WHY = ErrorInformation(code=DeploymentErrorCode.HEALTH_CONSTRAINTS, message="too many")
LOST = a_deployment(status=DeploymentStatus.FAILED, error_information=WHY, creator="codeDeployRollback")


def test_a_deployment_is_told_with_its_names_and_its_reason() -> None:
    told = deployment_happening(LOST, HappeningType.DEPLOYMENT_FAILURE, at=NOW)
    assert told == Happening(
        event_id="d-AAAAAAAAA:end",
        type=HappeningType.DEPLOYMENT_FAILURE,
        at=NOW,
        application_name="shop",
        deployment_group_name="web",
        deployment_group_id="g-1",
        deployment_id="d-AAAAAAAAA",
        status="Failed",
        error_code="HEALTH_CONSTRAINTS",
        error_message="too many",
        creator="codeDeployRollback",
    )


def test_a_deployment_ends_once_for_whoever_listens() -> None:
    kinds = [kind for kind in HappeningType if kind.value.startswith("Deployment")]
    ids = {kind: deployment_happening(LOST, kind, at=NOW).event_id for kind in kinds}
    assert {ids[kind] for kind in TERMINAL} == {"d-AAAAAAAAA:end"}
    assert len(set(ids.values())) == len(kinds) - len(TERMINAL) + 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (TargetStatus.IN_PROGRESS, HappeningType.INSTANCE_START),
        (TargetStatus.SUCCEEDED, HappeningType.INSTANCE_SUCCESS),
        (TargetStatus.READY, HappeningType.INSTANCE_READY),
        (TargetStatus.FAILED, HappeningType.INSTANCE_FAILURE),
        (TargetStatus.SKIPPED, HappeningType.INSTANCE_FAILURE),
        (TargetStatus.UNKNOWN, HappeningType.INSTANCE_FAILURE),
    ],
)
def test_what_kind_of_happening_a_status_is(status: TargetStatus, kind: HappeningType) -> None:
    told = instance_happening(a_deployment(), a_target(), status, (), at=NOW)
    assert (told.type, told.status, told.at) == (kind, status, NOW)
    assert (told.instance_id, told.instance_arn) == ("web-1", a_target().arn)


@pytest.mark.parametrize(
    ("letters", "event", "code"),
    [
        ("sssssss", None, None),
        ("Fssssss", None, None),
        ("ssf----", Event.BEFORE_INSTALL, "ScriptFailed"),
        ("Fsf----", Event.BEFORE_INSTALL, "ScriptFailed"),
        ("sss----", None, None),
    ],
)
def test_an_instance_that_failed_names_the_event_and_the_reason(
    letters: str, event: Event | None, code: str | None
) -> None:
    """A forgiven failure is not the reason, and being cut off has none."""
    told = instance_happening(a_deployment(), a_target(), TargetStatus.FAILED, outcomes_of(letters), at=NOW)
    assert (told.failed_event, told.error_code) == (event, code)
    assert (told.error_message is None) is (code is None)


def test_a_failure_without_a_diagnosis_is_told_without() -> None:
    bare = an_outcome(Event.INSTALL, EventStatus.FAILED, diagnostics=None)
    told = instance_happening(a_deployment(), a_target(), TargetStatus.FAILED, (bare,), at=NOW)
    assert (told.failed_event, told.error_code, told.error_message) == ("Install", None, None)


def test_ids_say_which_deployment_which_host_and_what_and_never_when() -> None:
    told = [
        instance_happening(a_deployment(deployment_id=name), a_target(host), status, (), at=at)
        for name, host, status in product(
            ("d-1", "d-2"), ("web-1", "web-2"), (TargetStatus.IN_PROGRESS, TargetStatus.FAILED)
        )
        for at in (NOW, NOW + 1)
    ]
    assert len({happening.event_id for happening in told}) == len(told) // 2
