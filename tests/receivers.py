"""Who is told in tests: topics of SNS with an inbox behind them, and a receiver of webhooks that fails at will."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from adapters.publishers.webhook import signature
from domain.happenings import Happening, HappeningType, Topic
from tests.aws import FakeAws
from tests.balancers import serving

SECRET = "a-secret-of-the-receiver"
NOW = 1_760_000_000.0


def a_happening(number: int = 1, kind: HappeningType = HappeningType.INSTANCE_SUCCESS, **more: object) -> Happening:
    """Something that happened to a host, or to a deployment, just now as tests go."""
    host = {"instance_id": "web-1", "instance_arn": "arn:aws:codedeploy:us-east-1:1:instance/web-1_AAAAAAAAAA"}
    values: dict[str, object] = {
        "event_id": f"d-AAAAAAAAA:{number}",
        "type": kind,
        "at": NOW + number,
        "application_name": "shop",
        "deployment_group_name": "web",
        "deployment_group_id": "8cd3bfa8-9e72-4cbe-a1e5-da4efc7efd49",
        "deployment_id": "d-AAAAAAAAA",
        "status": "Succeeded",
        **(host if kind.value.startswith("Instance") else {}),
        **more,
    }
    return Happening.model_validate(values)


@dataclass
class Inbox:
    """A topic, and a queue that is subscribed to it."""

    aws: FakeAws
    name: str
    arn: str = ""
    url: str = ""
    kept: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        sqs, sns = self.aws.client("sqs"), self.aws.client("sns")
        self.url = sqs.create_queue(QueueName=f"{self.name}-inbox")["QueueUrl"]
        about = sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]
        self.arn = sns.create_topic(Name=self.name)["TopicArn"]
        sns.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=about["QueueArn"])

    @property
    def topic(self) -> Topic:
        """As a happening names it."""
        return Topic(trigger=f"trigger-{self.name}", arn=self.arn)

    def read(self) -> list[dict[str, Any]]:
        """All that has come so far, in order: `Subject`, `Message` and `MessageAttributes` of each."""
        sqs = self.aws.client("sqs")
        while found := sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                self.kept.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return self.kept

    def ids(self) -> list[str]:
        """The ids of the events that came."""
        return [message["MessageAttributes"]["eventId"]["Value"] for message in self.read()]


@dataclass(frozen=True)
class Post:
    """What a receiver was sent, and how it answered."""

    event_id: str
    kind: str
    content: dict[str, Any]
    status: int


@dataclass
class Receiver:
    """Checks signatures as an honest one would, and answers what it is told to: `statuses` in turn, then 200, after
    `delays` in turn, then at once."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    body: bytes = b"thanks"
    headers: Sequence[tuple[str, str]] = ()
    delays: list[float] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)

    def taken(self) -> list[str]:
        """The ids of the events that it said yes to."""
        return [post.event_id for post in self.posts if post.status == 200]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """One exchange."""
        body = request.rfile.read(int(request.headers["Content-Length"]))
        event_id = request.headers["X-Slipway-Event-Id"]
        good = "sha256=" + signature(SECRET.encode(), request.headers["X-Slipway-Timestamp"], event_id, body)
        status = self.statuses.pop(0) if self.statuses else 200
        if request.headers["X-Slipway-Signature"] != good:
            status = 401
        self.posts.append(Post(event_id, request.headers["X-Slipway-Event-Type"], json.loads(body), status))
        self.let_go.wait(self.delays.pop(0) if self.delays else 0.0)
        request.send_response(status)
        for name, value in (*self.headers, ("Content-Length", str(len(self.body)))):
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(self.body)


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver of this process on a loopback port."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with contextlib.suppress(ConnectionError):
                receiver.answer(self)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with serving(Handler) as url:
        receiver.url = f"{url}/hooks/a-token"
        yield receiver
        receiver.let_go.set()
