"""Stopping a deployment: when it waits, before it begins, between and during events, while agents are away; as clients
of the API are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from adapters.store.connection import plain
from domain.configs import ALL_AT_ONCE, HALF_AT_A_TIME, ONE_AT_A_TIME
from domain.groups import Busy
from domain.happenings import TERMINAL, HappeningType
from tests.site import Site, wait_until, write_revision
from tests.stories.api_process import api_site, boto, ended, events, make_key, targets

HOSTS = ("web-1", "web-2", "web-3", "web-4")
BEFORE = ("ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall")
STOPPED = {"code": "MANUAL_STOP", "message": "The deployment was stopped by request."}
# What a host says of its events: all it was to do, what it did before it was caught, nothing.
DONE = dict.fromkeys((*BEFORE, "ApplicationStart", "ValidateService"), "Succeeded")
CAUGHT = DONE | {"ValidateService": "Skipped"}
CUT_OFF = CAUGHT | {"ApplicationStart": "Failed"}
UNTOUCHED = dict.fromkeys(DONE, "Skipped")


@dataclass(frozen=True)
class Here:
    """An installation with an agent for each host, and a client of its API."""

    site: Site
    client: Any

    def stop(self, deployment_id: str, **wish: bool) -> dict[str, Any]:
        """Ask for a stop; what was answered."""
        told = self.client.stop_deployment(deploymentId=deployment_id, **wish)
        del told["ResponseMetadata"]
        return dict(told)

    def is_over(self, deployment_id: str, *, overview: dict[str, int] | None = None) -> dict[str, Any]:
        """The deployment once it was stopped: for that reason alone, with nothing to roll back, told of once, and with
        its group free for the next."""
        info = ended(self.client, deployment_id)
        assert (info["status"], info["errorInformation"]) == ("Stopped", STOPPED)
        assert "rollbackInfo" not in info
        assert {name: count for name, count in info["deploymentOverview"].items() if count} == (overview or {})
        assert self.site.world.store.running(self.group_id(info)) is None

        def ends() -> list[HappeningType]:
            told = [told for _, told in self.site.world.store.history(limit=5000)]
            return [each.type for each in told if each.deployment_id == deployment_id and each.type in TERMINAL]

        wait_until(ends, "the terminal event")
        assert ends() == [HappeningType.DEPLOYMENT_STOP]
        return info

    def group_id(self, info: dict[str, Any]) -> str:
        """The id of a deployment's group, which also says that it remembers the attempt if it began."""
        names = {"applicationName": "app", "deploymentGroupName": info["deploymentGroupName"]}
        group = self.client.get_deployment_group(**names)["deploymentGroupInfo"]
        if "startTime" in info:
            last = group["lastAttemptedDeployment"]
            assert (last["deploymentId"], last["status"]) == (info["deploymentId"], "Stopped")
        return str(group["deploymentGroupId"])

    def hosts(self, deployment_id: str, *, of: dict[str, dict[str, str]]) -> list[str]:
        """The statuses of the hosts in their names' order; each must have gone through the events of its status."""
        found = targets(self.client, deployment_id)
        for target in found.values():
            assert events(target) == of[target["status"]]
        return [found[host]["status"] for host in sorted(found)]


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    with api_site() as (site, url), boto(url, make_key(site)) as client:
        site.start("control")
        site.start("watch")
        site.start("trigger")
        site.register(HOSTS)
        for host in HOSTS:
            site.agent(host)
        wait_until(lambda: all(site.world.store.seen(HOSTS)), "the agents' hello")
        yield Here(site, client)


def holding(folder: Path) -> Path:
    """A revision whose ApplicationStart, on each host, says that it is there and waits for the file `go`, or one for
    that host alone."""
    here = folder.parent
    hook = (
        f'host=$(basename "$(dirname "$SLIPWAY_ROOT")"); touch "{here}/$host"; '
        f'until [ -e "{here}/go" ] || [ -e "{here}/go-$host" ]; do sleep 0.05; done'
    )
    return write_revision(folder, {"ApplicationStart": hook, "ValidateService": "true"}, {f"{here.name}": "1"})


def at_work(folder: Path, *hosts: str) -> None:
    """Wait until the hook runs on these hosts."""
    for host in hosts:
        wait_until((folder / host).exists, f"the hook on {host}")


def test_in_the_middle_of_a_hook_while_others_wait(here: Here, tmp_path: Path) -> None:
    """The hook ends well, and is the last."""
    here.site.group("one-by-one", config=ONE_AT_A_TIME)
    deployment_id = here.site.deploy(holding(tmp_path / "v1"), group="one-by-one")
    at_work(tmp_path, "web-1")
    assert here.stop(deployment_id) == {
        "status": "Pending",
        "statusMessage": "No more lifecycle events are started; those that run may end.",
    }
    assert here.client.get_deployment(deploymentId=deployment_id)["deploymentInfo"]["status"] == "InProgress"
    (tmp_path / "go").touch()
    info = here.is_over(deployment_id, overview={"Failed": 1, "Skipped": 3})
    assert here.hosts(deployment_id, of={"Failed": CAUGHT, "Skipped": UNTOUCHED}) == ["Failed", *["Skipped"] * 3]
    assert info["completeTime"] >= info["startTime"]


def test_in_the_middle_of_a_batch(here: Here, tmp_path: Path) -> None:
    """One host is done, the one that took its place and another are at work, the last one waits."""
    here.site.group("by-halves", config=HALF_AT_A_TIME)
    deployment_id = here.site.deploy(holding(tmp_path / "v1"), group="by-halves")
    at_work(tmp_path, "web-1", "web-2")
    (tmp_path / "go-web-1").touch()
    at_work(tmp_path, "web-3")
    here.stop(deployment_id)
    (tmp_path / "go").touch()
    here.is_over(deployment_id, overview={"Succeeded": 1, "Failed": 2, "Skipped": 1})
    statuses = here.hosts(deployment_id, of={"Succeeded": DONE, "Failed": CAUGHT, "Skipped": UNTOUCHED})
    assert statuses == ["Succeeded", "Failed", "Failed", "Skipped"]
    assert not (tmp_path / "web-4").exists()


