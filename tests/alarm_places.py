"""Alarms for tests, each with a grip on what it says: CloudWatch is moto's server, Prometheus and the site that is
checked are small servers of the test that answer as the real ones do."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol
from urllib.parse import parse_qs

from moto.cloudwatch.models import cloudwatch_backends

from adapters.alarms.choosing import ChosenAlarms
from adapters.alarms.cloudwatch import CloudWatchAlarms
from adapters.alarms.http import HttpAlarm
from adapters.alarms.memory import MemoryAlarm, MemoryAlarms
from adapters.alarms.prometheus import PrometheusAlarm
from adapters.aws import Aws, AwsAccess
from domain.alarms import AlarmReading, AlarmState
from domain.ports import AlarmService
from tests.aws import KEYS, REGION, FakeAws
from tests.balancers import serving
from tests.services import free_port

ACCOUNT = "123456789012"
QUERY = 'sum(rate(errors_total{job="shop"}[1m])) > 0.05'


class Hanging(MemoryAlarm):
    """Does not answer until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.let_go = threading.Semaphore(0), threading.Event()

    def read(self) -> AlarmReading:
        found = super().read()
        self.asked.release()
        assert self.let_go.wait(60)
        return found


class Place(Protocol):
    """One alarm, OK at first, and what a test does to it."""

    name: str
    kind: str
    fails_when_away: bool
    """Whether an alarm whose source does not answer is active, and not unreadable."""

    def open(self) -> AlarmService:
        """The adapter, as each process makes its own."""

    def fire(self) -> None:
        """It is active from now on."""

    def calm(self) -> None:
        """It is OK from now on."""

    def starve(self) -> None:
        """It has too little data from now on, where there is such a thing."""

    def go_away(self) -> None:
        """Its source does not answer from now on."""

    def come_back(self) -> None:
        """Its source answers again."""

    def spoil(self) -> None:
        """It cannot be read from now on, and asking again will not help, where there is such a thing."""


class InMemory:
    """The double."""

    name, kind = "errors", "memory"
    fails_when_away = False

    def __init__(self) -> None:
        self.alarm = MemoryAlarm()

    def open(self) -> AlarmService:
        return MemoryAlarms({self.name: self.alarm})

    def fire(self) -> None:
        self.alarm.set(AlarmState.ALARM, "it burns")

    def calm(self) -> None:
        self.alarm.set(AlarmState.OK)

    def starve(self) -> None:
        self.alarm.set(AlarmState.INSUFFICIENT_DATA)

    def go_away(self) -> None:
        self.alarm.go_away()

    def come_back(self) -> None:
        self.alarm.come_back()

    def spoil(self) -> None:
        self.alarm.vanish()


def put_alarm(aws: FakeAws, name: str) -> None:
    """A metric alarm in CloudWatch, with the state OK."""
    client = aws.client("cloudwatch")
    client.put_metric_alarm(
        AlarmName=name,
        Namespace="Shop",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
    )
    set_alarm(aws, name, "OK")


def set_alarm(aws: FakeAws, name: str, state: str) -> None:
    """The alarm is in this state from now on."""
    aws.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue=state, StateReason=f"a test says {state}")


class InCloudWatch:
    """An alarm in moto: a metric alarm, or a composite one."""

    kind = "cloudwatch"
    fails_when_away = False

    def __init__(self, aws: FakeAws, *, composite: bool = False) -> None:
        self._aws, self._url = aws, aws.url
        self.name = f"alarm-{uuid.uuid4().hex[:8]}"
        put_alarm(aws, self.name)
        if composite:
            # moto knows composite alarms and no way to make one.
            cloudwatch_backends[ACCOUNT][REGION].alarms[self.name].rule = 'ALARM("other")'

    def open(self) -> AlarmService:
        return CloudWatchAlarms(Aws(AwsAccess(region=REGION, endpoint_url=self._url, **KEYS)))

    def fire(self) -> None:
        set_alarm(self._aws, self.name, "ALARM")

    def calm(self) -> None:
        set_alarm(self._aws, self.name, "OK")

    def starve(self) -> None:
        set_alarm(self._aws, self.name, "INSUFFICIENT_DATA")

    def go_away(self) -> None:
        self._url = f"http://127.0.0.1:{free_port()}"

    def come_back(self) -> None:
        self._url = self._aws.url

    def spoil(self) -> None:
        self._aws.client("cloudwatch").delete_alarms(AlarmNames=[self.name])


