"""What anybody could push to the broker's queues: it is dropped, and deployments go on as if it had not come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from adapters.store.connection import plain
from domain.deployments import CreateDeployment, DeploymentErrorCode, DeploymentStatus
from domain.revisions import RevisionLocation, RevisionType, S3Location
from tasks.admitting import create_deployment
from tests.site import Site, wait_until, write_revision
from workers.broker import connection

NOBODY = {"deploymentId": "d-UNKNOWN00", "targetId": "t", "attempt": "../a\x00"}
REPORTS: tuple[Any, ...] = (
    "text",
    7,
    [],
    {},
    {"host": "x", "reports": 7},
    {"host": "x", "reports": [{"kind": "nope"}]},
    {"host": "x", "reports": [{"kind": "hello", "host": "half \ud800", "at": 1.0}]},
    {"host": "x", "reports": [{"kind": "hello", "host": "../:\x00", "at": 1e308}]},
    {"host": "x", "reports": [{"kind": "hello", "host": "", "at": float("nan")}]},
    {"host": "x", "reports": [{"kind": "started", **NOBODY, "event": "Install", "at": 1.0, "limit": 10**40}]},
    {"host": "x", "reports": [{"kind": "log", **NOBODY, "event": "Install", "first": -5, "lines": ["a"]}]},
    {"host": "x", "reports": [{"kind": "log", **NOBODY, "event": "Install", "first": 10**30, "lines": ["a" * 10**7]}]},
    {"host": "x", "reports": [{"kind": "finished", **NOBODY, "outcome": {"event": "Install", "status": "Failed"}}]},
)
GARBAGE: tuple[str | bytes, ...] = (
    "text",
    "[1, 2]",
    '{"a": 1}',
    "null",
    "7",
    b"\xff\xfe",
    json.dumps({"body": 7, "properties": {"delivery_info": {}, "delivery_tag": "x", "body_encoding": "base64"}}),
    json.dumps({"body": "e30=", "properties": {"delivery_info": {}, "delivery_tag": "y"}, "headers": {"task": "T"}}),
)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as running:
        running.start("control")
        running.start("watch")
        running.register(["web-1"])
        running.agent("web-1")
        running.group()
        wait_until(lambda: all(running.world.store.seen(["web-1"])), "the agent's hello")
        yield running


def all_is_well(site: Site, folder: Path) -> None:
    """A deployment succeeds, by the very processes that were started."""
    before = {name: site.pid(name) for name in ("control", "watch", "agent-web-1")}
    revision = write_revision(folder / "v1", {"ValidateService": "echo served"}, {"version.txt": folder.name})
    deployment = site.ended(site.deploy(revision), limit=30)
    assert deployment.status is DeploymentStatus.SUCCEEDED

    def served() -> bool:
        chunks = site.world.store.log(deployment.deployment_id, "web-1", "ValidateService")
        return any("[stdout]served" in chunk.lines for chunk in chunks)

    wait_until(served, "the hook's line")
    for name, pid in before.items():
        assert Path(f"/proc/{pid}/cmdline").read_bytes(), f"{name} died"


def test_odd_reports_are_dropped(site: Site, tmp_path: Path) -> None:
    with connection(site.settings, "client") as broker:
        producer = broker.Producer()
        for body in REPORTS:
            producer.publish(body, routing_key="slipway.reports", serializer="json")
        for kind in ("application/json", "application/x-python-serialize"):
            producer.publish(b"\xff", routing_key="slipway.reports", content_type=kind, content_encoding="utf-8")
    all_is_well(site, tmp_path)


@pytest.mark.parametrize("queue", ["slipway.reports", "slipway.control", "host.web-1"])
def test_what_is_no_message_is_dropped(site: Site, tmp_path: Path, queue: str) -> None:
    with redis.Redis.from_url(plain(site.settings.broker_url)) as broker:
        broker.lpush(queue, *GARBAGE)
        wait_until(lambda: not broker.llen(queue), "an empty queue")
    all_is_well(site, tmp_path)


def test_a_revision_that_no_host_can_fetch_fails_by_name(site: Site, tmp_path: Path) -> None:
    location = S3Location(bucket="releases", key="v1.zip", bundle_type="zip")
    revision = RevisionLocation(revision_type=RevisionType.S3, s3_location=location)
    request = CreateDeployment(application_name="app", deployment_group_name="web", revision=revision)
    ended = site.ended(create_deployment(site.world, request), limit=20)
    assert ended.error_information is not None
    assert ended.error_information.code is DeploymentErrorCode.INVALID_REVISION
    group = site.held_group("web")
    assert group is not None
    assert group.last_attempted_deployment is not None
    assert group.last_attempted_deployment.status == DeploymentStatus.FAILED
    all_is_well(site, tmp_path)


def test_file_names_that_are_no_text_are_told(site: Site, tmp_path: Path) -> None:
    revision = write_revision(tmp_path / "v1", {})
    odd = b"caf\xe9.txt"
    for folder in (revision / "files", site.root("web-1") / "app"):
        folder.mkdir(exist_ok=True)
        Path(f"{folder}/{odd.decode(errors='surrogateescape')}").touch()
    ended = site.ended(site.deploy(revision), limit=20)
    record = site.world.store.target(ended.deployment_id, "web-1")
    assert record is not None
    problems = [held.diagnostics.message for held in record.events.values() if held.diagnostics]
    assert len(problems) == 1
    assert "caf\\udce9.txt" in problems[0]
