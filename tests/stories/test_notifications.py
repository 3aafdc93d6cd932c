"""Notifications end to end: real processes, topics of a server that speaks like SNS, and a receiver of webhooks. What
is told is what happened, in order, once or again under the same id; and nobody waits for who does not listen."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.operations.groups import update_deployment_group
from domain.channels import ChannelState
from domain.configs import ALL_AT_ONCE, ONE_AT_A_TIME
from domain.deployments import Deployment, DeploymentStatus, WaitType
from domain.group_options import TriggerConfig
from domain.happenings import TRIGGER_EVENTS, Happening
from domain.lifecycle import TABLE
from domain.reports import EventStatus
from tasks.steering import go_on, stop
from tests.aws import FakeAws, fake_aws
from tests.balancers import serving
from tests.receivers import SECRET, Inbox, Receiver, receiving
from tests.site import Site, wait_until, write_revision
from workers.wiring import make_site

HOSTS = ("web-1", "web-2")
ORDER = [row.event for row in TABLE]
EVERYTHING = tuple(sorted(kind.value for kind in TRIGGER_EVENTS))
SUCCEEDS = frozenset({"DeploymentStart", "InstanceStart", "InstanceSuccess", "DeploymentSuccess"})
FAILS = frozenset({"DeploymentStart", "InstanceStart", "InstanceFailure", "DeploymentFailure"})
IS_STOPPED = frozenset({"DeploymentStart", "InstanceStart", "InstanceFailure", "DeploymentStop"})
ROLLS_BACK = SUCCEEDS | {"DeploymentRollback"}
IS_READY_BETWEEN = SUCCEEDS | {"DeploymentReady", "InstanceReady"}
"""What a topic hears of each story, by the types of its events."""
MOST_SECONDS = 60
"""The longest that an answer of a receiver can be waited for."""
FEW = ("DeploymentFailure", "DeploymentRollback")


@dataclass
class Gate:
    """Stands before AWS; while it is shut, nobody hears of SNS: connections stay open and nothing comes back."""

    aws: FakeAws
    opened: threading.Event = field(default_factory=threading.Event)
    asked: int = 0

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if "/sns/aws4_request" in request.headers["Authorization"] and not self.opened.is_set():
            self.asked += 1
            self.opened.wait(60)
            request.close_connection = True
            return
        behind = HTTPConnection(urlsplit(self.aws.url).netloc)
        with contextlib.closing(behind):
            behind.request("POST", request.path, body, dict(request.headers))
            answer = behind.getresponse()
            content = answer.read()
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "transfer-encoding", "content-length", "server", "date"}:
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


@contextlib.contextmanager
def gated(aws: FakeAws) -> Iterator[tuple[Gate, str]]:
    gate = Gate(aws)
    gate.opened.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with contextlib.suppress(ConnectionError):
                gate.pass_on(self)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with serving(Handler) as url:
        yield gate, url
        gate.opened.set()


class Obedient(BaseHTTPRequestHandler):
    """A load balancer that has always done already what it is asked for."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "14")
        self.end_headers()
        self.wfile.write(b'{"done": true}')

    def log_message(self, *_: object) -> None:
        """Nothing."""


