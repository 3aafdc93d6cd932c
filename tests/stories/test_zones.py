"""Deployments that go zone by zone, through boto3, with real agents: the pause between zones, and a zone that fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.services import wait_until
from tests.site import Site, write_revision
from tests.stories.api_process import api_site, boto, make_key, targets

ZONES = {"a-1": "a", "a-2": "a", "b-1": "b", "c-1": "c"}
SECONDS = {"firstZoneMonitorDurationInSeconds": 2, "monitorDurationInSeconds": 1}
CONFIG = "zone-by-zone"


@dataclass
class Zoned:
    """The installation with a group of hosts in three zones, and its client."""

    site: Site
    client: Any

    def deploy(self, folder: Path, script: str = "", config: str = CONFIG) -> str:
        """Deploy a revision with a script of ApplicationStart, which leaves a mark first."""
        hooks = {"ApplicationStart": f'echo "$DEPLOYMENT_ID" >>"$SLIPWAY_ROOT/ran"\n{script}'}
        revision = write_revision(folder, hooks)
        return self.site.deploy(revision, deployment_config_name=config, file_exists_behavior="OVERWRITE")

    def info(self, deployment_id: str) -> dict[str, Any]:
        """`deploymentInfo`."""
        found: dict[str, Any] = self.client.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        return found

    def until(self, deployment_id: str, status: str) -> dict[str, Any]:
        """`deploymentInfo` once it has that status."""
        wait_until(lambda: self.info(deployment_id)["status"] == status, f"{status} of {deployment_id}", limit=20)
        return self.info(deployment_id)

    def targets(self, deployment_id: str) -> dict[str, dict[str, Any]]:
        """`instanceTarget` of each host, in the order in which they are taken."""
        return targets(self.client, deployment_id)

    def statuses(self, deployment_id: str) -> list[str]:
        """The status of each host, in order of their names."""
        found = self.targets(deployment_id)
        return [found[host]["status"] for host in ZONES]

    def ran_on(self, deployment_id: str) -> list[str]:
        """The hosts whose script ran, once for each time."""
        marks = {host: self.site.root(host) / "ran" for host in ZONES}
        return [
            host
            for host, ran in marks.items()
            if ran.exists()
            for line in ran.read_text().split()
            if line == deployment_id
        ]


@pytest.fixture(scope="module")
def here() -> Iterator[Zoned]:
    with api_site() as (site, url):
        for process in ("control", "watch"):
            site.start(process)
        for host, zone in ZONES.items():
            site.agent(host)
            site.register([host], **{"role": "web", "slipway:zone": zone})
        with boto(url, make_key(site)) as client:
            client.create_deployment_config(
                deploymentConfigName=CONFIG,
                minimumHealthyHosts={"type": "HOST_COUNT", "value": 0},
                zonalConfig=SECONDS,
            )
            site.group()
            wait_until(lambda: all(site.world.store.seen(list(ZONES))), "the agents' hello")
            yield Zoned(site, client)


def test_zone_by_zone_with_a_look_at_each(here: Zoned, tmp_path: Path) -> None:
    deployment_id = here.deploy(tmp_path / "v1")
    here.until(deployment_id, "Baking")
    assert here.statuses(deployment_id) == ["Succeeded", "Succeeded", "Pending", "Pending"]
    assert here.ran_on(deployment_id) == ["a-1", "a-2"]
    for name in ("control", "watch"):
        here.site.kill(name)
    for name in ("control", "watch"):
        here.site.start(name)
    info = here.until(deployment_id, "Succeeded")
    assert info["deploymentOverview"]["Succeeded"] == 4
    assert here.ran_on(deployment_id) == list(ZONES)
    targets = here.targets(deployment_id)
    assert list(targets) == list(ZONES)
    assert began(targets["b-1"]) >= ended(targets["a-1"], targets["a-2"]) + 2
    assert began(targets["c-1"]) >= ended(targets["b-1"]) + 1


def began(target: dict[str, Any]) -> float:
    """When the first event of a host began."""
    return float(min(event["startTime"] for event in target["lifecycleEvents"]).timestamp())


def ended(*targets: dict[str, Any]) -> float:
    """When the last event of hosts ended."""
    every = [event["endTime"] for target in targets for event in target["lifecycleEvents"]]
    return float(max(every).timestamp())


def test_a_zone_that_fails_ends_it(here: Zoned, tmp_path: Path) -> None:
    deployment_id = here.deploy(tmp_path / "v2", 'case "$SLIPWAY_ROOT" in */b-1/*) exit 1 ;; esac')
    info = here.until(deployment_id, "Failed")
    assert info["errorInformation"]["code"] == "HEALTH_CONSTRAINTS"
    assert here.statuses(deployment_id) == ["Succeeded", "Succeeded", "Failed", "Skipped"]
    assert here.ran_on(deployment_id) == ["a-1", "a-2", "b-1"]


def test_stopped_while_a_zone_is_looked_at(here: Zoned, tmp_path: Path) -> None:
    deployment_id = here.deploy(tmp_path / "v3")
    here.until(deployment_id, "Baking")
    here.client.stop_deployment(deploymentId=deployment_id)
    info = here.until(deployment_id, "Stopped")
    assert info["errorInformation"]["code"] == "MANUAL_STOP"
    assert here.ran_on(deployment_id) == ["a-1", "a-2"]
    assert here.statuses(deployment_id) == ["Succeeded", "Succeeded", "Skipped", "Skipped"]
