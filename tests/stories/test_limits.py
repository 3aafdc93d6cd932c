"""Limits: an agent that dies at work, hosts that are no more, hooks and deployments that take too long, two groups on
one host. All as a client of the API is told."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.following import look
from domain.configs import ALL_AT_ONCE, ONE_AT_A_TIME
from domain.lifecycle import Event
from tests.aws import FakeAws, fake_aws
from tests.services import wait_until
from tests.site import Site, write_revision
from tests.stories.api_process import api_site, boto, ended, events, make_key, targets

LIMITS = {"pickup_seconds": 4, "silence_seconds": 8, "vanished_seconds": 1}
BEFORE = ("ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall")
UNHEALTHY = (
    "The overall deployment failed because too many individual instances failed deployment, too few healthy instances "
    "are available for deployment, or some instances in the deployment group are experiencing problems."
)
NO_AGENT = (
    "No agent of the instances that were tried (lonely) took up its work. Check that the agents run and reach the "
    "broker; `slipway doctor` shows when each was last seen."
)
NOT_TAKEN = (
    r"The agent did not take this event within 4 seconds; it was last seen \d+ seconds ago\. "
    r"Check that the agent runs on the host and reaches the broker\."
)
NO_WAY_BACK = (
    "The deployment cannot be rolled back: no earlier deployment to the group has succeeded. Deploy a good revision."
)
ROLLBACK = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
UNKNOWN = {"errorCode": "UnknownError", "scriptName": "", "logTail": ""}
SILENT = (
    r"The agent has not answered since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \((\d+) seconds ago\), while this event ran\."
)


@dataclass
class Here:
    """An installation with AWS, and a client of its API."""

    site: Site
    aws: FakeAws
    client: Any

    def host(self, name: str) -> str:
        """A registered host with an agent; its group has its name."""
        self.site.register([name], role=name)
        self.start_agent(name)
        self.group(name, name)
        return name

    def watch_anew(self, **limits: int) -> None:
        """Another watch, with other limits."""
        self.site.end("watch")
        self.site.start("watch", **{f"SLIPWAY_LIMITS__{name.upper()}": str(value) for name, value in limits.items()})

    def start_agent(self, name: str) -> None:
        self.site.agent(name)
        wait_until(lambda: self.site.world.store.seen([name])[0], f"the hello of {name}")

    def group(self, name: str, role: str, **more: Any) -> None:
        """A group that rolls back what fails."""
        filters = ({"key": "role", "value": role},)
        values = {"on_premises_instance_tag_filters": filters, "auto_rollback_configuration": ROLLBACK, **more}
        self.site.group(name, **{"config": ALL_AT_ONCE, **values})

    def good(self, group: str, folder: Path) -> str:
        """The group has a revision to return to: its v0 succeeds; the deployment's id."""
        deployment_id = self.site.deploy(write_revision(folder / "v0", {}), group=group)
        assert self.ended(deployment_id)["status"] == "Succeeded"
        return deployment_id

    def on_disk(self, host: str) -> str:
        return (self.site.root(host) / "app" / "version.txt").read_text()

    def ended(self, deployment_id: str) -> dict[str, Any]:
        return ended(self.client, deployment_id)

    def target(self, deployment_id: str, host: str) -> dict[str, Any]:
        found = self.client.get_deployment_target(deploymentId=deployment_id, targetId=host)
        target: dict[str, Any] = found["deploymentTarget"]["instanceTarget"]
        return target

    def events(self, deployment_id: str, host: str) -> dict[str, Any]:
        return {each["lifecycleEventName"]: each for each in self.target(deployment_id, host)["lifecycleEvents"]}

    def failure(self, deployment_id: str, host: str, event: str) -> dict[str, Any]:
        """What is said of the event in which a host failed: those before succeeded, those after were skipped."""
        assert self.target(deployment_id, host)["status"] == "Failed"
        events = self.events(deployment_id, host)
        at = list(events).index(event)
        statuses = [each["status"] for each in events.values()]
        assert statuses == ["Succeeded"] * at + ["Failed"] + ["Skipped"] * (len(statuses) - at - 1)
        problem: dict[str, Any] = events[event]["diagnostics"]
        return problem


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    with (
        fake_aws() as aws,
        api_site(limits=LIMITS, **aws.environment) as (site, url),
        boto(url, make_key(site)) as client,
    ):
        site.start("control")
        site.start("watch")
        yield Here(site, aws, client)