@dataclass
class Scene:
    """An installation, a topic for all events, one for a few, a receiver, and one that is waited for as long as an
    installation can wait."""

    site: Site
    gate: Gate
    all: Inbox
    few: Inbox
    chat: Receiver
    patient: Receiver

    def group(self, name: str, *, config: str = ONE_AT_A_TIME, **more: object) -> None:
        triggers = [
            TriggerConfig(trigger_name="all", trigger_target_arn=self.all.arn, trigger_events=EVERYTHING),
            TriggerConfig(trigger_name="few", trigger_target_arn=self.few.arn, trigger_events=FEW),
        ]
        about = {"trigger_configurations": triggers, "file_exists_behavior": "OVERWRITE", **more}
        self.site.group(name, config=config, **about)  # type: ignore[arg-type]

    def told(self, deployment_id: str) -> list[Happening]:
        """What happened to a deployment."""
        history = self.site.world.store.history(limit=5000)
        return [each for _, each in history if each.deployment_id == deployment_id]

    def heard(self, inbox: Inbox, deployment_id: str) -> list[dict[str, Any]]:
        """What came to a topic about a deployment."""
        return [each for each in inbox.read() if deployment_id in each["MessageAttributes"]["eventId"]["Value"]]

    def kinds(self, deployment_id: str) -> set[str]:
        """The types of the events that the topic for all has heard of a deployment."""
        return {each["MessageAttributes"]["eventType"]["Value"] for each in self.heard(self.all, deployment_id)}

    def taken(self, deployment_id: str) -> list[str]:
        """What the receiver took about a deployment."""
        return [each for each in self.chat.taken() if each.startswith(f"{deployment_id}:")]

    def until_told(self) -> None:
        wait_until(self.site.all_told, "all to be told", limit=30)

    def channel(self, name: str) -> ChannelState:
        return next(state for state in self.site.world.store.channels() if state.name == name)


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with (
        fake_aws() as aws,
        gated(aws) as (gate, url),
        receiving() as chat,
        receiving() as patient,
        serving(Obedient) as balancer,
    ):
        keys = {**aws.environment, "SLIPWAY_AWS__ENDPOINT_URL": url}
        hooks = {
            "chat": {"url": chat.url, "secret": SECRET, "seconds": 1},
            "patient": {"url": patient.url, "secret": SECRET, "seconds": MOST_SECONDS},
        }
        edge = {"kind": "webhook", "url": balancer, "secret": SECRET}
        others = {
            "SLIPWAY_PUBLISHERS__WEBHOOKS": json.dumps(hooks),
            "SLIPWAY_LOAD_BALANCERS": json.dumps({"edge": edge}),
        }
        with Site(limits={}, **keys, **others) as site:
            site.start("control")
            site.start("watch")
            site.register(HOSTS)
            site.register(["green-1"], role="green")
            for host in (*HOSTS, "green-1"):
                site.agent(host)
            wait_until(lambda: all(site.world.store.seen([*HOSTS, "green-1"])), "the agents' hello")
            yield Scene(site, gate, Inbox(aws, "all"), Inbox(aws, "few"), chat, patient)


def java(at: float | None) -> str | None:
    return datetime.fromtimestamp(at, UTC).strftime("%a %b %d %H:%M:%S UTC %Y") if at is not None else None


def ids(happenings: Sequence[Happening]) -> list[str]:
    return [happening.event_id for happening in happenings]


def check_deployment(scene: Scene, deployment: Deployment, message: dict[str, Any], word: str, **more: object) -> None:
    """A message about a deployment, field by field. `more` are its last members, as values; in a message JSON text."""
    group, name = deployment.deployment_group_name, deployment.deployment_id
    content = json.loads(message["Message"])
    nested = {key: json.loads(value) for key, value in content.items() if key in more}
    final = word in {"SUCCEEDED", "FAILED", "ABORTED"}
    assert message["Subject"] == f"{word}: AWS CodeDeploy {name} in us-east-1 to app"
    assert {**content, **nested} == {
        "region": "us-east-1",
        "accountId": "000000000000",
        "eventTriggerName": "all",
        "applicationName": "app",
        "deploymentId": name,
        "deploymentGroupName": group,
        "createTime": java(deployment.create_time),
        "completeTime": java(deployment.complete_time) if final else None,
        "status": word,
        **more,
    }


def overview(**counts: int) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in ("Succeeded", "Failed", "Skipped", "InProgress", "Pending")}


def check_instance(scene: Scene, deployment: Deployment, message: dict[str, Any], host: str, word: str) -> None:
    """A message about a host, field by field against what the store has of it."""
    record = scene.site.world.store.target(deployment.deployment_id, host)
    assert record is not None
    content = json.loads(message["Message"])
    events = json.loads(content.pop("lifecycleEvents"))
    assert message["Subject"] == f"{word}: AWS CodeDeploy {deployment.deployment_id} in us-east-1 to app on {host}"
    (happened,) = [
        each
        for each in scene.told(deployment.deployment_id)
        if each.event_id == message["MessageAttributes"]["eventId"]["Value"]
    ]
    assert content == {
        "region": "us-east-1",
        "accountId": "000000000000",
        "eventTriggerName": "all",
        "deploymentId": deployment.deployment_id,
        "instanceId": record.target.arn,
        "lastUpdatedAt": java(happened.at),
        "instanceStatus": word,
    }
    if word in {"SUCCEEDED", "FAILED"}:
        assert events == [
            {
                "LifecycleEvent": event.value,
                "LifecycleEventStatus": held.status.value,
                "StartTime": java(held.start_time),
                "EndTime": java(held.end_time),
            }
            for event, held in sorted(record.events.items(), key=lambda each: ORDER.index(each[0]))
        ]
        assert len(events) >= 7
    elif word == "IN_PROGRESS":
        assert events == []


