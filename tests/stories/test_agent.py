"""What an agent meets on its host: death at awkward points, a second agent, other groups, clocks, odd messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.configs import ALL_AT_ONCE
from domain.deployments import Deployment, DeploymentStatus, TargetRecord, TargetStatus
from domain.lifecycle import Event
from domain.reports import Diagnostics, EventStatus
from tests.site import Site, wait_until, write_revision
from tests.unit.adapters.script_site import is_alive
from workers.broker import connection


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as running:
        running.start("control")
        running.start("watch")
        yield running


def arguments(site: Site, host: str) -> tuple[str, ...]:
    return ("agent", "--id", host, "--root", str(site.root(host)), "--state", str(site.state(host)))


def group_of(site: Site, host: str, name: str = "") -> str:
    """A group of one host; its name."""
    site.register([host], role=host)
    filters = ({"key": "role", "value": host},)
    site.group(name or host, config=ALL_AT_ONCE, on_premises_instance_tag_filters=filters)
    return name or host


def present(site: Site, host: str) -> None:
    wait_until(lambda: all(site.world.store.seen([host])), f"the hello of {host}")


def record_of(site: Site, deployment: Deployment, host: str) -> TargetRecord:
    record = site.world.store.target(deployment.deployment_id, host)
    assert record is not None
    return record


def problem_of(record: TargetRecord, event: Event) -> Diagnostics:
    held = record.events[event]
    assert held.status is EventStatus.FAILED
    assert held.diagnostics is not None
    return held.diagnostics


MARK = 'echo "$LIFECYCLE_EVENT $DEPLOYMENT_ID" >>"$SLIPWAY_ROOT/ran"'
HOOKS = dict.fromkeys(("ApplicationStop", "BeforeInstall", "AfterInstall", "ValidateService"), MARK)


@pytest.mark.parametrize(
    ("point", "event", "says"),
    [
        pytest.param("Fetcher.__call__ before 1", Event.DOWNLOAD_BUNDLE, "", id="before fetching"),
        pytest.param("Fetcher.__call__ after 1", Event.DOWNLOAD_BUNDLE, "", id="fetched"),
        pytest.param("Installer.__call__ before 1", Event.INSTALL, "On disk: No installation", id="before installing"),
        pytest.param("Ledger.note after 1", Event.INSTALL, "was cut off", id="installing"),
        pytest.param("Installer.__call__ after 1", Event.INSTALL, "steps are done", id="installed"),
    ],
)
def test_an_agent_dies_at_work(site: Site, tmp_path: Path, point: str, event: Event, says: str) -> None:
    host = "-".join(point.split()).replace(".", "-").replace("_", "")
    group = group_of(site, host)
    files = {f"{number}.txt": "one" for number in range(20)}
    one = write_revision(tmp_path / "v1", HOOKS, files)
    dying = site.start("dying", *point.split(), *arguments(site, host), module="tests.crashing")
    present(site, host)
    first = site.deploy(one, group=group)
    wait_until(lambda: dying.poll() is not None, f"the end of the agent at {point}")
    site.kill("dying")
    site.agent(host)
    ended = site.ended(first, limit=30)
    record = record_of(site, ended, host)
    problem = problem_of(record, event)
    assert (ended.status, record.status) == (DeploymentStatus.FAILED, TargetStatus.FAILED)
    assert "agent was stopped or died while this event ran" in problem.message
    assert says in problem.message

    second = site.ended(site.deploy(write_revision(tmp_path / "v2", HOOKS, {"2.txt": "two"}), group=group))
    assert second.status is DeploymentStatus.SUCCEEDED
    assert [path.name for path in (site.root(host) / "app").iterdir()] == ["2.txt"]
    ran = (site.root(host) / "ran").read_text().split("\n")
    assert len(ran) == len(set(ran)), "a hook ran twice"
    site.end(f"agent-{host}")


@pytest.mark.parametrize("point", ["Attempts.end after 2", "Attempts.end after 3", "Attempts.begin after 3"])
def test_an_agent_dies_between_events(site: Site, tmp_path: Path, point: str) -> None:
    """Between an event's end in the journal and the next message the chain goes on; a begun hook is never run again."""
    host = "-".join(point.split()).replace(".", "-")
    group = group_of(site, host)
    dying = site.start("dying", *point.split(), *arguments(site, host), module="tests.crashing")
    present(site, host)
    deployment_id = site.deploy(write_revision(tmp_path / "v1", HOOKS), group=group)
    wait_until(lambda: dying.poll() is not None, f"the end of the agent at {point}")
    site.kill("dying")
    site.agent(host)
    ended = site.ended(deployment_id, limit=30)
    goes_on = ".end" in point
    assert ended.status is (DeploymentStatus.SUCCEEDED if goes_on else DeploymentStatus.FAILED)
    ran = [line.split()[0] for line in (site.root(host) / "ran").read_text().splitlines()] if goes_on else []
    assert ran == (["BeforeInstall", "AfterInstall", "ValidateService"] if goes_on else [])
    site.end(f"agent-{host}")


