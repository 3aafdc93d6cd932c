"""EC2 instances as targets, end to end: real processes, agents with instance ids, and a server that speaks like AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.configs import ALL_AT_ONCE
from domain.deployments import DeploymentErrorCode, DeploymentStatus
from domain.lifecycle import Event
from tests.aws import FakeAws, fake_aws, metadata_service
from tests.site import Site, wait_until, write_revision
from workers.wiring import make_site


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeAws]:
    with fake_aws() as server:
        yield server


@pytest.fixture(scope="module")
def site(aws: FakeAws) -> Iterator[Site]:
    with Site(limits={"pickup_seconds": 6}, **aws.environment) as running:
        running.start("control")
        running.start("watch")
        yield running


def start_agents(site: Site, *hosts: str) -> None:
    for host in hosts:
        site.agent(host)
    wait_until(lambda: all(site.world.store.seen(hosts)), "the agents' hello")


def filters(role: str) -> list[dict[str, str]]:
    return [{"key": "role", "value": role}]


def test_a_deployment_reaches_instances_by_tags_by_membership_and_on_premises(
    site: Site, aws: FakeAws, tmp_path: Path
) -> None:
    (member,) = aws.auto_scaling_group("web", 1)
    (tagged,) = aws.run(role="web")
    (linked,) = aws.run(role="web", slipway__agent="spare")
    aws.run(role="db")
    site.register(["rack-1"], role="web")
    start_agents(site, tagged, "spare", "rack-1")
    with metadata_service(answer=member) as (url, _):
        where = {"root": str(site.root(member)), "state": str(site.state(member))}
        site.start(
            "agent-ec2",
            *("agent", "--id", "ec2", "--root", where["root"], "--state", where["state"]),
            SLIPWAY_AGENT__METADATA_URL=url,
        )
        wait_until(lambda: site.world.store.seen([member])[0], "the hello of the agent that asked who it is")
    site.group("mixed", config=ALL_AT_ONCE, ec2_tag_filters=filters("web"), auto_scaling_groups=("web",))
    ended = site.ended(site.deploy(write_revision(tmp_path / "v1", {}), group="mixed"))
    assert ended.error_information is None
    assert (ended.status, ended.total) == (DeploymentStatus.SUCCEEDED, 4)
    targets = {record.target.target_id: record.target for record in site.world.store.targets(ended.deployment_id)}
    assert set(targets) == {member, tagged, linked, "rack-1"}
    assert targets[linked].queue == "host.spare"
    assert targets[tagged].arn.endswith(f":instance/{tagged}")
    for host in (member, tagged, "spare", "rack-1"):
        assert (site.root(host) / "app" / "version.txt").read_text() == "v1"


def test_what_control_did_is_in_the_metrics(site: Site) -> None:
    """Counted by the control process, looked up by this one."""
    shown = make_site(site.settings, site.world).metrics

    def counted() -> str | None:
        text = shown().decode()
        return text if 'slipway_deployments_ended_total{status="Succeeded"} 1.0' in text else None

    text = wait_until(counted, "the flush of what control counted", limit=10)
    assert 'slipway_lifecycle_events_total{event="Install",outcome="Succeeded"} 4.0' in text
    assert 'slipway_lifecycle_event_seconds_count{event="Install"} 4.0' in text
    assert "slipway_agents_seen 4.0" in text
    assert 'slipway_queue_messages{queue="slipway.trigger"} 0.0' in text
    assert "i-" not in text


def test_an_instance_whose_agent_was_never_started_says_what_to_start(site: Site, aws: FakeAws, tmp_path: Path) -> None:
    (dark,) = aws.run(role="dark")
    site.group("dark", on_premises_instance_tag_filters=(), ec2_tag_filters=filters("dark"))
    ended = site.ended(site.deploy(write_revision(tmp_path / "v1", {}), group="dark"))
    assert ended.error_information is not None
    assert ended.error_information.code is DeploymentErrorCode.AGENT_ISSUE
    assert dark in ended.error_information.message
    record = site.world.store.target(ended.deployment_id, dark)
    assert record is not None
    problem = record.events[Event.APPLICATION_STOP].diagnostics
    assert problem is not None
    assert f"start one on it with `slipway agent --id {dark}`" in problem.message
    assert f"queue host.{dark}" in problem.message
    findings = json.loads(site.slipway("doctor", "--json", check=False).stdout)
    agents = {finding["check"]: finding for finding in findings if finding["check"].startswith("agent ")}
    assert agents[f"agent {dark}"]["detail"] == "never seen"
    assert agents["agent spare"]["ok"]
