"""What moto lacks of Auto Scaling: a server before moto's that answers CompleteLifecycleAction and
RecordLifecycleActionHeartbeat as AWS does, keeps notification configurations, writes down what it was asked to change,
refuses what a test wants refused, and passes all else on."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from domain.scaling import LifecycleAction, Transition
from tests.aws import FakeAws, fake_aws

_HELD = {"CompleteLifecycleAction", "RecordLifecycleActionHeartbeat"}
_DONE = '<{0}Response xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><{0}Result/></{0}Response>'
_TOPICS = (
    '<DescribeNotificationConfigurationsResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">'
    "<DescribeNotificationConfigurationsResult><NotificationConfigurations>{0}</NotificationConfigurations>"
    "</DescribeNotificationConfigurationsResult></DescribeNotificationConfigurationsResponse>"
)
_TOPIC = (
    "<member><AutoScalingGroupName>{0}</AutoScalingGroupName><TopicARN>{1}</TopicARN>"
    "<NotificationType>{2}</NotificationType></member>"
)
_DENIED = (
    '<ErrorResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><Error><Type>Sender</Type>'
    "<Code>AccessDenied</Code><Message>not authorized to perform: autoscaling:{0}</Message></Error></ErrorResponse>"
)
_NOBODY = (
    '<ErrorResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><Error><Type>Sender</Type>'
    "<Code>ValidationError</Code><Message>No active Lifecycle Action found with instance ID {0}</Message>"
    "</Error></ErrorResponse>"
)


class Call(NamedTuple):
    """A call that asks for a change, at a moment."""

    name: str
    asked: Mapping[str, str]
    at: float


@dataclass
class HoldingAws:
    """AWS with Auto Scaling groups that hold instances, and a queue that hears of it."""

    aws: FakeAws
    moto: str
    queue_url: str
    queue_arn: str
    held: set[str] = field(default_factory=set)
    """Tokens of the actions that are open."""
    told: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    """Those of the Query protocol, whoever made them, in order."""
    refused: set[str] = field(default_factory=set)
    """Names of calls that nobody may make."""
    topics: list[tuple[str, str, str]] = field(default_factory=list)
    """Notification configurations: an Auto Scaling group, a topic, a kind."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings that lead a process to it, hooks included."""
        return {
            **self.aws.environment,
            "SLIPWAY_AWS__LIFECYCLE_QUEUE_URL": self.queue_url,
            "SLIPWAY_AWS__LIFECYCLE_QUEUE_ARN": self.queue_arn,
            "SLIPWAY_AWS__LIFECYCLE_ROLE_ARN": "arn:aws:iam::123456789012:role/notifier",
        }

    def hold(self, instance_id: str, *, of: str, hook: str, transition: Transition) -> LifecycleAction:
        """Hold an instance, without a word of it."""
        action = LifecycleAction(
            token=str(uuid.uuid4()), hook=hook, auto_scaling_group=of, instance_id=instance_id, transition=transition
        )
        self.held.add(action.token)
        return action

    def tell(self, action: LifecycleAction) -> None:
        """Send the queue the notice that AWS sends."""
        self.send(json.dumps(notice(action)))

    def send(self, body: str) -> None:
        """Send the queue anything."""
        self.aws.client("sqs").send_message(QueueUrl=self.queue_url, MessageBody=body)

    def waiting(self) -> int:
        """Messages in the queue, those in hand included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.aws.client("sqs").get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)
        return sum(int(found["Attributes"][name]) for name in names)

    def result_of(self, action: LifecycleAction) -> str | None:
        """How an action was completed, if it was."""
        for name, asked in self.told:
            if name == "CompleteLifecycleAction" and asked["LifecycleActionToken"] == action.token:
                return asked["LifecycleActionResult"]
        return None

    def heartbeats_of(self, action: LifecycleAction) -> int:
        """How often it was asked to hold the instance for longer."""
        beats = [asked for name, asked in self.told if name == "RecordLifecycleActionHeartbeat"]
        return sum(asked["LifecycleActionToken"] == action.token for asked in beats)

    def answer(self, name: str, asked: Mapping[str, str]) -> tuple[int, str] | None:
        """The answer to a call that moto does not know, or that is refused; None for all others."""
        if not name.startswith("Describe"):
            self.calls.append(Call(name, asked, time.time()))
        if name in self.refused:
            return 403, _DENIED.format(name)
        if name in _HELD:
            return self._of_action(name, asked)
        if name == "PutNotificationConfiguration":
            kinds = [text for key, text in asked.items() if key.startswith("NotificationTypes.")]
            self.topics += [(asked["AutoScalingGroupName"], asked["TopicARN"], kind) for kind in kinds]
            return 200, _DONE.format(name)
        if name == "DescribeNotificationConfigurations":
            of = [topic for topic in self.topics if topic[0] == asked["AutoScalingGroupNames.member.1"]]
            return 200, _TOPICS.format("".join(_TOPIC.format(*topic) for topic in of))
        return None

    def _of_action(self, name: str, asked: Mapping[str, str]) -> tuple[int, str]:
        self.told.append((name, asked))
        if asked["LifecycleActionToken"] not in self.held:
            return 400, _NOBODY.format(asked["InstanceId"])
        if name == "CompleteLifecycleAction":
            self.held.discard(asked["LifecycleActionToken"])
        return 200, _DONE.format(name)


def notice(action: LifecycleAction) -> dict[str, str]:
    """What Auto Scaling says of an action."""
    return {
        "LifecycleHookName": action.hook,
        "AccountId": "123456789012",
        "RequestId": "3a2c8c5e-0000-4000-8000-2f0d6d3a9b11",
        "LifecycleTransition": action.transition.value,
        "AutoScalingGroupName": action.auto_scaling_group,
        "Service": "AWS Auto Scaling",
        "Time": "2026-11-25T22:00:00.000Z",
        "EC2InstanceId": action.instance_id,
        "LifecycleActionToken": action.token,
    }


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: HoldingAws

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        form = parse_qs(body.decode("utf-8", "replace")) if body.startswith(b"Action=") else {}
        asked = {key: values[0] for key, values in form.items()}
        answer = self.site.answer(asked["Action"], asked) if asked else None
        if answer:
            status, text = answer
            self._say(status, {"Content-Type": "text/xml"}, text.encode())
        else:
            self._say(*self._passed_on(body))

    def _passed_on(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        with contextlib.closing(http.client.HTTPConnection(urlsplit(self.site.moto).netloc, timeout=20)) as link:
            link.request("POST", self.path, body, dict(self.headers.items()))
            answer = link.getresponse()
            kept = {name: text for name, text in answer.getheaders() if name.lower().startswith(("content-t", "x-amz"))}
            return answer.status, kept, answer.read()

    def _say(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, text in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def holding_aws() -> Iterator[HoldingAws]:
    """A server of this process with an empty queue, on a free loopback port."""
    with fake_aws() as behind:
        kind: Any = type("Front", (_Front,), {})
        with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
            server.daemon_threads = True
            aws = FakeAws(f"http://127.0.0.1:{server.server_port}")
            made = behind.client("sqs").create_queue(QueueName="lifecycle", Attributes={"VisibilityTimeout": "2"})
            arn = "arn:aws:sqs:us-east-1:123456789012:lifecycle"
            kind.site = HoldingAws(aws, behind.url, made["QueueUrl"], arn)
            thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            try:
                yield kind.site
            finally:
                server.shutdown()
                thread.join()
