"""Hosts and what a group remembers of them."""

from __future__ import annotations

from domain.fleet import HostRecord, Instance, InstanceHealth, TargetKind


def test_a_host_nobody_deployed_to_is_unhealthy_and_has_no_revision() -> None:
    fresh = HostRecord()
    assert fresh.health is InstanceHealth.UNHEALTHY
    assert (fresh.revision, fresh.deployment_id, fresh.lost_by) == (None, None, None)


def test_an_instance_survives_json_with_its_tags() -> None:
    instance = Instance(
        instance_id="web-1",
        kind=TargetKind.ON_PREMISES,
        arn="arn:aws:codedeploy:eu-central-1:1:instance/web-1_x",
        tags={"Größe": "*", "": "empty key"},
        zone="a",
        deregister_time=1.5,
    )
    assert Instance.model_validate_json(instance.model_dump_json()) == instance
    assert instance.model_dump(mode="json")["kind"] == "OnPremises"
