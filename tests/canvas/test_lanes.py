"""The canvas on a real Redis with real workers: lanes, their chords, and what heals them when messages are lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.configs import ALL_AT_ONCE, HALF_AT_A_TIME, ONE_AT_A_TIME
from domain.deployments import DeploymentErrorCode, DeploymentStatus, TargetStatus
from domain.happenings import TERMINAL, HappeningType
from domain.reports import EventStatus
from tests.site import Site, wait_until
from workflows import canvas

QUEUE = "host.simulated"
SOMEWHERE = Path("/nowhere")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as running:
        running.start("control")
        running.start("watch")
        folder = running.home / "simulated"
        running.start("simulated", QUEUE, str(folder), module="benchmarks.simulated")
        yield running


def fresh_group(site: Site, name: str, hosts: int, config: str) -> None:
    names = [f"{name}-{number:03}" for number in range(hosts)]
    site.register(names, queue=QUEUE, group=name)
    filters = ({"key": "group", "value": name},)
    site.group(name, config=config, on_premises_instance_tag_filters=filters)


@pytest.mark.parametrize(
    ("config", "lanes"), [(ONE_AT_A_TIME, 1), (HALF_AT_A_TIME, 6), (ALL_AT_ONCE, 12)], ids=["one", "half", "all"]
)
def test_a_fleet_is_deployed_to_at_the_speed_of_its_configuration(site: Site, config: str, lanes: int) -> None:
    name = f"speed-{lanes}"
    fresh_group(site, name, 12, config)
    deployment = site.ended(site.deploy(SOMEWHERE, group=name))
    progress = site.world.store.progress(deployment.deployment_id, 0)
    assert deployment.status is DeploymentStatus.SUCCEEDED
    assert progress is not None
    assert (progress.lanes, progress.retired, progress.succeeded) == (lanes, lanes, 12)
    for record in site.world.store.targets(deployment.deployment_id):
        assert record.status is TargetStatus.SUCCEEDED
        assert {held.status for held in record.events.values()} == {EventStatus.SUCCEEDED}
        assert len(record.events) == 7


def test_more_lanes_than_one_chord_holds(site: Site) -> None:
    hosts = canvas.LANES_PER_CHORD + 3
    fresh_group(site, "wide", hosts, ALL_AT_ONCE)
    deployment = site.ended(site.deploy(SOMEWHERE, group="wide"))
    progress = site.world.store.progress(deployment.deployment_id, 0)
    assert deployment.status is DeploymentStatus.SUCCEEDED
    assert progress is not None
    assert progress.succeeded == progress.retired == hosts


def test_everything_is_told_once_and_in_order(site: Site) -> None:
    fresh_group(site, "told", 3, ONE_AT_A_TIME)
    deployment = site.ended(site.deploy(SOMEWHERE, group="told"))

    def told() -> list[HappeningType]:
        every = [h for _, h in site.world.store.history(limit=5000)]
        mine = [h for h in every if h.deployment_id == deployment.deployment_id]
        assert len({h.event_id for h in mine}) == len(mine)
        return [h.type for h in mine]

    wait_until(lambda: TERMINAL & set(told()), "the terminal event")
    start, success = HappeningType.INSTANCE_START, HappeningType.INSTANCE_SUCCESS
    hosts = [start, success] * 3
    assert sorted(told()) == sorted([HappeningType.DEPLOYMENT_START, *hosts, HappeningType.DEPLOYMENT_SUCCESS])
    assert told()[-1] is HappeningType.DEPLOYMENT_SUCCESS


def test_the_group_remembers_its_hosts(site: Site) -> None:
    fresh_group(site, "memory", 2, ALL_AT_ONCE)
    deployment = site.ended(site.deploy(SOMEWHERE, group="memory"))
    group = site.held_group("memory")
    assert group is not None
    assert group.target_revision == deployment.revision
    assert group.last_successful_deployment is not None
    assert group.last_successful_deployment.deployment_id == deployment.deployment_id
    records = site.world.store.host_records(group.deployment_group_id, ["memory-000", "memory-001"])
    assert [record.health for record in records] == ["Healthy", "Healthy"]
    assert {record.revision for record in records} == {deployment.revision.identity}


def test_lost_messages_are_sent_again(site: Site) -> None:
    """The lanes' first messages are lost, as with a broker that loses its memory; the watch sends them again."""
    fresh_group(site, "lost", 6, HALF_AT_A_TIME)
    site.end("control")
    deployment_id = site.deploy(SOMEWHERE, group="lost")
    site.world.store.ping()
    _purge(site)
    site.start("control")
    assert site.ended(deployment_id).status is DeploymentStatus.SUCCEEDED


def _purge(site: Site) -> None:
    from workers.broker import connection

    with connection(site.settings, "client") as broker:
        broker.SimpleQueue("slipway.control").clear()


def test_a_group_without_hosts_fails_by_name(site: Site) -> None:
    site.group("empty", on_premises_instance_tag_filters=({"key": "group", "value": "nobody"},))
    deployment = site.ended(site.deploy(SOMEWHERE, group="empty"))
    assert deployment.status is DeploymentStatus.FAILED
    assert deployment.error_information is not None
    assert deployment.error_information.code is DeploymentErrorCode.NO_INSTANCES
