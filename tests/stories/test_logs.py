"""What real processes log as JSON: records of a deployment name it, Celery's own among them, and no secret shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.deployments import Deployment, DeploymentStatus
from tests.site import Site, wait_until, write_revision

SECRET = "hunter2-hunter2"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(limits={"pickup_seconds": 3}, SLIPWAY_BUNDLES__KEY=SECRET, SLIPWAY_LOG_LEVEL="INFO") as running:
        running.start("control", "control", "--json")
        running.start("watch", "watch", "--json")
        running.register(["web-1"])
        running.register(["dark-1"], role="dark")
        where = ("--root", str(running.root("web-1")), "--state", str(running.state("web-1")))
        running.start("agent", "agent", "--id", "web-1", *where, "--json")
        wait_until(lambda: running.world.store.seen(["web-1"])[0], "the agent's hello")
        yield running


def records(site: Site, process: str) -> list[dict[str, Any]]:
    """What the process logged; the test fails at a line that is no JSON. Celery's banner goes before."""
    lines = (site.home / f"{process}.log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def about(site: Site, process: str, deployment: Deployment, words: str) -> dict[str, Any]:
    """The first record of the process about the deployment with these words in it, once there is one."""

    def found() -> dict[str, Any] | None:
        fits = [
            record
            for record in records(site, process)
            if record.get("deployment_id") == deployment.deployment_id and words in record["message"]
        ]
        return fits[0] if fits else None

    return wait_until(found, f"a record of {process} with {words!r}", limit=10)


def test_the_records_of_a_deployment_name_it(site: Site, tmp_path: Path) -> None:
    site.group("web")
    ended = site.ended(site.deploy(write_revision(tmp_path / "v1", {"AfterInstall": "true"}), group="web"))
    assert ended.status is DeploymentStatus.SUCCEEDED
    verdict = about(site, "control", ended, "ended as Succeeded")
    assert (verdict["process"], verdict["application"], verdict["level"]) == ("control", "app", "INFO")
    begun = about(site, "control", ended, "Task slipway.begin")
    assert begun["logger"] == "celery.app.trace"
    host = about(site, "control", ended, "Succeeded on web-1")
    assert (host["target_id"], host["application"]) == ("web-1", "app")
    installed = about(site, "agent", ended, "Task Install")
    assert installed["logger"] == "celery.app.trace"
    assert (installed["host"], installed["target_id"], installed["event"]) == ("web-1", "web-1", "Install")
    assert installed["application"] == "app"


def test_a_host_that_is_given_up_is_named(site: Site, tmp_path: Path) -> None:
    site.group("dark", on_premises_instance_tag_filters=({"key": "role", "value": "dark"},))
    ended = site.ended(site.deploy(write_revision(tmp_path / "v2", {}), group="dark"))
    given_up = about(site, "watch", ended, "is given up")
    assert (given_up["target_id"], given_up["event"], given_up["level"]) == ("dark-1", "ApplicationStop", "WARNING")
    assert "slipway agent --id dark-1" in given_up["message"]


def test_every_line_is_json_and_none_holds_a_secret(site: Site) -> None:
    for process in ("control", "watch", "agent"):
        text = (site.home / f"{process}.log").read_text()
        assert SECRET not in text
        assert records(site, process) or process == "watch"
        after_banner = text[text.find("\n{") + 1 :] if "\n{" in text else text
        assert [line for line in after_banner.splitlines() if line and not line.startswith("{")] == []