def test_now_ends_the_scripts_that_run(here: Here, tmp_path: Path) -> None:
    here.site.group("now", config=ALL_AT_ONCE)
    deployment_id = here.site.deploy(holding(tmp_path / "v1"), group="now")
    at_work(tmp_path, *HOSTS)
    here.stop(deployment_id)
    here.site.slipway("stop", deployment_id, "--now")
    here.is_over(deployment_id, overview={"Failed": 4})
    was_cut_off(here, deployment_id)


def was_cut_off(here: Here, deployment_id: str) -> None:
    """The hook of each host was ended by the stop."""
    assert here.hosts(deployment_id, of={"Failed": CUT_OFF}) == ["Failed"] * 4
    for target in targets(here.client, deployment_id).values():
        (cut,) = (each for each in target["lifecycleEvents"] if each["status"] == "Failed")
        problem = cut["diagnostics"]
        script = "scripts/ApplicationStart.sh"
        assert (problem["errorCode"], problem["scriptName"]) == ("ScriptFailed", script)
        assert problem["message"].startswith(f"script {script} did not complete: it was stopped with the deployment")


def test_by_message_with_all_that_it_may_say(here: Here, tmp_path: Path) -> None:
    """The running hooks are ended, and the group's own rule, to roll back on a stop, does not count."""
    rollback = {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_REQUEST"]}
    here.site.group("by-message", config=ALL_AT_ONCE, auto_rollback_configuration=rollback)
    good = here.site.deploy(write_revision(tmp_path / "v0", {}, {f"{tmp_path.name}": "0"}), group="by-message")
    assert ended(here.client, good)["status"] == "Succeeded"
    deployment_id = here.site.deploy(holding(tmp_path / "v1"), group="by-message")
    at_work(tmp_path, *HOSTS)
    message = {"operation": "StopDeployment", "deploymentId": deployment_id, "now": True, "autoRollbackEnabled": False}
    broker = redis.Redis.from_url(plain(here.site.settings.broker_url), socket_timeout=60)
    broker.lpush("slipway.trigger", json.dumps({**message, "replyTo": "answers.stop"}))
    answered: Any = broker.brpop(["answers.stop"], timeout=30)
    assert answered, "no answer on answers.stop"
    assert json.loads(answered[1]) == {"deploymentId": deployment_id, "status": "Pending"}
    here.is_over(deployment_id, overview={"Failed": 4})
    was_cut_off(here, deployment_id)
    names = {"applicationName": "app", "deploymentGroupName": "by-message"}
    assert set(here.client.list_deployments(**names)["deployments"]) == {good, deployment_id}


def test_while_queued_and_with_nothing_begun(here: Here, tmp_path: Path) -> None:
    here.site.group("queued", config=ALL_AT_ONCE, busy=Busy.QUEUE)
    revision = holding(tmp_path / "v1")
    first, second, third = (here.site.deploy(revision, group="queued") for _ in range(3))
    assert here.stop(second)["status"] == "Succeeded"
    (tmp_path / "go").touch()
    for each in (first, third):
        assert ended(here.client, each)["status"] == "Succeeded"
    assert "startTime" not in here.is_over(second)


def test_before_it_begins(here: Here, tmp_path: Path) -> None:
    here.site.group("early")
    here.site.end("control")
    deployment_id = here.site.deploy(write_revision(tmp_path / "v1", {}), group="early")
    assert here.stop(deployment_id)["status"] == "Succeeded"
    here.site.start("control")
    here.is_over(deployment_id)
    after = here.site.deploy(write_revision(tmp_path / "v1", {}, {"early.txt": ""}), group="early")
    assert ended(here.client, after)["status"] == "Succeeded"


def test_an_agent_that_is_away_is_not_waited_for(here: Here, tmp_path: Path) -> None:
    """What waits for it is taken back, so that it begins nothing of the stopped deployment once it returns."""
    here.site.end("agent-web-2")
    here.site.group("away", config=ALL_AT_ONCE)
    stopped = here.site.deploy(holding(tmp_path / "v1"), group="away")
    at_work(tmp_path, "web-1", "web-3", "web-4")
    here.stop(stopped)
    (tmp_path / "go").touch()
    here.is_over(stopped, overview={"Failed": 3, "Skipped": 1})
    statuses = here.hosts(stopped, of={"Failed": CAUGHT, "Skipped": UNTOUCHED})
    assert statuses == ["Failed", "Skipped", "Failed", "Failed"]
    here.site.agent("web-2")
    after = here.site.deploy(write_revision(tmp_path / "v2", {}, {"after.txt": ""}), group="away")
    assert ended(here.client, after)["status"] == "Succeeded"
    assert not (tmp_path / "web-2").exists()


def test_what_has_ended_or_never_was_cannot_be_stopped(here: Here, tmp_path: Path) -> None:
    here.site.group("late")
    deployment_id = here.site.deploy(write_revision(tmp_path / "v1", {}, {"late.txt": ""}), group="late")
    assert ended(here.client, deployment_id)["status"] == "Succeeded"
    with pytest.raises(here.client.exceptions.DeploymentAlreadyCompletedException):
        here.stop(deployment_id)
    with pytest.raises(here.client.exceptions.DeploymentDoesNotExistException):
        here.stop("d-NOTTHERE0")
