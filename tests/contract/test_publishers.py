"""Every channel: all told in order, what is told again under the same id, and one that is away says so."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue
from kombu.simple import SimpleQueue

from adapters.aws import Aws, AwsAccess, Patience
from adapters.publishers.cloudwatch import METRICS, CloudWatchPublisher
from adapters.publishers.eventbridge import EventBridgePublisher
from adapters.publishers.exchange import ExchangePublisher
from adapters.publishers.memory import MemoryPublisher
from adapters.publishers.origin import Origin
from adapters.publishers.sns import SnsPublisher
from adapters.publishers.webhook import WebhookPublisher
from domain.channels import Delivery, Refusal
from domain.errors import PublishRefused, WorldError
from domain.happenings import Happening, HappeningType, Topic
from domain.ports import Publisher
from tests.aws import KEYS, REGION, FakeAws, fake_aws
from tests.rabbitmq import RabbitMQ
from tests.receivers import NOW, SECRET, Inbox, Receiver, a_happening, receiving
from tests.services import free_port

ORIGIN = Origin(region=REGION, account_id="111222333444")


@dataclass
class Rig:
    """A channel, what it was told, the same while it is away, and a happening as it wants it."""

    publisher: Publisher
    heard: Callable[[], list[str]]
    away: Callable[[], Publisher]
    topics: Sequence[Topic] = ()

    def happening(self, number: int) -> Happening:
        return a_happening(number, topics=self.topics)

    def unwanted(self) -> Happening:
        """One that this channel is not told of; without a topic, SNS has nobody to tell."""
        return a_happening(0, HappeningType.TRIGGER_TEST)


def nowhere() -> Aws:
    access = AwsAccess(region=REGION, endpoint_url=f"http://127.0.0.1:{free_port()}", **KEYS)
    return Aws(access, Patience(tries=1))


def memory(_: pytest.FixtureRequest) -> Iterator[Rig]:
    publisher, gone = MemoryPublisher(at_once=3), MemoryPublisher()
    publisher.unwanted = gone.unwanted = {a_happening(0).event_id}
    gone.away = True
    yield Rig(publisher, lambda: [each.event_id for each in publisher.heard], lambda: gone)


def exchange(request: pytest.FixtureRequest) -> Iterator[Rig]:
    url = request.getfixturevalue("redis_url").replace("unix://", "redis+socket://")
    yield from on_broker(Connection(url), Connection(f"redis://127.0.0.1:{free_port()}"))


def exchange_on_rabbitmq(request: pytest.FixtureRequest) -> Iterator[Rig]:
    url = request.getfixturevalue("rabbitmq_url")
    yield from on_broker(confirmed(url), confirmed(f"amqp://127.0.0.1:{free_port()}"))


def confirmed(url: str) -> Connection:
    """A connection to RabbitMQ as the settings make it: what is published is confirmed."""
    return Connection(url, transport_options={"confirm_publish": True})


def on_broker(broker: Connection, gone: Connection) -> Iterator[Rig]:
    with broker as connection:
        name = f"events-{free_port()}"
        queue = Queue(name, Exchange(name, type="topic", durable=True), routing_key="#")
        inbox = SimpleQueue(connection, queue)  # type: ignore[arg-type]
        heard: list[str] = []

        def read() -> list[str]:
            with contextlib.suppress(inbox.Empty):
                while message := inbox.get(timeout=0.2):
                    assert message.properties["message_id"] == message.payload["eventId"]
                    heard.append(message.payload["eventId"])
                    message.ack()
            return heard

        with contextlib.closing(ExchangePublisher(connection, exchange=name)) as publisher:
            yield Rig(publisher, read, lambda: ExchangePublisher(gone, exchange=name))
        inbox.close()


def sns(request: pytest.FixtureRequest) -> Iterator[Rig]:
    inbox = Inbox(request.getfixturevalue("aws"), f"topic-{free_port()}")
    publisher = SnsPublisher(inbox.aws.access, ORIGIN)
    yield Rig(publisher, inbox.ids, lambda: SnsPublisher(nowhere(), ORIGIN), topics=(inbox.topic,))


class Bus:
    """A bus of EventBridge, and a queue that hears all that comes from `slipway`."""

    def __init__(self, aws: FakeAws) -> None:
        events, sqs, self.name = aws.client("events"), aws.client("sqs"), f"bus-{free_port()}"
        self._sqs, self._url = sqs, sqs.create_queue(QueueName=self.name)["QueueUrl"]
        queue = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.create_event_bus(Name=self.name)
        events.put_rule(Name=self.name, EventBusName=self.name, EventPattern=json.dumps({"source": ["slipway"]}))
        events.put_targets(Rule=self.name, EventBusName=self.name, Targets=[{"Id": "1", "Arn": queue}])
        self._heard: list[dict[str, Any]] = []

    def heard(self) -> list[dict[str, Any]]:
        """All that has come so far, in order."""
        while found := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                self._heard.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return self._heard

    def publisher(self, access: Aws) -> EventBridgePublisher:
        return EventBridgePublisher(access, ORIGIN, bus=self.name, source="slipway")


@pytest.fixture
def bus(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Bus:
    # moto would fill in a target's template, for which it needs a package that it does not bring along; ours has none.
    monkeypatch.setattr("moto.events.utils.EventTemplateParser.parse", lambda event, **_: dict(event))
    return Bus(aws)


def eventbridge(request: pytest.FixtureRequest) -> Iterator[Rig]:
    aws: FakeAws = request.getfixturevalue("aws")
    bus: Bus = request.getfixturevalue("bus")

    def read() -> list[str]:
        return [each["detail"]["eventId"] for each in bus.heard()]

    yield Rig(bus.publisher(aws.access), read, lambda: bus.publisher(nowhere()))


OF_THE_GROUP = [{"Name": "Application", "Value": "shop"}, {"Name": "DeploymentGroup", "Value": "web"}]


def numbers(client: Any, namespace: str, metric: str) -> list[tuple[int, float, str]]:
    """What CloudWatch has of a metric of the group, in order: seconds from the present of tests on, sum and unit."""
    found = client.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=OF_THE_GROUP,
        StartTime=NOW,
        EndTime=NOW + 100,
        Period=1,
        Statistics=["Sum"],
    )["Datapoints"]
    return sorted((round(each["Timestamp"].timestamp() - NOW), each["Sum"], each["Unit"]) for each in found)


def cloudwatch(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """It knows no ids: what it was told is read back from the moments of its numbers."""
    aws: FakeAws = request.getfixturevalue("aws")
    namespace = f"Test{free_port()}"

    def read() -> list[str]:
        found = numbers(aws.client("cloudwatch"), namespace, "InstancesSucceeded")
        return [a_happening(at).event_id for at, _, _ in found]

    def made(access: Aws) -> Publisher:
        return CloudWatchPublisher(access, namespace=namespace, now=lambda: NOW + 60)

    yield Rig(made(aws.access), read, lambda: made(nowhere()))


def webhook(_: pytest.FixtureRequest) -> Iterator[Rig]:
    with receiving() as receiver:
        gone = f"http://127.0.0.1:{free_port()}/a-token"
        yield Rig(a_webhook(receiver.url), receiver.taken, lambda: a_webhook(gone))


def a_webhook(url: str, **more: Any) -> WebhookPublisher:
    return WebhookPublisher(name="chat", url=url, secret=SECRET, origin=ORIGIN, **more)


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeAws]:
    with fake_aws() as server:
        yield server


MADE = (memory, exchange, exchange_on_rabbitmq, sns, eventbridge, cloudwatch, webhook)
RIGS = {made.__name__: made for made in MADE}


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    yield from RIGS[request.param](request)


def tell(publisher: Publisher, happenings: Sequence[Happening]) -> None:
    """As the teller does."""
    left = [happening for happening in happenings if publisher.wants(happening)]
    while left:
        delivery = publisher.publish(left)
        done = delivery.done
        assert 1 <= done <= len(left)
        assert 0 <= delivery.left_out <= done
        del left[:done]


def test_all_are_told_in_order(rig: Rig) -> None:
    happenings = [rig.happening(number) for number in range(1, 24)]
    tell(rig.publisher, happenings)
    assert rig.heard() == [happening.event_id for happening in happenings]


def test_what_is_told_again_has_the_same_id(rig: Rig) -> None:
    for _ in range(2):
        tell(rig.publisher, [rig.happening(1)])
    assert set(rig.heard()) == {rig.happening(1).event_id}


def test_it_says_what_it_wants_without_asking_anybody(rig: Rig) -> None:
    """A channel that is away says so too: what it does not want is no dead letter of its."""
    wanted, unwanted = rig.happening(2), rig.unwanted()
    for publisher in (rig.publisher, rig.away()):
        assert [publisher.wants(each) for each in (unwanted, wanted)] == [False, True]
    tell(rig.publisher, [unwanted, wanted, unwanted])
    assert rig.heard() == [wanted.event_id]


def test_what_it_wants_of_every_kind_it_has_a_word_for(rig: Rig) -> None:
    for number, kind in enumerate(HappeningType):
        happening = a_happening(number, kind, topics=rig.topics)
        if rig.publisher.wants(happening):
            assert rig.publisher.publish([happening]) == Delivery(done=1), kind


def test_one_that_is_away_says_so_soon_and_tells_no_secret(rig: Rig) -> None:
    began = time.monotonic()
    with pytest.raises(WorldError) as told:
        rig.away().publish([rig.happening(1), rig.happening(2)])
    assert time.monotonic() - began < 10
    assert not {word for word in ("a-token", SECRET, KEYS["secret_access_key"]) if word in str(told.value)}


def test_patience_is_positive_or_endless(rig: Rig) -> None:
    assert rig.publisher.patience is None or rig.publisher.patience >= 60


Publishing = Callable[[Connection], ExchangePublisher]


class TestExchangeOnRabbitmq:
    """What a broker refuses that somebody can mend: the channel is away for so long, and nothing of it is given up."""

    @pytest.fixture
    def name(self) -> str:
        return f"events-{free_port()}"

    @pytest.fixture
    def publishing(self, name: str) -> Iterator[Publishing]:
        with contextlib.ExitStack() as opened:
            yield lambda connection: opened.enter_context(
                contextlib.closing(ExchangePublisher(connection, exchange=name))
            )

    @pytest.fixture
    def stranger(self, rabbitmq: RabbitMQ, name: str) -> Iterator[Callable[[], Exchange]]:
        """Declares an exchange of that name with another type."""
        with confirmed(rabbitmq.url) as connection:
            yield lambda: declared(Exchange(name, type="fanout", durable=True)(connection.default_channel))

    def test_rights_that_are_missing(self, rabbitmq: RabbitMQ, name: str, publishing: Publishing) -> None:
        rabbitmq.control("add_user", name, "a-password")
        publisher = publishing(confirmed(rabbitmq.url_of(name, "a-password")))
        for rights in (("", "", ""), (".*", "", ""), ("", ".*", "")):
            rabbitmq.control("set_permissions", name, *rights)
            with pytest.raises(WorldError, match="refused") as told:
                publisher.publish([a_happening(1)])
            assert "a-password" not in str(told.value)
        rabbitmq.control("set_permissions", name, ".*", ".*", ".*")
        assert publisher.publish([a_happening(1), a_happening(2)]) == Delivery(done=2)

    def test_a_password_that_is_wrong(self, rabbitmq: RabbitMQ, name: str, publishing: Publishing) -> None:
        publisher = publishing(confirmed(rabbitmq.url_of(name, "another")))
        with pytest.raises(WorldError):
            publisher.publish([a_happening(1)])
        rabbitmq.control("add_user", name, "another")
        rabbitmq.control("set_permissions", name, ".*", ".*", ".*")
        assert publisher.publish([a_happening(1)]) == Delivery(done=1)

    def test_an_exchange_of_another_type(
        self, rabbitmq: RabbitMQ, publishing: Publishing, stranger: Callable[[], Exchange]
    ) -> None:
        publisher, other = publishing(confirmed(rabbitmq.url)), stranger()
        for _ in range(3):
            with pytest.raises(WorldError, match="inequivalent arg 'type'"):
                publisher.publish([a_happening(1)])
        other.delete()
        assert publisher.publish([a_happening(1)]) == Delivery(done=1)

    def test_an_exchange_that_is_deleted_meanwhile(self, rabbitmq: RabbitMQ, name: str, publishing: Publishing) -> None:
        publisher = publishing(confirmed(rabbitmq.url))
        publisher.publish([a_happening(1)])
        with confirmed(rabbitmq.url) as connection:
            Exchange(name, type="topic")(connection.default_channel).delete()
        with contextlib.suppress(WorldError):
            publisher.publish([a_happening(2)])
        assert publisher.publish([a_happening(2)]) == Delivery(done=1)

    def test_a_try_leaves_no_connection_behind(
        self, rabbitmq: RabbitMQ, publishing: Publishing, stranger: Callable[[], Exchange]
    ) -> None:
        opened: list[Connection] = []

        class Counted(Connection):
            def clone(self, **more: Any) -> Connection:
                opened.append(super().clone(**more))
                return opened[-1]

        stranger()
        publisher = publishing(Counted(rabbitmq.url, transport_options={"confirm_publish": True}))
        for _ in range(3):
            with pytest.raises(WorldError):
                publisher.publish([a_happening(1)])
        assert [each.connected for each in opened] == [False] * 3


def declared(exchange: Exchange) -> Exchange:
    exchange.declare()
    return exchange


def test_a_topic_that_is_gone_keeps_it_from_no_other(aws: FakeAws) -> None:
    inbox, gone = Inbox(aws, "there"), Topic(trigger="t", arn=f"arn:aws:sns:{REGION}:123456789012:gone")
    publisher = SnsPublisher(aws.access, ORIGIN)
    happening = a_happening(1, topics=(gone, inbox.topic))
    delivery = publisher.publish([happening])
    assert inbox.ids() == [happening.event_id]
    (refusal,) = delivery.refusals
    assert (delivery.done, delivery.left_out) == (1, 0)
    assert refusal.happening == happening.model_copy(update={"topics": (gone,)})
    assert "takes nothing (NotFound" in refusal.why
    assert isinstance(refusal, Refusal)


def test_what_every_topic_refuses_is_told_to_nobody(aws: FakeAws) -> None:
    gone = [Topic(trigger=name, arn=f"arn:aws:sns:{REGION}:123456789012:{name}") for name in ("a", "b")]
    delivery = SnsPublisher(aws.access, ORIGIN).publish([a_happening(1, topics=gone)])
    assert (delivery.done, delivery.left_out, len(delivery.refusals)) == (1, 1, 2)


def test_a_fifo_topic_drops_what_it_knows(aws: FakeAws) -> None:
    attributes = {"FifoTopic": "true"}
    arn = aws.client("sns").create_topic(Name="ordered.fifo", Attributes=attributes)["TopicArn"]
    happening = a_happening(1, topics=(Topic(trigger="t", arn=arn),))
    assert SnsPublisher(aws.access, ORIGIN).publish([happening]).refusals == ()


def test_a_bus_that_is_not_there_is_waited_for(aws: FakeAws) -> None:
    publisher = EventBridgePublisher(aws.access, ORIGIN, bus="none-such", source="slipway")
    with pytest.raises(WorldError, match="none-such"):
        publisher.publish([a_happening(1)])


def test_what_comes_from_a_bus(aws: FakeAws, bus: Bus) -> None:
    """Its id, account and time of arrival are EventBridge's own; all else is as we told it."""
    told = [a_happening(1, HappeningType.DEPLOYMENT_STOP, status="Stopped"), a_happening(2)]
    assert bus.publisher(aws.access).publish(told) == Delivery(done=2)
    own = ("id", "account", "ingestion-time")
    stop, success = ({name: value for name, value in each.items() if name not in own} for each in bus.heard())
    every = {"version": "0", "source": "slipway", "region": REGION}
    application = "arn:aws:codedeploy:us-east-1:111222333444:application:shop"
    group = "arn:aws:codedeploy:us-east-1:111222333444:deploymentgroup:shop/web"
    about = {
        "instanceGroupId": "8cd3bfa8-9e72-4cbe-a1e5-da4efc7efd49",
        "region": REGION,
        "application": "shop",
        "deploymentId": "d-AAAAAAAAA",
        "deploymentGroup": "web",
    }
    assert stop == {
        **every,
        "detail-type": "CodeDeploy Deployment State-change Notification",
        "time": "2025-10-09T08:53:21Z",
        "resources": [application, group],
        "detail": {**about, "state": "STOP", "eventId": "d-AAAAAAAAA:1"},
    }
    assert success == {
        **every,
        "detail-type": "CodeDeploy Instance State-change Notification",
        "time": "2025-10-09T08:53:22Z",
        "resources": ["arn:aws:codedeploy:us-east-1:1:instance/web-1_AAAAAAAAAA", group, application],
        "detail": {**about, "instanceId": "web-1", "state": "SUCCESS", "eventId": "d-AAAAAAAAA:2"},
    }


