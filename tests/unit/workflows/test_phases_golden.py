"""Golden phases: a style, a configuration and a fleet, and the deployment they are laid out as, to the letter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.configs import HALF_AT_A_TIME, ONE_AT_A_TIME, PREDEFINED
from domain.deployments import Deployment
from domain.limits import Limits
from tests.unit.workflows.engine_values import NOW, a_deployment, a_group
from workflows.admission import provisioned, start

FOLDER = Path(__file__).parents[2] / "golden" / "phases"
TRAFFIC = {"deployment_option": "WITH_TRAFFIC_CONTROL"}


def blue_green(
    *, ready: dict[str, Any] | None = None, ending: dict[str, Any] | None = None, action: str = "DISCOVER_EXISTING"
) -> dict[str, Any]:
    return {
        "deployment_style": {"deployment_type": "BLUE_GREEN", **TRAFFIC},
        "blue_green_deployment_configuration": {
            "green_fleet_provisioning_option": {"action": action},
            "deployment_ready_option": ready,
            "terminate_blue_instances_on_deployment_success": ending,
        },
    }


KEEP = {"action": "KEEP_ALIVE"}
TERMINATE = {"action": "TERMINATE", "termination_wait_time_in_minutes": 5}
STOP = {"action_on_timeout": "STOP_DEPLOYMENT", "wait_time_in_minutes": 60}
ZONES = {
    "monitor_duration_in_seconds": 120,
    "first_zone_monitor_duration_in_seconds": 600,
    "minimum_healthy_hosts_per_zone": {"type": "FLEET_PERCENT", "value": 50},
}

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "in_place_behind_a_balancer": ({"deployment_style": TRAFFIC}, {"total": 4}),
    "zones": ({"zonal_config": ZONES, "floor": 2}, {"total": 10, "zones": (4, 4, 2)}),
    "zones_without_a_look_between": ({"zonal_config": {}, "floor": 0}, {"total": 3, "zones": (2, 1)}),
    "one_zone": ({"zonal_config": ZONES, "floor": 1}, {"total": 3, "zones": (3,)}),
    "blue_green_at_once": (blue_green(ending=KEEP), {"total": 4, "blue": 4}),
    "blue_green_with_all_waits": (blue_green(ready=STOP, ending=TERMINATE), {"total": 3, "blue": 2}),
    "blue_green_nobody_serves_yet": (blue_green(ready=STOP, ending=TERMINATE), {"total": 3}),
    "blue_green_says_nothing": (blue_green(), {"total": 2, "blue": 2}),
    "blue_green_one_at_a_time": (
        {**blue_green(ending=KEEP), "deployment_config_name": ONE_AT_A_TIME},
        {"total": 4, "blue": 1},
    ),
    "copied": (blue_green(ending=TERMINATE, action="COPY_AUTO_SCALING_GROUP"), {"total": 0, "blue": 2, "made": 3}),
    "copied_and_kept": (blue_green(ending=KEEP, action="COPY_AUTO_SCALING_GROUP"), {"total": 0, "blue": 2, "made": 2}),
}


def laid_out(style: dict[str, Any], fleet: dict[str, Any]) -> Deployment:
    config = style.get("deployment_config_name", HALF_AT_A_TIME)
    named = {} if "floor" in style else {"minimum_healthy_hosts": PREDEFINED[config].minimum_healthy_hosts}
    created = a_deployment(
        **{"total": 0, "floor": 0, "phases": (), "status": "Created", "start_time": None, **named, **style}
    )
    made, total = fleet.get("made", 0), fleet["total"]
    rest = {name: value for name, value in fleet.items() if name not in {"made", "total"}}
    change = start(created, total, group=a_group(auto_scaling_groups=("web",)), now=NOW, **rest)
    assert change is not None
    if made:
        change = provisioned(change.deployment, made, name="web-green", now=NOW, limits=Limits())
        assert change is not None
    return change.deployment


def seen(deployment: Deployment) -> dict[str, Any]:
    members = ("status", "total", "blue", "floor", "phase", "until", "source_environment", "green_environment")
    return {
        **{name: getattr(deployment, name) for name in members},
        "until": deployment.until and deployment.until - NOW,
        "phases": [phase.model_dump(mode="json", exclude_defaults=True) for phase in deployment.phases],
    }


@pytest.mark.parametrize("name", CASES)
def test_phases_are_the_golden_ones(name: str) -> None:
    assert seen(laid_out(*CASES[name])) == json.loads((FOLDER / f"{name}.json").read_text())


def test_every_golden_file_is_looked_at() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(CASES)
