"""Deployments behind a real HAProxy while 500 requests a second come in: none is lost, and none is answered by a
version that is not healthy. Real agents run the hooks of a real web application, which takes up to half a second for a
request."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator

import pytest

from cli.traffic.counts import Counts
from cli.traffic.groups import BLUE_GREEN, GREEN_HOSTS, IN_PLACE
from cli.traffic.load_process import LoadProcess
from domain.configs import ALL_AT_ONCE, HALF_AT_A_TIME, ONE_AT_A_TIME
from domain.deployments import Deployment, DeploymentStatus, TargetRecord, TargetStatus
from domain.lifecycle import TABLE, Event
from domain.reports import EventStatus
from tests.balanced import BalancedSite, balanced_site
from tests.services import wait_until
from workflows.reporting import target_view

WEB = ("web-1", "web-2", "web-3", "web-4")
BLUE, GREEN = ("blue-1", "blue-2"), ("green-1", "green-2")
RATE = 510.0
"""A little more than the 500 that must be reached."""
SHORTEST = 4.0
"""Seconds of load: a tenth of one in which a busy machine sent nothing, at the very end, must not weigh too much."""
EVENT_SECONDS = 6
"""How long a host that never becomes healthy is waited for."""
WITHOUT = {"deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}}
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def web() -> Iterator[BalancedSite]:
    """Four hosts in service, and a group that is deployed to in place behind the balancer."""
    with balanced_site(WEB, event_seconds=EVENT_SECONDS) as here:
        yield here
        assert here.errors() == []


@pytest.fixture
def old(web: BalancedSite) -> str:
    """The version that serves on all four hosts when a test begins."""
    return serve_everywhere(web)


def serve_everywhere(here: BalancedSite) -> str:
    version = fresh_version()
    deployment = deploy(here, version, config=ALL_AT_ONCE)
    assert deployment.status is DeploymentStatus.SUCCEEDED, deployment.error_information
    return version


def fresh_version() -> str:
    return f"v{next(numbers)}"


def deploy(here: BalancedSite, version: str, *, config: str, targets: dict[str, object] | None = None) -> Deployment:
    """Deploy a version, of good behaviour unless it was written before, and wait for the end."""
    revision = here.folder / version
    if not revision.exists():
        here.version(version)
    return here.site.ended(here.site.deploy(revision, deployment_config_name=config, target_instances=targets))


@contextlib.contextmanager
def load_on(here: BalancedSite, *, last: str) -> Iterator[Callable[[], Counts]]:
    """Requests come in, from a while before the block; what is yielded ends them a while after, once `last` answers."""
    with LoadProcess(here.folder, here.balancer.port, rate=RATE) as load:

        def answers() -> int:
            return load.counts().versions.get(last, 0)

        def end() -> Counts:
            enough = answers() + 100

            def lasted() -> bool:
                return answers() > enough and load.counts().seconds >= SHORTEST

            wait_until(lasted, f"an answer of {last} ({load.counts()})", limit=20)
            return load.end()

        wait_until(lambda: load.counts().ok > 100, "answers before the deployment", limit=20)
        yield end


def nothing_was_lost(counts: Counts) -> None:
    assert counts.reasons == {}
    assert (counts.failed, counts.retried, counts.ok) == (0, 0, counts.sent)
    assert counts.rate >= 500, f"the machine is too slow to say anything: {counts}"


def records(here: BalancedSite, deployment: Deployment) -> dict[str, TargetRecord]:
    found = here.site.world.store.targets(deployment.deployment_id, first=0, count=100)
    return {record.target.target_id: target_view(record, deployment) for record in found}


@pytest.mark.parametrize("config", [ONE_AT_A_TIME, HALF_AT_A_TIME])
def test_in_place(web: BalancedSite, old: str, config: str) -> None:
    new = fresh_version()
    with load_on(web, last=new) as end:
        deployment, counts = deploy(web, new, config=config), end()
    assert deployment.status is DeploymentStatus.SUCCEEDED, deployment.error_information
    nothing_was_lost(counts)
    assert set(counts.versions) == {old, new}
    assert set(counts.hosts) == set(WEB)
    for record in records(web, deployment).values():
        assert {event: record.events[event].status for event in record.events} == {
            row.event: EventStatus.SUCCEEDED for row in TABLE
        }


def test_back_to_the_earlier_version(web: BalancedSite, old: str) -> None:
    new = serve_everywhere(web)
    with load_on(web, last=old) as end:
        deployment, counts = deploy(web, old, config=HALF_AT_A_TIME), end()
    assert deployment.status is DeploymentStatus.SUCCEEDED, deployment.error_information
    nothing_was_lost(counts)
    assert set(counts.versions) == {old, new}


def test_a_version_that_never_becomes_healthy_gets_no_request(web: BalancedSite, old: str) -> None:
    new = fresh_version()
    web.version(new, healthy=False)
    with load_on(web, last=old) as end:
        deployment, counts = deploy(web, new, config=ONE_AT_A_TIME), end()
    assert deployment.status is DeploymentStatus.FAILED
    nothing_was_lost(counts)
    assert set(counts.versions) == {old}
    found = records(web, deployment).values()
    assert sorted(record.status for record in found) == [TargetStatus.FAILED, *3 * [TargetStatus.SKIPPED]]
    (failed,) = (record for record in found if record.status is TargetStatus.FAILED)
    assert failed.events[Event.VALIDATE_SERVICE].status is EventStatus.SUCCEEDED
    assert failed.events[Event.ALLOW_TRAFFIC].status is EventStatus.FAILED
    assert failed.events[Event.AFTER_ALLOW_TRAFFIC].status is EventStatus.SKIPPED


def test_a_version_that_does_not_validate_gets_no_request(web: BalancedSite, old: str) -> None:
    new = fresh_version()
    # The balancer would take it: it answers the health check, and every request with an error.
    web.version(new, broken=True)
    with load_on(web, last=old) as end:
        deployment, counts = deploy(web, new, config=ONE_AT_A_TIME), end()
    assert deployment.status is DeploymentStatus.FAILED
    nothing_was_lost(counts)
    assert set(counts.versions) == {old}


def test_without_the_balancer_requests_are_lost_and_seen(web: BalancedSite, old: str) -> None:
    web.change_group(WITHOUT)
    new = fresh_version()
    try:
        with load_on(web, last=new) as end:
            deployment, counts = deploy(web, new, config=ONE_AT_A_TIME), end()
    finally:
        web.change_group(IN_PLACE)
    assert deployment.status is DeploymentStatus.SUCCEEDED, deployment.error_information
    assert counts.failed > 0
    assert set(counts.versions) == {old, new}


def test_from_blue_to_green() -> None:
    with balanced_site(BLUE, GREEN) as here:
        old = serve_everywhere(here)
        here.change_group(BLUE_GREEN)
        new = fresh_version()
        with load_on(here, last=new) as end:
            deployment, counts = deploy(here, new, config=ONE_AT_A_TIME, targets=GREEN_HOSTS), end()
        assert deployment.status is DeploymentStatus.SUCCEEDED, deployment.error_information
        nothing_was_lost(counts)
        assert set(counts.versions) == {old, new}
        assert set(counts.hosts) == {*BLUE, *GREEN}
        # Blue gets nothing any more and runs on.
        with load_on(here, last=new) as end:
            after = end()
        nothing_was_lost(after)
        assert set(after.hosts) == set(GREEN)
        assert here.errors() == []