def holding(folder: Path) -> Path:
    """A revision whose ApplicationStart leaves its process id and that of a child, and waits for the file `go`."""
    here = folder.parent
    hook = f'sleep 300 & echo $! >"{here}/child"; echo $$ >"{here}/hook"'
    return write_revision(
        folder, {"ApplicationStart": f'{hook}; until [ -e "{here}/go" ]; do sleep 0.05; done; kill $!'}
    )


def runs(here: Here, deployment_id: str, host: str) -> None:
    """ApplicationStart runs, and control has heard of it."""

    def running() -> bool:
        try:
            status = here.events(deployment_id, host)["ApplicationStart"]["status"]
            assert status in {"Pending", "InProgress"}
            return bool(status == "InProgress")
        except here.client.exceptions.DeploymentNotStartedException:
            return False

    wait_until(running, f"ApplicationStart on {host}")


def is_alive(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text()), 0)
        return "Z" not in Path(f"/proc/{pid_file.read_text().strip()}/stat").read_text().rpartition(")")[2][:3]
    except OSError:
        return False


def failed_for_health(info: dict[str, Any]) -> None:
    assert (info["status"], info["creator"]) == ("Failed", "user")
    assert info["errorInformation"] == {"code": "HEALTH_CONSTRAINTS", "message": UNHEALTHY}


def rollback(here: Here, failed: dict[str, Any]) -> str:
    """The rollback of a deployment that failed, and both say so; its id."""
    deployment_id, back_id = failed["deploymentId"], str(failed["rollbackInfo"]["rollbackDeploymentId"])
    message = f"The deployment {deployment_id} ended as Failed; the deployment {back_id} rolls it back."
    assert failed["rollbackInfo"] == {"rollbackDeploymentId": back_id, "rollbackMessage": message}
    back = here.client.get_deployment(deploymentId=back_id)["deploymentInfo"]
    assert back["creator"] == "codeDeployRollback"
    assert back["rollbackInfo"] == {"rollbackTriggeringDeploymentId": deployment_id, "rollbackMessage": message}
    return back_id


def returned(here: Here, failed: dict[str, Any], host: str) -> None:
    """The deployment was rolled back, and the host has the revision from before."""
    back = here.ended(rollback(here, failed))
    assert (back["status"], back.get("errorInformation")) == ("Succeeded", None)
    assert here.target(back["deploymentId"], host)["status"] == "Succeeded"
    assert {each["status"] for each in here.events(back["deploymentId"], host).values()} == {"Succeeded"}
    assert here.on_disk(host) == "v0"


def test_an_agent_is_killed_in_a_hook_and_stays_away(here: Here, tmp_path: Path) -> None:
    host = here.host("lonely")
    here.good(host, tmp_path)
    deployment_id = here.site.deploy(holding(tmp_path / "v1"), group=host)
    runs(here, deployment_id, host)
    here.site.kill(f"agent-{host}")
    try:
        words = wait_until(lambda: look(here.site.world, deployment_id).words, "the word on its agent", limit=20)
        assert re.fullmatch(r"agent not answering since \S+ \S+ UTC \(\d+ seconds\)", words[host])
        assert here.target(deployment_id, host)["status"] == "InProgress"
        failed = here.ended(deployment_id)
        failed_for_health(failed)
        problem = here.failure(deployment_id, host, "ApplicationStart")
        told = re.fullmatch(SILENT, problem["message"])
        assert told is not None, problem["message"]
        assert 8 <= int(told[1]) <= 12
        assert problem == {**UNKNOWN, "message": told[0]}
        assert not look(here.site.world, deployment_id).words
        back = here.ended(rollback(here, failed))
        assert (back["status"], back["errorInformation"]) == ("Failed", {"code": "AGENT_ISSUE", "message": NO_AGENT})
        problem = here.failure(back["deploymentId"], host, "ApplicationStop")
        assert re.fullmatch(NOT_TAKEN, problem["message"]), problem
        assert problem == {**UNKNOWN, "message": problem["message"]}
    finally:
        (tmp_path / "go").touch()