def test_an_agent_dies_before_it_says_that_its_last_event_ended(site: Site, tmp_path: Path) -> None:
    """Nobody waits for that word until the event's time is over: the next agent says it."""
    host = "last-word"
    group = group_of(site, host)
    dying = site.start("dying", "Attempts.end", "after", "7", *arguments(site, host), module="tests.crashing")
    present(site, host)
    hold = f'until [ -e "{tmp_path}/go" ]; do sleep 0.02; done'
    deployment_id = site.deploy(write_revision(tmp_path / "v1", {"ValidateService": hold}), group=group)

    def running() -> bool:
        record = site.world.store.target(deployment_id, host)
        held = record.events.get(Event.VALIDATE_SERVICE) if record else None
        return held is not None and held.status is EventStatus.IN_PROGRESS

    wait_until(running, "the word that the last event began")
    (tmp_path / "go").touch()
    wait_until(lambda: dying.poll() is not None, "the end of the agent")
    site.kill("dying")
    site.agent(host)
    assert site.ended(deployment_id, limit=30).status is DeploymentStatus.SUCCEEDED
    site.end(f"agent-{host}")


def test_a_hook_does_not_outlive_its_agent_for_long(site: Site, tmp_path: Path) -> None:
    """Else it would run beside the hooks of the next deployment."""
    host = "outlived"
    group = group_of(site, host)
    first = site.agent(host)
    present(site, host)
    noted = tmp_path / "pids"
    stays = f"echo $$ >>{noted}; setsid sh -c 'echo $$ >>{noted}; exec sleep 600' & sleep 600"
    failing = site.deploy(write_revision(tmp_path / "v1", {"AfterInstall": stays}), group=group)
    wait_until(lambda: noted.exists() and noted.read_text().count("\n") == 2, "the hook")
    pids = [int(line) for line in noted.read_text().split()]
    first.kill()
    first.wait()
    assert all(map(is_alive, pids))
    site.end(f"agent-{host}")
    site.agent(host)
    ended = site.ended(failing, limit=30)
    assert ended.status is DeploymentStatus.FAILED
    assert not any(map(is_alive, pids))
    assert "agent was stopped or died" in problem_of(record_of(site, ended, host), Event.AFTER_INSTALL).message
    good = site.deploy(write_revision(tmp_path / "v2", {"AfterInstall": MARK}), group=group)
    assert site.ended(good).status is DeploymentStatus.SUCCEEDED
    site.end(f"agent-{host}")


def test_a_second_agent_is_refused(site: Site) -> None:
    first = site.agent("twice")
    site.register(["twice"], role="twice")
    present(site, "twice")
    second = site.slipway(*arguments(site, "twice"), check=False)
    assert second.returncode != 0
    assert f"another agent (process {first.pid}) works with {site.state('twice')} already" in second.stderr
    site.kill("agent-twice")
    site.agent("twice")
    wait_until(lambda: "ready" in (site.home / "agent-twice.log").read_text().rpartition("agent@")[2], "a new agent")
    site.end("agent-twice")


def test_two_groups_deploy_to_one_host_at_once(site: Site, tmp_path: Path) -> None:
    host = "shared"
    group_of(site, host, "one")
    group_of(site, host, "two")
    site.start(f"agent-{host}", *arguments(site, host), SLIPWAY_AGENT__CONCURRENCY="2")
    present(site, host)
    ids = {}
    for mine, other in (("one", "two"), ("two", "one")):
        meet = f'touch "{tmp_path}/{mine}.here"; until [ -e "{tmp_path}/{other}.here" ]; do sleep 0.05; done'
        revision = write_revision(tmp_path / mine, {"BeforeInstall": meet, "ApplicationStart": MARK})
        spec = revision / "appspec.yml"
        spec.write_text(spec.read_text().replace("/app", f"/app-{mine}"))
        ids[mine] = site.deploy(revision, group=mine)
    for name, deployment_id in ids.items():
        assert site.ended(deployment_id, limit=30).status is DeploymentStatus.SUCCEEDED
        assert (site.root(host) / f"app-{name}" / "version.txt").read_text() == name
    site.end(f"agent-{host}")


@pytest.mark.parametrize("seconds", [600, -600])
def test_a_host_whose_clock_is_wrong(site: Site, tmp_path: Path, seconds: int) -> None:
    host = f"skewed{seconds}"
    group = group_of(site, host)
    site.start(f"agent-{host}", str(seconds), *arguments(site, host), module="tests.skewed")
    present(site, host)
    deployment = site.ended(site.deploy(write_revision(tmp_path / "v1", HOOKS), group=group), limit=30)
    assert deployment.status is DeploymentStatus.SUCCEEDED
    seen = site.world.store.seen([host])[0]
    assert seen is not None
    assert round(seen.ahead, -2) == seconds
    site.end(f"agent-{host}")


@pytest.mark.parametrize("broken", [{"outcomes": 7}, {"order": {"lane": "first"}}], ids=["outcomes", "order"])
def test_a_message_that_is_no_report_fails_the_host_at_once(site: Site, tmp_path: Path, broken: dict[str, Any]) -> None:
    host = f"odd-{next(iter(broken))}"
    group = group_of(site, host)
    deployment_id = site.deploy(write_revision(tmp_path / "v1", HOOKS), group=group)
    with connection(site.settings, "client") as broker:
        queue = broker.SimpleQueue(f"host.{host}")
        message = queue.get(timeout=20)
        message.ack()
        # What the watch sent again meanwhile is in good order.
        site.end("watch")
        queue.clear()
        args, kwargs, embed = message.payload
        order = {**args[0]["order"], **broken.get("order", {})}
        body = [[{**args[0], **broken, "order": order}], kwargs, embed]
        broker.Producer().publish(body, routing_key=f"host.{host}", headers=message.headers, serializer="json")
    site.start("watch")
    site.agent(host)
    ended = site.ended(deployment_id, limit=40)
    problem = problem_of(record_of(site, ended, host), Event.APPLICATION_STOP)
    assert "cannot read the message of this event" in problem.message
    assert not (site.root(host) / "ran").exists()
    site.end(f"agent-{host}")