@dataclass
class Server:
    """What a small server was asked, and what it says to all."""

    url: str = ""
    status: int = 200
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    say: Callable[[BaseHTTPRequestHandler], None] | None = None

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        body = request.rfile.read(int(request.headers["Content-Length"] or 0))
        self.asked.append((request.path, dict(request.headers.items()), body))
        if self.say is not None:
            self.say(request)
            return
        request.send_response(self.status)
        for name, value in (*self.headers, ("Content-Length", str(len(self.body)))):
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(self.body)


@contextlib.contextmanager
def server(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server of this process on a free loopback port."""
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(ConnectionError):
                told.answer(self)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with serving(Handler, tls) as url:
        told.url = url
        yield told


def vector(*values: str) -> bytes:
    """What Prometheus answers to a query with so many series."""
    result = [{"metric": {"n": str(at)}, "value": [1700000000.1, value]} for at, value in enumerate(values)]
    return succeeded("vector", result)


def succeeded(kind: str, result: Any) -> bytes:
    """A good answer of Prometheus."""
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


class LikePrometheus:
    """A query whose answer is empty while all is well."""

    name, kind = "errors", "prometheus"
    fails_when_away = False

    def __init__(self, told: Server) -> None:
        self.server, self._url = told, told.url
        self.calm()

    def open(self) -> AlarmService:
        return ChosenAlarms({self.name: PrometheusAlarm(url=self._url, query=QUERY)})

    def fire(self) -> None:
        self.server.status, self.server.body = 200, vector("0.27")

    def calm(self) -> None:
        self.server.status, self.server.body = 200, vector()

    def starve(self) -> None:
        raise NotImplementedError

    def go_away(self) -> None:
        self._url = f"http://127.0.0.1:{free_port()}"

    def come_back(self) -> None:
        self._url = self.server.url

    def spoil(self) -> None:
        self.server.status = 400
        self.server.body = b'{"status":"error","errorType":"bad_data","error":"1:5: parse error: unexpected end"}'

    def query(self) -> str:
        """The last query that came."""
        return parse_qs(self.server.asked[-1][2].decode())["query"][0]


class Bounded(LikePrometheus):
    """A query that always answers with a number, and a bound for it."""

    def open(self) -> AlarmService:
        return ChosenAlarms({self.name: PrometheusAlarm(url=self._url, query=QUERY, above=0.05)})

    def fire(self) -> None:
        self.server.status, self.server.body = 200, vector("0.01", "0.27")

    def calm(self) -> None:
        self.server.status, self.server.body = 200, vector("0.01", "0.05")

    def starve(self) -> None:
        self.server.status, self.server.body = 200, vector("NaN")


class Checked:
    """A site that answers 200 while all is well."""

    name, kind = "shop-health", "http"
    fails_when_away = True

    def __init__(self, told: Server) -> None:
        self.server, self._url = told, told.url

    def open(self) -> AlarmService:
        return ChosenAlarms({self.name: HttpAlarm(url=f"{self._url}/health")})

    def fire(self) -> None:
        self.server.status = 503

    def calm(self) -> None:
        self.server.status = 200

    def starve(self) -> None:
        raise NotImplementedError

    def go_away(self) -> None:
        self._url = f"http://127.0.0.1:{free_port()}"

    def come_back(self) -> None:
        self._url = self.server.url

    def spoil(self) -> None:
        raise NotImplementedError