SCRIPTED = ("ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService")


def tracing(folder: Path, *, waits_in: str = "") -> Path:
    """A revision whose hooks append their names to the file `trace`; one of them then waits for the file `go`."""
    here = folder.parent

    def hook(event: str) -> str:
        waits = f'until [ -e "{here}/go" ]; do sleep 0.05; done' if event == waits_in else ""
        return f'echo "{folder.name} {event}" >>"{here}/trace"; {waits}'

    return write_revision(folder, {event: hook(event) for event in SCRIPTED})


def traced(tmp_path: Path) -> list[str]:
    """What ran, in its order."""
    return (tmp_path / "trace").read_text().splitlines()


def of(name: str, *events: str) -> list[str]:
    return [f"{name} {event}" for event in events]


def begins(here: Here, deployment_id: str, host: str, event: str) -> None:
    """Wait until control has heard that the event runs."""

    def running() -> bool:
        record = here.site.world.store.target(deployment_id, host)
        return record is not None and event in record.events and record.events[Event(event)].status == "InProgress"

    wait_until(running, f"{event} on {host}")


def test_an_agent_wakes_after_its_host_was_given_up(here: Here, tmp_path: Path) -> None:
    """The rollback has begun by then: nothing of the deployment that was given up begins beside it, or after it."""
    host = here.host("sleeper")
    here.group("sleepers", host)
    assert here.ended(here.site.deploy(tracing(tmp_path / "v1"), group="sleepers"))["status"] == "Succeeded"
    lost = here.site.deploy(tracing(tmp_path / "v2", waits_in="BeforeInstall"), group="sleepers")
    begins(here, lost, host, "BeforeInstall")
    agent = here.site.pid(f"agent-{host}")
    os.kill(agent, signal.SIGSTOP)
    try:
        failed = here.ended(lost)
        failed_for_health(failed)
        assert re.fullmatch(SILENT, here.failure(lost, host, "BeforeInstall")["message"])
        back = rollback(here, failed)
        rolls_back = lambda: (record := here.site.world.store.target(back, host)) and record.attempt  # noqa: E731
        wait_until(rolls_back, "the rollback to take the host")
        (tmp_path / "go").touch()
    finally:
        os.kill(agent, signal.SIGCONT)
    assert here.ended(back)["status"] == "Succeeded"
    assert here.ended(here.site.deploy(tracing(tmp_path / "v3"), group="sleepers"))["status"] == "Succeeded"
    assert traced(tmp_path) == [
        *of("v1", *SCRIPTED[1:]),
        *("v1 ApplicationStop", "v2 BeforeInstall"),
        *of("v1", *SCRIPTED),
        *("v1 ApplicationStop", *of("v3", *SCRIPTED[1:])),
    ]


@pytest.mark.parametrize("event", ["BeforeInstall", "ValidateService"], ids=["in the middle", "at the end"])
def test_an_agent_wakes_before_its_host_is_given_up(here: Here, tmp_path: Path, event: str) -> None:
    """It cannot know whether it is too late, and control sends the rest of what is wanted still."""
    host = here.host(f"dozer-{event.lower()}")
    deployment_id = here.site.deploy(tracing(tmp_path / "v1", waits_in=event), group=host)
    begins(here, deployment_id, host, event)
    agent = here.site.pid(f"agent-{host}")
    os.kill(agent, signal.SIGSTOP)
    try:
        said = lambda: "not answering" in look(here.site.world, deployment_id).words.get(host, "")  # noqa: E731
        wait_until(said, "the word on its agent", limit=20)
        (tmp_path / "go").touch()
    finally:
        os.kill(agent, signal.SIGCONT)
    assert here.ended(deployment_id)["status"] == "Succeeded"
    assert traced(tmp_path) == of("v1", *SCRIPTED[1:])
    assert "was not heard for long" in (here.site.home / f"agent-{host}.log").read_text()


