"""Alarms that stop deployments, end to end: real processes, moto's CloudWatch, a small server of the test that answers
as Prometheus does, and one that is checked by HTTP. What people see is read with boto3."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from domain.configs import ALL_AT_ONCE
from tests.alarm_places import Server, put_alarm, server, set_alarm, vector
from tests.aws import FakeAws, fake_aws
from tests.services import free_port
from tests.site import Site, wait_until, write_revision
from tests.stories.api_process import boto, ended, is_ready, make_key, targets

HOSTS = ("web-1", "web-2", "web-3")
ROLE = "arn:aws:iam::111122223333:role/deployer"
NAMED = {"applicationName": "app", "deploymentGroupName": "web"}
LIMITS = {"alarm_seconds": 0.5, "alarm_patience_seconds": 2}
CLOUDWATCH, PROMETHEUS, CHECK = "shop errors", "error-rate", "shop-health"


@dataclass
class Scene:
    """An installation with a group of three hosts that has been deployed to, its alarms, and a client of the API."""

    site: Site
    client: Any
    aws: FakeAws
    prometheus: Server
    shop: Server
    folder: Path

    def watch(self, *names: str, **more: object) -> None:
        """The group watches these alarms from now on."""
        watched = {"enabled": True, "alarms": [{"name": name} for name in names], **more}
        self.client.update_deployment_group(
            applicationName="app", currentDeploymentGroupName="web", alarmConfiguration=watched
        )

    def deploy(self, **more: object) -> str:
        return str(self.client.create_deployment(**NAMED, deploymentMode="RESTART", **more)["deploymentId"])

    def begun(self, **more: object) -> str:
        """A deployment with two hosts at work, in a hook that waits; the third has not begun."""
        self.hold.touch()
        deployment_id = self.deploy(**more)
        wait_until(lambda: len(list(self.folder.glob("web-*"))) == 2, "two hooks")
        return deployment_id

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
        site.group("web", config=ALL_AT_ONCE)
        wait_until(lambda: is_ready(f"http://127.0.0.1:{port}"), "the API")
        client = stack.enter_context(boto(f"http://127.0.0.1:{port}", make_key(site)))
        scene = Scene(site, client, aws, prometheus, shop, tmp_path_factory.mktemp("alarms"))
        wait_until(lambda: all(site.world.store.seen(HOSTS)), "the agents' hello")
        assert site.ended(site.deploy(revision(scene))).status == "Succeeded"
        two_at_once = {"type": "HOST_COUNT", "value": 1}
        client.create_deployment_config(deploymentConfigName="two", minimumHealthyHosts=two_at_once)
        client.update_deployment_group(
            applicationName="app", currentDeploymentGroupName="web", deploymentConfigName="two"
        )
        yield scene


def revision(scene: Scene) -> Path:
    """Its ApplicationStart says where it is and waits while the file `hold` is there."""
    began = f'if [ -e "{scene.hold}" ]; then touch "{scene.folder}/$(basename "$(dirname "$SLIPWAY_ROOT")")"; fi'
    hook = f'{began}; while [ -e "{scene.hold}" ]; do sleep 0.05; done'
    return write_revision(scene.folder / "v1", {"ApplicationStart": hook, "ValidateService": "true"})


@pytest.fixture
def scene(place: Scene) -> Iterator[Scene]:
    """All is well, and no hook waits."""
    put_alarm(place.aws, CLOUDWATCH)
    place.prometheus.status, place.prometheus.body = 200, vector("0.01")
    place.shop.status = 200
    for left in place.folder.glob("web-*"):
        left.unlink()
    place.watch(CLOUDWATCH, PROMETHEUS, CHECK)
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
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert info["errorInformation"]["message"].endswith(f"Activated alarms: <{named}>")
    (told,) = info["deploymentStatusMessages"]
    assert told.startswith(f"The alarm {named} is active: ")
    assert detail in told
    counts = {name: count for name, count in info["deploymentOverview"].items() if count}
    assert counts == {"Failed": 2, "Skipped": 1}
    targets = scene.targets(deployment_id)
    (waiting,) = (host for host, target in targets.items() if target["status"] == "Skipped")
    assert not (scene.folder / waiting).exists()
    for host, target in targets.items():
        events = {event["lifecycleEventName"]: event["status"] for event in target["lifecycleEvents"]}
        started = "Skipped" if host == waiting else "Succeeded"
        assert (target["status"], events["ApplicationStart"]) == ("Skipped" if host == waiting else "Failed", started)
        assert events["ValidateService"] == "Skipped"


def test_one_that_is_active_already_ends_it_before_a_target_is_touched(scene: Scene) -> None:
    fire_cloudwatch(scene)
    scene.hold.touch()
    deployment_id = scene.deploy()
    info = scene.ended(deployment_id)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert f"<{CLOUDWATCH}>" in info["errorInformation"]["message"]
    assert "startTime" not in info
    assert not any(info["deploymentOverview"].values())
    assert not list(scene.folder.glob("web-*"))
    scene.release()
    mended = scene.deploy(overrideAlarmConfiguration={"enabled": False, "alarms": []})
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
        assert "as ignorePollAlarmFailure says" in info["deploymentStatusMessages"][0]
    else:
        assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
        assert f"'{PROMETHEUS}': Prometheus does not answer the query" in info["errorInformation"]["message"]
        assert "<" not in info["errorInformation"]["message"]


def test_commands_make_a_group_watch_and_deploy_all_the_same(scene: Scene) -> None:
    fire_cloudwatch(scene)
    scene.site.slipway("create-group", "app", "alarmed", "--tag", "role=web", "--alarm", CLOUDWATCH)
    told = scene.client.get_deployment_group(applicationName="app", deploymentGroupName="alarmed")
    assert told["deploymentGroupInfo"]["alarmConfiguration"] == {"enabled": True, "alarms": [{"name": CLOUDWATCH}]}
    place = ("--group", "app/alarmed", "--in-place-source", "--file-exists-behavior", "overwrite", "--watch")
    deploy = ("deploy", str(scene.folder / "v1"), *place)
    stopped = scene.site.slipway(*deploy, check=False)
    assert stopped.returncode == 1
    assert f"<{CLOUDWATCH}>" in stopped.stdout
    assert scene.site.slipway(*deploy, "--without-alarms").returncode == 0
