"""Alarms that stop deployments, end to end: real processes, moto's CloudWatch, a small server of the test that answers
as Prometheus does, and one that is checked by HTTP. What people see is read with boto3."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from domain.configs import HALF_AT_A_TIME
from tests.alarm_places import Server, put_alarm, server, set_alarm, vector
from tests.aws import FakeAws, fake_aws
from tests.services import free_port
from tests.site import Site, wait_until, write_revision
from tests.stories.api_process import boto, ended, events, is_ready, make_key, targets

HOSTS = ("web-1", "web-2", "web-3", "web-4")
ROLE = "arn:aws:iam::111122223333:role/deployer"
ROLLBACK = {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_ALARM"]}
EVENTS = (
    *("ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall"),
    *("ApplicationStart", "ValidateService"),
)
EVENTS_OF_A_RESTART = ("ApplicationStop", "ApplicationStart", "ValidateService")
LIMITS = {"alarm_seconds": 0.5, "alarm_patience_seconds": 2}
CLOUDWATCH, PROMETHEUS, CHECK = "shop errors", "error-rate", "shop-health"


@dataclass
class Scene:
    """An installation with two groups of four hosts that have been deployed to, their alarms, and a client of the API.
    The group `halves` rolls back what an alarm stops, `web` does not."""

    site: Site
    client: Any
    aws: FakeAws
    prometheus: Server
    shop: Server
    folder: Path

    def watch(self, *names: str, group: str = "web", **more: object) -> None:
        """A group watches these alarms from now on."""
        watched = {"enabled": True, "alarms": [{"name": name} for name in names], **more}
        self.client.update_deployment_group(
            applicationName="app", currentDeploymentGroupName=group, alarmConfiguration=watched
        )

    def deploy(self, group: str = "web", **more: object) -> str:
        named = {"applicationName": "app", "deploymentGroupName": group}
        return str(self.client.create_deployment(**named, deploymentMode="RESTART", **more)["deploymentId"])

    def begun(self) -> str:
        """A deployment with half of the hosts at work, in a hook that waits; the others have not begun."""
        self.hold.touch()
        deployment_id = self.deploy()
        self.until_half_wait()
        return deployment_id

    def until_half_wait(self) -> None:
        wait_until(lambda: len(self.waiting()) == 2, "two hooks")

    def waiting(self) -> set[str]:
        """The hosts with a hook that came so far as to wait."""
        return {found.name for found in self.folder.glob("web-*")}

    @property
    def hold(self) -> Path:
        """While this is there, hooks wait."""
        return self.folder / "hold"

    def release(self) -> None:
        self.hold.unlink()

    def is_stopping(self, deployment_id: str) -> bool:
        held = self.site.world.store.deployment(deployment_id)
        return held is not None and held.stopping is not None

    def ended(self, deployment_id: str) -> dict[str, Any]:
        return ended(self.client, deployment_id)

    def targets(self, deployment_id: str) -> dict[str, Any]:
        return targets(self.client, deployment_id)

    def looks(self, more: int = 1) -> None:
        """Wait for looks at Prometheus."""
        before = len(self.prometheus.asked)
        wait_until(lambda: len(self.prometheus.asked) >= before + more, f"{more} looks")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    port = free_port()
    with ExitStack() as stack:
        aws = stack.enter_context(fake_aws())
        prometheus, shop = stack.enter_context(server()), stack.enter_context(server())
        alarms = {
            PROMETHEUS: {"kind": "prometheus", "url": prometheus.url, "query": "error_ratio", "above": 0.05},
            CHECK: {"kind": "http", "url": f"{shop.url}/health", "failures": 2},
        }
        environment = {"SLIPWAY_API__KEY": "key", "SLIPWAY_API__PORT": str(port), "SLIPWAY_ALARMS": json.dumps(alarms)}
        site = stack.enter_context(Site(limits=LIMITS, **environment, **aws.environment))
        for process in ("control", "watch", "api"):
            site.start(process)
        for host in HOSTS:
            site.agent(host)
        site.register(HOSTS)
        site.group("web", config=HALF_AT_A_TIME)
        site.group("halves", config=HALF_AT_A_TIME, auto_rollback_configuration=ROLLBACK)
        wait_until(lambda: is_ready(f"http://127.0.0.1:{port}"), "the API")
        client = stack.enter_context(boto(f"http://127.0.0.1:{port}", make_key(site)))
        scene = Scene(site, client, aws, prometheus, shop, tmp_path_factory.mktemp("alarms"))
        wait_until(lambda: all(site.world.store.seen(HOSTS)), "the agents' hello")
        for name in ("web", "halves"):
            assert site.ended(site.deploy(revision(scene, name), group=name)).status == "Succeeded"
        yield scene


def revision(scene: Scene, group: str, version: str = "v1") -> Path:
    """Of a file of the group's own. Its ApplicationStart says where it is and waits while the file `hold` is there."""
    began = f'if [ -e "{scene.hold}" ]; then touch "{scene.folder}/$(basename "$(dirname "$SLIPWAY_ROOT")")"; fi'
    hook = f'{began}; while [ -e "{scene.hold}" ]; do sleep 0.05; done'
    hooks = {"ApplicationStart": hook, "ValidateService": "true"}
    return write_revision(scene.folder / group / version, hooks, {f"{group}.txt": version})