def test_a_host_is_deregistered_in_a_hook(here: Here, tmp_path: Path) -> None:
    host = here.host("leaving")
    here.good(host, tmp_path)
    deployment_id = here.site.deploy(holding(tmp_path / "v1"), group=host)
    runs(here, deployment_id, host)
    here.client.deregister_on_premises_instance(instanceName=host)
    gone = time.monotonic()
    failed = here.ended(deployment_id)
    failed_for_health(failed)
    assert time.monotonic() - gone < 8
    problem = here.failure(deployment_id, host, "ApplicationStart")
    assert problem == {**UNKNOWN, "message": "The instance was deregistered while this event ran."}
    back = here.ended(rollback(here, failed))
    assert (back["status"], back.get("errorInformation")) == ("Succeeded", None)
    assert here.client.list_deployment_targets(deploymentId=back["deploymentId"])["targetIds"] == []
    # Its agent is there still: it is told, and the script does not go on by itself.
    wait_until(lambda: not is_alive(tmp_path / "hook") and not is_alive(tmp_path / "child"), "the end of the script")


def test_instances_are_terminated_at_work_and_before_it(here: Here, tmp_path: Path) -> None:
    first, second = sorted(here.aws.run(2, role="cloud"))
    here.start_agent(first)
    none: tuple[object, ...] = ()
    filters = ({"key": "role", "value": "cloud"},)
    cloud = {"on_premises_instance_tag_filters": none, "ec2_tag_filters": filters}
    here.group("cloud", "cloud", config=ONE_AT_A_TIME, **cloud)
    here.group("cloud-at-once", "cloud", **cloud)
    ec2 = here.aws.client("ec2")

    deployment_id = here.site.deploy(holding(tmp_path / "v1"), group="cloud")
    runs(here, deployment_id, first)
    ec2.terminate_instances(InstanceIds=[second])
    (tmp_path / "go").touch()
    info = here.ended(deployment_id)
    assert info["status"] == "Succeeded"
    assert info["deploymentOverview"]["Failed"] == 1
    assert not info.keys() & {"errorInformation", "rollbackInfo"}
    # Nobody waited for an agent that never was: it would be named, and take four seconds.
    problem = here.failure(deployment_id, second, "ApplicationStop")
    message = "The instance was terminated while the deployment was under way, before this event began."
    assert problem == {**UNKNOWN, "message": message}

    (tmp_path / "go").unlink()
    deployment_id = here.site.deploy(holding(tmp_path / "v2"), group="cloud-at-once", file_exists_behavior="OVERWRITE")
    runs(here, deployment_id, first)
    ec2.terminate_instances(InstanceIds=[first])
    failed = here.ended(deployment_id)
    failed_for_health(failed)
    problem = here.failure(deployment_id, first, "ApplicationStart")
    assert problem == {**UNKNOWN, "message": "The instance was terminated while this event ran."}
    assert failed["rollbackInfo"] == {"rollbackMessage": NO_WAY_BACK}
    (tmp_path / "go").touch()


def test_a_hook_outlives_the_limit_of_its_event(here: Here, tmp_path: Path) -> None:
    host = here.host("slow")
    here.group("short-events", host, event_seconds=2)
    good = here.good("short-events", tmp_path)
    deployment_id = here.site.deploy(holding(tmp_path / "v1"), group="short-events")
    failed = here.ended(deployment_id)
    failed_for_health(failed)
    problem = here.failure(deployment_id, host, "ApplicationStart")
    script = "scripts/ApplicationStart.sh"
    assert problem == {
        "errorCode": "ScriptTimedOut",
        "scriptName": script,
        "message": f"script {script} did not end within the 2 seconds that one lifecycle event may take in this "
        "deployment group; it was ended with all it had started. "
        f"On disk: Install of {deployment_id} was carried out: all 1 steps are done and can still be undone. "
        f"Last successful deployment on this host: {good}.",
        "logTail": f"LifecycleEvent - ApplicationStart\nScript - {script}",
    }
    assert not is_alive(tmp_path / "hook")
    assert not is_alive(tmp_path / "child")
    returned(here, failed, host)