class Answering:
    """An AWS that answers an event bus' calls as it was told to."""

    def __init__(self, *codes: str) -> None:
        self.codes = codes

    def client(self, _service: str) -> Any:
        return self

    def put_events(self, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803
        known = dict(enumerate(self.codes))
        return {
            "Entries": [{"ErrorCode": known[at]} if known.get(at) else {"EventId": "x"} for at in range(len(Entries))]
        }


@pytest.mark.parametrize(
    ("codes", "done"),
    [((), 3), (("", "", "InternalFailure"), 2), (("", "ThrottlingException", ""), 1), (("", "MalformedDetail"), 1)],
)
def test_what_a_bus_took_is_not_told_again(codes: tuple[str, ...], done: int) -> None:
    publisher = EventBridgePublisher(Answering(*codes), ORIGIN, bus="b", source="s")  # type: ignore[arg-type]
    assert publisher.publish([a_happening(number) for number in range(3)]).done == done


@pytest.mark.parametrize(("code", "kind"), [("MalformedDetail", PublishRefused), ("ThrottlingException", WorldError)])
def test_what_a_bus_does_not_take(code: str, kind: type[Exception]) -> None:
    publisher = EventBridgePublisher(Answering(code), ORIGIN, bus="b", source="s")  # type: ignore[arg-type]
    with pytest.raises(kind, match=code):
        publisher.publish([a_happening(1)])


def test_every_metric_and_how_long_it_took(aws: FakeAws) -> None:
    publisher = CloudWatchPublisher(aws.access, namespace="Metrics", now=lambda: NOW)
    ends = [a_happening(at, kind, create_time=NOW - 60) for at, kind in enumerate(METRICS)]
    old = a_happening(9, at=NOW - 14 * 86_400)
    assert publisher.publish([*ends, old]) == Delivery(done=len(ends) + 1, left_out=1)
    client = aws.client("cloudwatch")
    listed = client.list_metrics(Namespace="Metrics")["Metrics"]
    assert all(each["Dimensions"] == OF_THE_GROUP for each in listed)
    assert {each["MetricName"]: numbers(client, "Metrics", each["MetricName"]) for each in listed} == {
        "DeploymentsCreated": [(0, 1.0, "Count")],
        "DeploymentsSucceeded": [(1, 1.0, "Count")],
        "DeploymentsFailed": [(2, 1.0, "Count")],
        "DeploymentsStopped": [(3, 1.0, "Count")],
        "InstancesSucceeded": [(4, 1.0, "Count")],
        "InstancesFailed": [(5, 1.0, "Count")],
        "DeploymentDuration": [(1, 61.0, "Seconds"), (2, 62.0, "Seconds"), (3, 63.0, "Seconds")],
    }


class TestWebhook:
    """What only a webhook has."""

    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        with receiving() as receiver:
            yield receiver

    @pytest.mark.parametrize("status", [400, 410, 413, 415, 422])
    def test_what_it_refuses_for_itself(self, receiver: Receiver, status: int) -> None:
        receiver.statuses = [status]
        with pytest.raises(PublishRefused, match=f"the webhook chat answers {status}"):
            a_webhook(receiver.url).publish([a_happening()])

    @pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 408, 409, 429, 500, 503])
    def test_all_else_is_told_again(self, receiver: Receiver, status: int) -> None:
        receiver.statuses, receiver.headers = [status], [("Location", receiver.url)]
        with pytest.raises(WorldError, match=f"answers {status}"):
            a_webhook(receiver.url).publish([a_happening()])
        assert len(receiver.posts) == 1, "redirects are not followed"

    def test_a_long_answer_is_left_unread(self, receiver: Receiver) -> None:
        receiver.body = b"x" * 3_000_000
        assert a_webhook(receiver.url).publish([a_happening()]).done == 1

    def test_one_that_is_slow_is_left_in_time(self, receiver: Receiver) -> None:
        receiver.delays = [10.0]
        with pytest.raises(WorldError, match="does not answer"):
            a_webhook(receiver.url, seconds=0.2).publish([a_happening()])

    def test_another_secret_is_found_out(self, receiver: Receiver) -> None:
        stranger = WebhookPublisher(name="chat", url=receiver.url, secret="another-secret-here", origin=ORIGIN)
        with pytest.raises(WorldError, match="answers 401"):
            stranger.publish([a_happening()])

    def test_it_hears_what_it_wants(self, receiver: Receiver) -> None:
        wanted = (HappeningType.DEPLOYMENT_ROLLBACK, HappeningType.INSTANCE_FAILURE)
        kinds = [HappeningType.INSTANCE_START, HappeningType.INSTANCE_FAILURE, HappeningType.DEPLOYMENT_SUCCESS]
        happenings = [a_happening(at, kind) for at, kind in enumerate(kinds)]
        rollback = a_happening(7, HappeningType.DEPLOYMENT_SUCCESS, creator="codeDeployRollback")
        tell(a_webhook(receiver.url, events=wanted), [*happenings, rollback])
        assert receiver.taken() == [happenings[1].event_id, rollback.event_id]

    @pytest.mark.parametrize("form", ["slipway", "eventbridge", "sns"])
    def test_each_form_is_json_and_names_the_deployment(self, receiver: Receiver, form: str) -> None:
        happening = a_happening(1, topics=(Topic(trigger="t", arn="arn:aws:sns:x"),), error_message="größer")
        a_webhook(receiver.url, form=form).publish([happening])
        (post,) = receiver.posts
        assert post.status == 200
        assert "d-AAAAAAAAA" in json.dumps(post.content)
        assert "arn:aws:sns" not in json.dumps(post.content)

    def test_over_tls_the_server_must_be_known(self, tmp_path: Path) -> None:
        publisher = a_webhook("https://127.0.0.1:1/a-token", ca_file=str(tmp_path / "none.pem"))
        with pytest.raises(WorldError):
            publisher.publish([a_happening()])
