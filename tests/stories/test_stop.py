"""Stopping a deployment: when it waits, before it begins, between and during events, while agents are away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.following import look
from domain.configs import ALL_AT_ONCE, ONE_AT_A_TIME
from domain.deployments import Deployment, DeploymentErrorCode, DeploymentStatus, TargetStatus
from domain.errors import DeploymentAlreadyCompleted, DeploymentDoesNotExist
from domain.groups import Busy
from domain.happenings import TERMINAL, HappeningType
from domain.lifecycle import Event
from domain.reports import EventStatus
from tasks.steering import stop
from tests.site import Site, wait_until, write_revision

HOSTS = ("web-1", "web-2", "web-3")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as running:
        running.start("control")
        running.start("watch")
        running.register(HOSTS)
        for host in HOSTS:
            running.agent(host)
        wait_until(lambda: all(running.world.store.seen(HOSTS)), "the agents' hello")
        yield running


def holding(folder: Path) -> Path:
    """A revision whose ApplicationStart, on each host, says that it is there and waits for the file `go`."""
    here = f'touch "{folder.parent}/$(basename "$(dirname "$SLIPWAY_ROOT")")"'
    hook = f'{here}; until [ -e "{folder.parent}/go" ]; do sleep 0.05; done'
    return write_revision(folder, {"ApplicationStart": hook, "ValidateService": "true"}, {f"{folder.parent.name}": "1"})


def statuses(site: Site, deployment: Deployment) -> list[TargetStatus]:
    """The statuses that people are shown, in pick order; the overview counts the same."""
    shown = look(site.world, deployment.deployment_id)
    counts = shown.overview.model_dump(mode="json")
    found = [record.status for record in shown.targets]
    assert counts == {name: found.count(TargetStatus(name)) for name in counts}
    assert sum(counts.values()) == deployment.total
    return found


def is_over(site: Site, deployment: Deployment, *, told: HappeningType = HappeningType.DEPLOYMENT_STOP) -> None:
    """Its group is free and remembers how it ended; it was told of once."""
    assert site.world.store.running(deployment.deployment_group_id) is None
    group = site.held_group(deployment.deployment_group_name)
    assert group is not None
    if deployment.start_time is not None:
        assert group.last_attempted_deployment is not None
        assert group.last_attempted_deployment.status == deployment.status

    def ends() -> list[HappeningType]:
        history = [h for _, h in site.world.store.history(limit=5000)]
        return [h.type for h in history if h.deployment_id == deployment.deployment_id and h.type in TERMINAL]

    wait_until(ends, "the terminal event")
    assert ends() == [told]


def test_while_one_host_is_at_work_and_others_wait(site: Site, tmp_path: Path) -> None:
    site.group("one-by-one", config=ONE_AT_A_TIME)
    deployment_id = site.deploy(holding(tmp_path / "v1"), group="one-by-one")
    wait_until((tmp_path / "web-1").exists, "the hook")
    assert stop(site.world, deployment_id).status is DeploymentStatus.IN_PROGRESS
    (tmp_path / "go").touch()
    ended = site.ended(deployment_id, limit=20)
    assert ended.status is DeploymentStatus.STOPPED
    assert ended.error_information is not None
    assert ended.error_information.code is DeploymentErrorCode.MANUAL_STOP
    assert statuses(site, ended) == [TargetStatus.FAILED, TargetStatus.SKIPPED, TargetStatus.SKIPPED]
    events = site.world.store.targets(deployment_id)[0].events
    assert events[Event.APPLICATION_START].status is EventStatus.SUCCEEDED
    assert events[Event.VALIDATE_SERVICE].status is EventStatus.SKIPPED
    is_over(site, ended)


def test_now_ends_the_scripts_that_run(site: Site, tmp_path: Path) -> None:
    site.group("now", config=ALL_AT_ONCE)
    deployment_id = site.deploy(holding(tmp_path / "v1"), group="now")
    for host in HOSTS:
        wait_until((tmp_path / host).exists, f"the hook on {host}")
    stop(site.world, deployment_id)
    stop(site.world, deployment_id, now=True)
    ended = site.ended(deployment_id, limit=20)
    assert ended.status is DeploymentStatus.STOPPED
    assert statuses(site, ended) == [TargetStatus.FAILED] * 3
    for record in site.world.store.targets(deployment_id):
        assert record.events[Event.APPLICATION_START].status is EventStatus.FAILED
    is_over(site, ended)


def test_while_queued_and_with_nothing_begun(site: Site, tmp_path: Path) -> None:
    site.group("queued", config=ALL_AT_ONCE, busy=Busy.QUEUE)
    revision = holding(tmp_path / "v1")
    first, second, third = (site.deploy(revision, group="queued") for _ in range(3))
    assert stop(site.world, second).status is DeploymentStatus.STOPPED
    (tmp_path / "go").touch()
    for each in (first, third):
        assert site.ended(each).status is DeploymentStatus.SUCCEEDED
    ended = site.ended(second)
    assert (ended.total, ended.start_time) == (0, None)
    is_over(site, ended)


def test_before_it_begins(site: Site, tmp_path: Path) -> None:
    site.group("early")
    site.end("control")
    deployment_id = site.deploy(write_revision(tmp_path / "v1", {}), group="early")
    assert stop(site.world, deployment_id).status is DeploymentStatus.STOPPED
    site.start("control")
    is_over(site, site.ended(deployment_id))
    after = site.deploy(write_revision(tmp_path / "v1", {}, {"early.txt": ""}), group="early")
    assert site.ended(after).status is DeploymentStatus.SUCCEEDED


def test_an_agent_that_is_away_is_not_waited_for(site: Site, tmp_path: Path) -> None:
    """What waits for it is taken back, so that it begins nothing of the stopped deployment once it returns."""
    site.end("agent-web-2")
    site.group("away", config=ALL_AT_ONCE)
    stopped = site.deploy(holding(tmp_path / "v1"), group="away")
    wait_until(lambda: all((tmp_path / host).exists() for host in ("web-1", "web-3")), "the hooks")
    stop(site.world, stopped)
    (tmp_path / "go").touch()
    ended = site.ended(stopped, limit=30)
    assert ended.status is DeploymentStatus.STOPPED
    assert sorted(statuses(site, ended)) == [TargetStatus.FAILED, TargetStatus.FAILED, TargetStatus.SKIPPED]
    is_over(site, ended)
    site.agent("web-2")
    after = site.deploy(write_revision(tmp_path / "v2", {}, {"after.txt": ""}), group="away")
    assert site.ended(after).status is DeploymentStatus.SUCCEEDED
    assert not (tmp_path / "web-2").exists()


def test_what_has_ended_or_never_was_cannot_be_stopped(site: Site, tmp_path: Path) -> None:
    site.group("late")
    deployment_id = site.deploy(write_revision(tmp_path / "v1", {}, {"late.txt": ""}), group="late")
    site.ended(deployment_id)
    with pytest.raises(DeploymentAlreadyCompleted):
        stop(site.world, deployment_id)
    with pytest.raises(DeploymentDoesNotExist):
        stop(site.world, "d-NOTTHERE0")
