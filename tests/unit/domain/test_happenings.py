"""What is told outside: the event types of triggers and their routing keys."""

from __future__ import annotations

import pytest

from domain.happenings import TERMINAL, TRIGGER_EVENTS, Happening, HappeningType

KEYS = {
    "DeploymentStart": "deployment.start",
    "DeploymentSuccess": "deployment.success",
    "DeploymentFailure": "deployment.failure",
    "DeploymentStop": "deployment.stop",
    "DeploymentRollback": "deployment.rollback",
    "DeploymentReady": "deployment.ready",
    "InstanceStart": "instance.start",
    "InstanceSuccess": "instance.success",
    "InstanceFailure": "instance.failure",
    "InstanceReady": "instance.ready",
    "DeploymentQueued": "deployment.queued",
    "InstanceSkipped": "instance.skipped",
    "TriggerTest": "trigger.test",
}


@pytest.mark.parametrize("kind", HappeningType)
def test_routing_key(kind: HappeningType) -> None:
    assert kind.routing_key == KEYS[kind.value]


def test_the_types_are_those_a_trigger_can_name_and_three_of_ours() -> None:
    assert {kind.value for kind in HappeningType} == set(KEYS)
    assert set(HappeningType) - TRIGGER_EVENTS == {
        HappeningType.DEPLOYMENT_QUEUED,
        HappeningType.INSTANCE_SKIPPED,
        HappeningType.TRIGGER_TEST,
    }


def test_what_an_earlier_version_kept_is_read() -> None:
    kept = {
        "eventId": "d-1:end",
        "type": "DeploymentSuccess",
        "at": 1.5,
        "applicationName": "shop",
        "deploymentGroupName": "web",
        "deploymentGroupId": "g-1",
        "deploymentId": "d-1",
        "status": "Succeeded",
    }
    happening = Happening.model_validate(kept)
    assert happening.model_dump(mode="json", exclude_defaults=True) == kept
    assert happening.kinds == {HappeningType.DEPLOYMENT_SUCCESS}


def test_three_types_end_a_deployment() -> None:
    assert {kind.routing_key for kind in TERMINAL} == {"deployment.success", "deployment.failure", "deployment.stop"}