@pytest.mark.parametrize(("event", "outcome"), [("ApplicationStart", "Failed"), ("ValidateService", "Succeeded")])
def test_a_deployment_outlives_its_limit(here: Here, tmp_path: Path, event: str, outcome: str) -> None:
    """What runs finishes its event, and nothing new begins: neither on that host, nor on the next."""
    name = f"relay-{event.lower()}"
    first, second = hosts = (f"{name}-1", f"{name}-2")
    here.site.register(hosts, role=name)
    for host in hosts:
        here.start_agent(host)
    here.group(name, name, config=ONE_AT_A_TIME)
    here.good(name, tmp_path)
    deployment_id = here.site.deploy(tracing(tmp_path / "v1", waits_in=event), group=name)
    begins(here, deployment_id, first, event)

    def is_stopping() -> bool:
        held = here.site.world.store.deployment(deployment_id)
        return held is not None and held.stopping is not None

    here.watch_anew(deployment_seconds=2)
    wait_until(is_stopping, "the end of the limit")
    # What rolls it back has a limit of its own, and is to be well within it.
    here.watch_anew()
    assert here.client.get_deployment(deploymentId=deployment_id)["deploymentInfo"]["status"] == "InProgress"
    assert here.events(deployment_id, first)[event]["status"] == "InProgress"
    (tmp_path / "go").touch()
    failed = here.ended(deployment_id)
    assert (failed["status"], failed["creator"]) == ("Failed", "user")
    message = "The deployment ran longer than 2 seconds."
    assert failed["errorInformation"] == {"code": "TIMEOUT", "message": message}
    assert {status: count for status, count in failed["deploymentOverview"].items() if count} == {
        outcome: 1,
        "Skipped": 1,
    }
    untouched = dict.fromkeys((*BEFORE, "ApplicationStart", "ValidateService"), "Skipped")
    began = SCRIPTED[1 : SCRIPTED.index(event) + 1]
    told = targets(here.client, deployment_id)
    assert {host: (target["status"], events(target)) for host, target in told.items()} == {
        first: (outcome, untouched | dict.fromkeys((*BEFORE, *began), "Succeeded")),
        second: ("Skipped", untouched),
    }
    returned(here, failed, first)
    assert here.on_disk(second) == "v0"
    # Where v1 was finished, it is the one that the rollback stops.
    stops = of("v1", "ApplicationStop") if outcome == "Succeeded" else []
    assert traced(tmp_path) == [*of("v1", *began), *stops]


def test_two_groups_on_one_host_wait_for_each_other(here: Here, tmp_path: Path) -> None:
    """Each takes longer than an agent may take to pick an event up."""
    host = here.host("shared")
    names = ("one", "two")
    ids = {}
    for name in names:
        here.group(name, host)
        hook = f'echo "{name} begins" >>"{tmp_path}/ran"; sleep 6; echo "{name} ends" >>"{tmp_path}/ran"'
        revision = write_revision(tmp_path / name, {"BeforeInstall": hook}, {f"{name}.txt": name})
        ids[name] = here.site.deploy(revision, group=name)
    waits = "waits for the agent, which runs 1 of 1 events for other deployments"

    def is_told() -> bool:
        told = [look(here.site.world, each).words.get(host, "") for each in ids.values()]
        # Which event it is depends on how soon the second came after the first.
        return any(each.endswith(waits) for each in told)

    wait_until(is_told, "the word on the wait")
    for deployment_id in ids.values():
        assert here.ended(deployment_id)["status"] == "Succeeded"
        events = here.events(deployment_id, host)
        assert {each["status"] for each in events.values()} == {"Succeeded"}
    ran = (tmp_path / "ran").read_text().splitlines()
    assert len(ran) == 4, "a hook ran twice"
    assert {tuple(ran[:2]), tuple(ran[2:])} == {(f"{name} begins", f"{name} ends") for name in names}
    for name in names:
        assert (here.site.root(host) / "app" / f"{name}.txt").read_text() == name