def held_back(folder: Path, version: str) -> Path:
    """A revision whose ApplicationStart waits for the file `go`."""
    return write_revision(folder / version, {"ApplicationStart": f'until [ -e "{folder}/go" ]; do sleep 0.05; done'})


def words(messages: Sequence[dict[str, Any]]) -> list[str]:
    return [message["Subject"].partition(":")[0] for message in messages]


def test_a_deployment_that_succeeds_field_by_field(scene: Scene, tmp_path: Path) -> None:
    scene.group("good")
    deployment = scene.site.ended(scene.site.deploy(write_revision(tmp_path / "v1", {}), group="good"))
    scene.until_told()
    created, *instances, last = scene.heard(scene.all, deployment.deployment_id)
    check_deployment(scene, deployment, created, "CREATED")
    for at, host in enumerate(HOSTS):
        check_instance(scene, deployment, instances[2 * at], host, "IN_PROGRESS")
        check_instance(scene, deployment, instances[2 * at + 1], host, "SUCCEEDED")
    check_deployment(scene, deployment, last, "SUCCEEDED", deploymentOverview=overview(Succeeded=2))
    assert scene.kinds(deployment.deployment_id) == SUCCEEDS
    assert scene.heard(scene.few, deployment.deployment_id) == []
    assert scene.taken(deployment.deployment_id) == ids(scene.told(deployment.deployment_id))


def test_one_that_fails(scene: Scene, tmp_path: Path) -> None:
    scene.group("bad", config=ALL_AT_ONCE)
    broken = write_revision(tmp_path / "v2", {"ValidateService": "exit 3"})
    deployment = scene.site.ended(scene.site.deploy(broken, group="bad"))
    scene.until_told()
    messages = scene.heard(scene.all, deployment.deployment_id)
    assert sorted(words(messages)) == ["CREATED", *["FAILED"] * 3, *["IN_PROGRESS"] * 2]
    assert scene.kinds(deployment.deployment_id) == FAILS
    why = deployment.error_information
    assert why is not None
    check_deployment(
        scene,
        deployment,
        messages[-1],
        "FAILED",
        deploymentOverview=overview(Failed=2),
        errorInformation={"ErrorCode": why.code.value, "ErrorMessage": why.message},
        rollbackInformation={},
    )
    failed = [each for each in messages if " on web-1" in each["Subject"]][-1]
    check_instance(scene, deployment, failed, "web-1", "FAILED")
    (few,) = scene.heard(scene.few, deployment.deployment_id)
    assert json.loads(few["Message"]) == {**json.loads(messages[-1]["Message"]), "eventTriggerName": "few"}


def test_one_that_is_stopped_and_its_rollback(scene: Scene, tmp_path: Path) -> None:
    events = ("DEPLOYMENT_STOP_ON_REQUEST",)
    scene.group("halted", auto_rollback_configuration={"enabled": True, "events": events})
    good = scene.site.ended(scene.site.deploy(write_revision(tmp_path / "v4", {}), group="halted"))
    assert good.status is DeploymentStatus.SUCCEEDED
    waiting = held_back(tmp_path, "v3")
    running = scene.site.deploy(waiting, group="halted")
    wait_until(lambda: scene.told(running)[-1].instance_id == "web-1", "the first host")
    stop(scene.site.world, running)
    (tmp_path / "go").touch()
    stopped = scene.site.ended(running)
    info = stopped.rollback_info
    assert info is not None
    assert info.rollback_deployment_id is not None
    back = info.rollback_deployment_id
    rolled_back = scene.site.ended(back)
    scene.until_told()
    assert scene.kinds(running) == IS_STOPPED
    assert scene.kinds(back) == ROLLS_BACK
    message = f"The deployment {running} ended as Stopped; the deployment {back} rolls it back."
    messages = scene.heard(scene.all, running)
    check_deployment(
        scene,
        stopped,
        messages[-1],
        "ABORTED",
        deploymentOverview=overview(Failed=1, Skipped=1),
        errorInformation={"ErrorCode": "MANUAL_STOP", "ErrorMessage": "The deployment was stopped by request."},
        rollbackInformation={"RollbackDeploymentId": back, "RollbackMessage": message},
    )
    # The host that was touched, and no other.
    heard = scene.heard(scene.all, back)
    changes, hosts = [each for each in heard if " on " not in each["Subject"]], heard[2:4]
    assert words(heard) == ["CREATED", "IN_PROGRESS", "IN_PROGRESS", "SUCCEEDED", "SUCCEEDED"]
    about = {"RollbackMessage": message, "RollbackTriggeringDeploymentId": running}
    check_deployment(scene, rolled_back, changes[0], "CREATED", rollbackInformation=about)
    check_deployment(scene, rolled_back, changes[1], "IN_PROGRESS", rollbackInformation=about)
    check_instance(scene, rolled_back, hosts[0], "web-1", "IN_PROGRESS")
    check_instance(scene, rolled_back, hosts[1], "web-1", "SUCCEEDED")
    counts = overview(Succeeded=1)
    check_deployment(scene, rolled_back, changes[2], "SUCCEEDED", deploymentOverview=counts, rollbackInformation=about)
    # Who wants to hear of rollbacks alone hears of every change of this one, and of the stop nothing.
    assert scene.heard(scene.few, running) == []
    few = [json.loads(each["Message"]) for each in scene.heard(scene.few, back)]
    assert few == [{**json.loads(each["Message"]), "eventTriggerName": "few"} for each in changes]


