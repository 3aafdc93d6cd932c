"""What is killed in the middle of a deployment: it ends in the right status, and no hook runs twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.configs import ALL_AT_ONCE, HALF_AT_A_TIME
from domain.deployments import DeploymentStatus, TargetStatus
from domain.happenings import TERMINAL
from domain.lifecycle import Event
from domain.reports import EventStatus
from tests.site import Site, wait_until, write_revision

HOSTS = ("web-1", "web-2", "web-3", "web-4")
COUNTED = ("BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService")


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        running.start("control")
        running.start("watch")
        running.register(HOSTS)
        for host in HOSTS:
            running.agent(host)
        wait_until(lambda: all(running.world.store.seen(HOSTS)), "the agents' hello")
        yield running


def counting(folder: Path, *, hold: Path) -> Path:
    """A revision whose hooks leave a mark each time they run; ApplicationStart waits until the file `hold` is there."""
    mark = 'echo "$LIFECYCLE_EVENT" >>"$SLIPWAY_ROOT/ran"'
    hooks = dict.fromkeys(COUNTED, mark)
    hooks["ApplicationStart"] = f'{mark}\nuntil [ -e "{hold}" ]; do sleep 0.05; done'
    return write_revision(folder, hooks)


def hooks_run(site: Site, host: str) -> list[str]:
    ran = site.root(host) / "ran"
    return ran.read_text().split() if ran.exists() else []


def each_hook_ran_once(site: Site) -> None:
    for host in HOSTS:
        assert hooks_run(site, host) == list(COUNTED), host


def one_terminal_event(site: Site, deployment_id: str) -> None:
    def told() -> list[str]:
        history = site.world.store.history(limit=1000)
        return [h.event_id for _, h in history if h.deployment_id == deployment_id and h.type in TERMINAL]

    wait_until(told, "the terminal event")
    assert len(set(told())) == 1


def wait_for_start(site: Site, host: str) -> None:
    wait_until(lambda: "ApplicationStart" in hooks_run(site, host), f"ApplicationStart on {host}")


@pytest.mark.parametrize("victim", ["control", "watch"])
def test_a_killed_control_process_is_replaced(site: Site, tmp_path: Path, victim: str) -> None:
    site.group(config=HALF_AT_A_TIME)
    deployment_id = site.deploy(counting(tmp_path / "v1", hold=tmp_path / "go"))
    wait_for_start(site, "web-1")
    site.kill(victim)
    (tmp_path / "go").touch()
    site.start(victim)
    assert site.ended(deployment_id).status is DeploymentStatus.SUCCEEDED
    each_hook_ran_once(site)
    one_terminal_event(site, deployment_id)


def test_everything_in_control_is_killed_at_once(site: Site, tmp_path: Path) -> None:
    site.group(config=HALF_AT_A_TIME)
    deployment_id = site.deploy(counting(tmp_path / "v1", hold=tmp_path / "go"))
    wait_for_start(site, "web-1")
    site.kill("control")
    site.kill("watch")
    (tmp_path / "go").touch()
    site.start("control")
    site.start("watch")
    assert site.ended(deployment_id).status is DeploymentStatus.SUCCEEDED
    each_hook_ran_once(site)


@pytest.mark.parametrize("how", ["clean restart", "kill -9"])
def test_redis_restarts_in_the_middle(site: Site, tmp_path: Path, how: str) -> None:
    site.group(config=HALF_AT_A_TIME)
    deployment_id = site.deploy(counting(tmp_path / "v1", hold=tmp_path / "go"))
    wait_for_start(site, "web-1")
    if how == "kill -9":
        site.redis.kill()
        site.redis.start()
    else:
        site.redis.restart()
    (tmp_path / "go").touch()
    assert site.ended(deployment_id).status is DeploymentStatus.SUCCEEDED
    each_hook_ran_once(site)
    one_terminal_event(site, deployment_id)


def test_a_killed_agent_that_returns_reports_what_was_cut_short(site: Site, tmp_path: Path) -> None:
    site.group(config=ALL_AT_ONCE)
    deployment_id = site.deploy(counting(tmp_path / "v1", hold=tmp_path / "go"))
    for host in HOSTS:
        wait_for_start(site, host)
    site.kill("agent-web-2")
    site.agent("web-2")
    (tmp_path / "go").touch()
    assert site.ended(deployment_id).status is DeploymentStatus.SUCCEEDED
    record = site.world.store.target(deployment_id, "web-2")
    assert record is not None
    assert record.status is TargetStatus.FAILED
    cut = record.events[Event.APPLICATION_START]
    assert cut.status is EventStatus.FAILED
    assert cut.diagnostics is not None
    assert "agent was stopped or died" in cut.diagnostics.message
    assert record.events[Event.VALIDATE_SERVICE].status is EventStatus.SKIPPED
    assert hooks_run(site, "web-2") == ["BeforeInstall", "AfterInstall", "ApplicationStart"]


def knows_of_start(site: Site, deployment_id: str, host: str) -> bool:
    record = site.world.store.target(deployment_id, host)
    held = record.events.get(Event.APPLICATION_START) if record else None
    return held is not None and held.status is EventStatus.IN_PROGRESS


def test_a_killed_agent_that_stays_away_is_given_up(site: Site, tmp_path: Path) -> None:
    site.group(config=ALL_AT_ONCE)
    deployment_id = site.deploy(counting(tmp_path / "v1", hold=tmp_path / "go"))
    for host in HOSTS:
        wait_for_start(site, host)
    # The word that the event began is on its way for a moment; only what control has heard can be given as the reason.
    wait_until(lambda: knows_of_start(site, deployment_id, "web-2"), "word of ApplicationStart on web-2")
    site.kill("agent-web-2")
    (tmp_path / "go").touch()
    assert site.ended(deployment_id).status is DeploymentStatus.SUCCEEDED
    record = site.world.store.target(deployment_id, "web-2")
    assert record is not None
    assert record.status is TargetStatus.FAILED
    given_up = record.events[Event.APPLICATION_START].diagnostics
    assert given_up is not None
    assert "has not answered since" in given_up.message


def test_a_host_without_an_agent_is_named(site: Site, tmp_path: Path) -> None:
    site.kill("agent-web-3")
    site.group(config=ALL_AT_ONCE)
    (tmp_path / "go").touch()
    deployment_id = site.deploy(counting(tmp_path / "v1", hold=tmp_path / "go"))
    assert site.ended(deployment_id).status is DeploymentStatus.SUCCEEDED
    record = site.world.store.target(deployment_id, "web-3")
    assert record is not None
    first = record.events[Event.APPLICATION_STOP]
    assert first.status is EventStatus.FAILED
    assert first.diagnostics is not None
    assert "did not take this event within 20 seconds; it was last seen" in first.diagnostics.message
