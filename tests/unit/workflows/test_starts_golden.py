"""Golden starts: a fleet, a group and a configuration written as JSON, and the plan each must give, to the letter.

`hosts` maps a name to its tags as `key=value`, or to a mapping with `tags`, `kind`, `has` (the revision it last
installed with success), `health`, `lost_by`, `queue` and `deregistered`. `tags` of a group are groups of alternatives.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.configs import PREDEFINED, MinimumHealthyHosts
from domain.deployments import Deployment, DeploymentStatus
from domain.fleet import HostRecord, Instance, TargetKind
from domain.groups import DeploymentGroup, LastDeployment
from tests.unit.workflows.engine_values import NOW, a_deployment, a_group, a_revision
from workflows.admission import start
from workflows.targeting import choose, in_pick_order

FOLDER = Path(__file__).parents[2] / "golden" / "starts"
CASES = sorted(FOLDER.glob("*.json"))


def described(host: str | dict[str, Any]) -> dict[str, Any]:
    return {"tags": host} if isinstance(host, str) else host


def instance_of(name: str, host: dict[str, Any]) -> Instance:
    return Instance(
        instance_id=name,
        kind=TargetKind(host.get("kind", "OnPremises")),
        arn=f"arn:{name}",
        tags=dict(tag.split("=") for tag in host["tags"].split()),
        queue=host.get("queue"),
        deregister_time=NOW if host.get("deregistered") else None,
    )


def record_of(host: dict[str, Any]) -> HostRecord:
    has = host.get("has")
    values = {
        "health": host.get("health", "Healthy" if has else "Unhealthy"),
        "revision": a_revision(has).identity if has else None,
        "lost_by": host.get("lost_by"),
    }
    return HostRecord.model_validate(values)


def filters_of(groups: list[str]) -> list[list[dict[str, str]]]:
    return [[dict(zip(("key", "value"), text.split("="), strict=True)) for text in group.split()] for group in groups]


def group_of(case: dict[str, Any]) -> DeploymentGroup:
    last = LastDeployment(deployment_id="d-LAST", status="Succeeded", create_time=0.0)
    revision = case.get("revision")
    return a_group(
        on_premises_tag_set=filters_of(case.get("tags", [])),
        ec2_tag_set=filters_of(case.get("ec2_tags", [])),
        target_revision=a_revision(revision) if revision else None,
        last_successful_deployment=last if revision else None,
    )


def deployment_of(case: dict[str, Any]) -> Deployment:
    config = case["config"]
    minimum = (
        PREDEFINED[config].minimum_healthy_hosts
        if isinstance(config, str)
        else MinimumHealthyHosts.model_validate(config)
    )
    return a_deployment(
        total=0,
        floor=0,
        phases=(),
        status=DeploymentStatus.CREATED,
        start_time=None,
        deployment_config_name=config if isinstance(config, str) else "custom",
        minimum_healthy_hosts=minimum,
        revision=a_revision(case.get("deploys", "v2")),
        update_outdated_instances_only=case.get("outdated_only", False),
    )


def plan_of(case: dict[str, Any]) -> dict[str, Any]:
    hosts = {name: described(host) for name, host in case["hosts"].items()}
    group, deployment = group_of(case), deployment_of(case)
    chosen = choose([instance_of(name, host) for name, host in hosts.items()], group)
    records = [record_of(hosts[instance.instance_id]) for instance in chosen]
    targets = in_pick_order(chosen, records, group, deployment)
    change = start(deployment, len(targets), group=group, now=NOW, matched=len(chosen))
    assert change is not None
    planned = change.deployment
    plan: dict[str, Any] = {
        "targets": {target.target_id: target.queue for target in targets},
        "status": planned.status,
        "at least healthy": planned.floor,
        "phases": [phase.model_dump(mode="json") for phase in planned.phases],
    }
    if planned.error_information:
        plan["error"] = planned.error_information.model_dump(mode="json")
    return plan


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_start_is_the_golden_one(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    plan = plan_of(case)
    assert plan == case["expected"]
    assert list(plan["targets"]) == list(case["expected"]["targets"])


def test_there_are_golden_starts() -> None:
    assert len(CASES) >= 12