def test_one_from_blue_to_green_is_ready_between(scene: Scene, tmp_path: Path) -> None:
    scene.group(
        "next",
        config=ALL_AT_ONCE,
        deployment_style={"deployment_type": "BLUE_GREEN", "deployment_option": "WITH_TRAFFIC_CONTROL"},
        load_balancer_info={"target_group_info_list": [{"name": "edge"}]},
        blue_green_deployment_configuration={
            "deployment_ready_option": {"action_on_timeout": "STOP_DEPLOYMENT", "wait_time_in_minutes": 5},
            "terminate_blue_instances_on_deployment_success": {"action": "KEEP_ALIVE"},
            "green_fleet_provisioning_option": {"action": "DISCOVER_EXISTING"},
        },
    )
    green = {"tag_filters": [{"key": "role", "value": "green"}]}
    name = scene.site.deploy(write_revision(tmp_path / "v5", {}), group="next", target_instances=green)
    ready = wait_until(lambda: _in(scene.site, name, DeploymentStatus.READY), "the wait")
    go_on(scene.site.world, name, WaitType.READY_WAIT)
    deployment = scene.site.ended(name)
    assert deployment.status is DeploymentStatus.SUCCEEDED
    scene.until_told()
    messages = scene.heard(scene.all, name)
    between = [each for each in messages if words([each]) == ["READY"]]
    check_instance(scene, deployment, between[0], "green-1", "READY")
    check_deployment(scene, ready, between[1], "READY")
    done = [each for each in messages if each["Subject"].startswith("SUCCEEDED") and "on green-1" in each["Subject"]]
    check_instance(scene, deployment, done[0], "green-1", "SUCCEEDED")
    assert scene.kinds(name) == IS_READY_BETWEEN


def test_these_stories_hear_of_every_kind() -> None:
    """Each has compared what it heard."""
    assert set(EVERYTHING) == SUCCEEDS | FAILS | IS_STOPPED | ROLLS_BACK | IS_READY_BETWEEN


def _in(site: Site, name: str, status: DeploymentStatus) -> Deployment | None:
    found = site.world.store.deployment(name)
    return found if found and found.status is status else None


def test_a_topic_hears_that_its_trigger_was_stored(scene: Scene) -> None:
    scene.site.group("tested")
    given = {"triggerName": "mine", "triggerTargetArn": scene.few.arn, "triggerEvents": ["InstanceStart"]}
    update_deployment_group(
        make_site(scene.site.settings, scene.site.world),
        {"applicationName": "app", "currentDeploymentGroupName": "tested", "triggerConfigurations": [given]},
    )
    scene.until_told()
    message = scene.few.read()[-1]
    assert message["Subject"] == "TEST: AWS CodeDeploy trigger mine in us-east-1 to app"
    content = json.loads(message["Message"])
    assert (content["eventTriggerName"], content["deploymentGroupName"], content["status"]) == (
        "mine",
        "tested",
        "TEST",
    )