def on_disk(scene: Scene, group: str) -> dict[str, str]:
    return {host: (scene.site.root(host) / "app" / f"{group}.txt").read_text() for host in HOSTS}


@pytest.fixture
def scene(place: Scene) -> Iterator[Scene]:
    """All is well, and no hook waits."""
    put_alarm(place.aws, CLOUDWATCH)
    place.prometheus.status, place.prometheus.body = 200, vector("0.01")
    place.shop.status = 200
    for left in place.folder.glob("web-*"):
        left.unlink()
    for group in ("web", "halves"):
        place.watch(CLOUDWATCH, PROMETHEUS, CHECK, group=group)
    yield place
    place.hold.unlink(missing_ok=True)


def fire_cloudwatch(scene: Scene) -> None:
    set_alarm(scene.aws, CLOUDWATCH, "ALARM")


def fire_prometheus(scene: Scene) -> None:
    scene.prometheus.body = vector("0.01", "0.27")


def fail_check(scene: Scene) -> None:
    scene.shop.status = 503


@pytest.mark.parametrize(
    ("fire", "named", "detail"),
    [
        (fire_cloudwatch, CLOUDWATCH, "a test says ALARM"),
        (fire_prometheus, PROMETHEUS, "0.27 is above 0.05"),
        (fail_check, CHECK, "it answers with the status 503, not 200"),
    ],
)
def test_one_that_fires_in_the_middle_stops_the_deployment(
    scene: Scene, fire: Callable[[Scene], None], named: str, detail: str
) -> None:
    deployment_id = scene.begun()
    fire(scene)
    wait_until(lambda: scene.is_stopping(deployment_id), "the stop")
    scene.release()
    info = scene.ended(deployment_id)
    assert (info["status"], info["errorInformation"]) == ("Stopped", active(named))
    assert "rollbackInfo" not in info
    (told,) = info["deploymentStatusMessages"]
    assert told.startswith(f"The alarm {named} is active: ")
    assert detail in told
    counts = {name: count for name, count in info["deploymentOverview"].items() if count}
    assert counts == {"Failed": 2, "Skipped": 2}
    caught(scene, deployment_id, EVENTS_OF_A_RESTART)


def active(name: str) -> dict[str, str]:
    """The errorInformation of what an alarm has stopped."""
    message = f"One or more alarms are active, so the deployment was stopped. Activated alarms: <{name}>"
    return {"code": "ALARM_ACTIVE", "message": message}


def caught(scene: Scene, deployment_id: str, expected: Sequence[str]) -> None:
    """Two hosts ended the hook in which the stop caught them, and began nothing after it; the others began nothing."""
    finished = {event: "Skipped" if event == "ValidateService" else "Succeeded" for event in expected}
    skipped = dict.fromkeys(expected, "Skipped")
    began = scene.waiting()
    assert len(began) == 2
    for host, target in scene.targets(deployment_id).items():
        outcome = ("Failed", finished) if host in began else ("Skipped", skipped)
        assert (target["status"], events(target)) == outcome, host


def test_what_one_stops_in_the_middle_is_rolled_back_where_it_was_felt(scene: Scene) -> None:
    """The alarm fires on: a rollback does not watch it."""
    scene.hold.touch()
    deployment_id = scene.site.deploy(revision(scene, "halves", "v2"), group="halves")
    scene.until_half_wait()
    touched = scene.waiting()
    assert on_disk(scene, "halves") == {host: "v2" if host in touched else "v1" for host in HOSTS}
    fire_cloudwatch(scene)
    wait_until(lambda: scene.is_stopping(deployment_id), "the stop")
    scene.release()
    stopped = scene.ended(deployment_id)
    back_id = stopped["rollbackInfo"]["rollbackDeploymentId"]
    back = scene.ended(back_id)

    message = f"The deployment {deployment_id} ended as Stopped; the deployment {back_id} rolls it back."
    assert (stopped["status"], stopped["creator"]) == ("Stopped", "user")
    assert stopped["errorInformation"] == active(CLOUDWATCH)
    assert stopped["rollbackInfo"] == {"rollbackDeploymentId": back_id, "rollbackMessage": message}
    assert (back["status"], back["creator"]) == ("Succeeded", "codeDeployRollback")
    assert "errorInformation" not in back
    assert back["rollbackInfo"] == {"rollbackTriggeringDeploymentId": deployment_id, "rollbackMessage": message}

    caught(scene, deployment_id, EVENTS)
    returned = scene.targets(back_id)
    assert set(returned) == touched
    for target in returned.values():
        assert (target["status"], events(target)) == ("Succeeded", dict.fromkeys(EVENTS, "Succeeded"))
    assert on_disk(scene, "halves") == dict.fromkeys(HOSTS, "v1")