def test_while_topics_are_away_deployments_go_on_and_all_is_told_after(scene: Scene, tmp_path: Path) -> None:
    scene.group("deaf")
    scene.gate.opened.clear()
    names = [
        scene.site.ended(scene.site.deploy(write_revision(tmp_path / version, {}), group="deaf")).deployment_id
        for version in ("v6", "v7")
    ]
    expected = [happening for name in names for happening in scene.told(name)]
    assert {happening.type.value for happening in expected if happening.status == "Succeeded"} == {
        "DeploymentSuccess",
        "InstanceSuccess",
    }
    for channel in ("exchange", "webhook:chat"):
        wait_until(lambda name=channel: scene.channel(name).waiting == 0, f"{channel} to hear all", limit=10)  # type: ignore[misc]
    wait_until(lambda: scene.gate.asked, "somebody to ask SNS")
    assert scene.channel("sns").waiting >= len(expected)
    assert [each for name in names for each in scene.heard(scene.all, name)] == []
    scene.gate.opened.set()
    scene.until_told()
    came = [each["MessageAttributes"]["eventId"]["Value"] for name in names for each in scene.heard(scene.all, name)]
    assert list(dict.fromkeys(came)) == ids(expected)


def test_deployments_end_while_the_very_first_request_hangs(scene: Scene, tmp_path: Path) -> None:
    """However long a receiver takes over one event, it costs a deployment nothing, and no other channel either."""
    scene.group("unanswered")
    scene.until_told()
    before = len(scene.patient.posts)
    scene.patient.delays = [2 * MOST_SECONDS]
    try:
        names = [
            scene.site.ended(scene.site.deploy(write_revision(tmp_path / name, {}), group="unanswered")).deployment_id
            for name in ("v10", "v11")
        ]
        expected = ids([happening for name in names for happening in scene.told(name)])
        for channel in ("exchange", "sns", "webhook:chat"):
            wait_until(lambda name=channel: scene.channel(name).waiting == 0, f"{channel} to hear all", limit=30)  # type: ignore[misc]
        assert [post.event_id for post in scene.patient.posts[before:]] == expected[:1]
        state = scene.channel("webhook:patient")
        assert (state.waiting, state.tries) == (len(expected), 0)
    finally:
        scene.patient.let_go.set()
    scene.until_told()
    assert [post.event_id for post in scene.patient.posts[before:]] == expected


def test_a_receiver_that_fails_hears_all_in_order_under_the_same_ids(scene: Scene, tmp_path: Path) -> None:
    scene.group("unsure")
    before = len(scene.chat.posts)
    # The first answer comes too late to count, and what it was given is told again.
    scene.chat.statuses, scene.chat.delays = [200, 500, 200, 200, 503], [2.0]
    name = scene.site.ended(scene.site.deploy(write_revision(tmp_path / "v8", {}), group="unsure")).deployment_id
    scene.until_told()
    expected = ids(scene.told(name))
    posts = scene.chat.posts[before:]
    assert [post.status for post in posts][:5] == [200, 500, 200, 200, 503]
    assert [post.event_id for post in posts] == [*expected[:1] * 3, expected[1], *expected[2:3] * 2, *expected[3:]]
    assert scene.taken(name) == [expected[0], *expected]
    assert posts[0].content["eventId"] == expected[0]


def test_a_control_process_that_is_killed_loses_nothing(scene: Scene, tmp_path: Path) -> None:
    scene.group("hard", config=ALL_AT_ONCE)
    waiting = held_back(tmp_path, "v9")
    scene.chat.statuses = [200, 500]
    name = scene.site.deploy(waiting, group="hard")
    wait_until(lambda: scene.taken(name), "the first word")
    scene.site.kill("control")
    (tmp_path / "go").touch()
    scene.site.start("control")
    deployment = scene.site.ended(name)
    scene.until_told()
    assert deployment.status is DeploymentStatus.SUCCEEDED
    expected = ids(scene.told(name))
    assert len(expected) == 6
    assert list(dict.fromkeys(scene.taken(name))) == expected
    came = [each["MessageAttributes"]["eventId"]["Value"] for each in scene.heard(scene.all, name)]
    assert list(dict.fromkeys(came)) == expected
    succeeded = scene.site.world.store.targets(name)[0].events.values()
    assert {held.status for held in succeeded} == {EventStatus.SUCCEEDED}