NOTHING = "There is nothing to roll back: the deployment ended before it touched an instance."


@pytest.mark.parametrize(
    ("group", "rollback"),
    [("web", None), ("halves", {"rollbackMessage": NOTHING})],
)
def test_one_that_is_active_already_ends_it_before_a_target_is_touched(
    scene: Scene, group: str, rollback: object
) -> None:
    fire_cloudwatch(scene)
    scene.hold.touch()
    deployment_id = scene.deploy(group)
    info = scene.ended(deployment_id)
    assert (info["status"], info["errorInformation"]) == ("Stopped", active(CLOUDWATCH))
    assert info.get("rollbackInfo") == rollback
    assert "startTime" not in info
    assert not any(info["deploymentOverview"].values())
    assert not scene.waiting()
    scene.release()
    mended = scene.deploy(group, overrideAlarmConfiguration={"enabled": False, "alarms": []})
    assert scene.ended(mended)["status"] == "Succeeded"


def test_a_source_that_is_away_for_a_moment_stops_nothing(scene: Scene) -> None:
    deployment_id = scene.begun()
    scene.prometheus.status = 503
    scene.looks()
    scene.prometheus.status = 200
    scene.looks(2)
    scene.release()
    info = scene.ended(deployment_id)
    assert info["status"] == "Succeeded"
    assert not info.get("deploymentStatusMessages")


def test_while_the_state_of_an_alarm_is_not_known_the_deployment_says_what_it_waits_for(scene: Scene) -> None:
    scene.watch(PROMETHEUS)
    scene.prometheus.status = 503
    deployment_id = scene.deploy()

    def waiting() -> dict[str, Any] | None:
        info: dict[str, Any] = scene.client.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        return info if "deploymentStatusMessages" in info or "completeTime" in info else None

    info = wait_until(waiting, "the reason")
    assert info["status"] == "Created"
    (told,) = info["deploymentStatusMessages"]
    assert told.startswith("The deployment does not begin before its alarms are known: ")
    scene.prometheus.status = 200
    info = scene.ended(deployment_id)
    assert info["status"] == "Succeeded"
    assert "deploymentStatusMessages" not in info


UNREADABLE = {
    "code": "ALARM_ACTIVE",
    "message": f"The deployment was stopped, for the state of its alarms cannot be read: '{PROMETHEUS}': Prometheus "
    "does not answer the query as it should (503). Mend that, or set ignorePollAlarmFailure to deploy "
    "all the same.",
}


@pytest.mark.parametrize("ignored", [False, True])
def test_a_source_that_stays_away(scene: Scene, ignored: bool) -> None:
    scene.watch(PROMETHEUS, ignorePollAlarmFailure=ignored)
    deployment_id = scene.begun()
    scene.prometheus.status = 503

    def noticed() -> bool:
        held = scene.site.world.store.deployment(deployment_id)
        return held is not None and bool(held.stopping or held.status_messages)

    wait_until(noticed, "the end of patience")
    scene.release()
    info = scene.ended(deployment_id)
    if ignored:
        assert info["status"] == "Succeeded"
        assert "rollbackInfo" not in info
        assert "as ignorePollAlarmFailure says" in info["deploymentStatusMessages"][0]
    else:
        assert (info["status"], info["errorInformation"]) == ("Stopped", UNREADABLE)
        assert "rollbackInfo" not in info


def test_commands_make_a_group_watch_and_deploy_all_the_same(scene: Scene) -> None:
    fire_cloudwatch(scene)
    scene.site.slipway("create-group", "app", "alarmed", "--tag", "role=web", "--alarm", CLOUDWATCH)
    told = scene.client.get_deployment_group(applicationName="app", deploymentGroupName="alarmed")
    assert told["deploymentGroupInfo"]["alarmConfiguration"] == {"enabled": True, "alarms": [{"name": CLOUDWATCH}]}
    place = ("--group", "app/alarmed", "--in-place-source", "--file-exists-behavior", "overwrite", "--watch")
    deploy = ("deploy", str(scene.folder / "web" / "v1"), *place)
    stopped = scene.site.slipway(*deploy, check=False)
    assert stopped.returncode == 1
    assert f"<{CLOUDWATCH}>" in stopped.stdout
    assert scene.site.slipway(*deploy, "--without-alarms").returncode == 0
