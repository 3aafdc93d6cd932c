"""Load balancers for tests, each with two hosts behind it: how requests come, stay in flight and end, how hosts fall
ill, how the balancer goes away. HAProxy and nginx are real processes before small servers; AWS is moto's server."""

from __future__ import annotations

import contextlib
import hmac
import json
import shutil
import ssl
import subprocess
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

from moto.core.responses import ActionResult
from moto.elb.responses import ELBResponse
from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup

from adapters.aws import Aws, AwsAccess
from adapters.load_balancers.classic import ClassicBalancer
from adapters.load_balancers.haproxy import HaproxyBalancer
from adapters.load_balancers.memory import MemoryLoadBalancer
from adapters.load_balancers.nginx import NginxBalancer
from adapters.load_balancers.target_groups import TargetGroupBalancer
from adapters.load_balancers.webhook import WebhookBalancer, signature
from domain.errors import BalancerRefuses, WorldError
from domain.fleet import Target
from domain.ports import LoadBalancer
from tests.aws import KEYS, REGION, FakeAws
from tests.services import background, free_port, require, wait_until

DRAIN_SECONDS = 100.0
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "balancers.md"
SECRET = "a-secret-of-the-webhook"


def target_of(target_id: str, address: str | None = None) -> Target:
    """A host as a deployment sees it."""
    return Target(target_id=target_id, arn=f"arn:aws:x:{target_id}", queue=f"host.{target_id}", address=address)


class Rig(Protocol):
    """A balancer, and what a test does around it. `hosts` are two that are in service."""

    hosts: tuple[Target, Target]
    stranger: Target
    """A host that the balancer does not know."""
    limits_draining: bool
    """Whether the adapter gives up on draining by itself; AWS and webhooks have limits of their own."""
    takes_odd_names: bool
    """Whether a name of any form is mere data on its way."""

    def open(self) -> LoadBalancer:
        """The adapter, as each process makes its own."""

    def begin(self, host: Target) -> Callable[[], bool]:
        """A request is in flight to the host from now on; calling the answer ends it, and says if that was well."""

    def asked(self) -> set[str]:
        """The ids of the hosts that requests of now get to."""

    def ail(self, host: Target) -> None:
        """The host is ill from now on."""

    def heal(self, host: Target) -> None:
        """The host is well again."""

    def looks(self, host: Target) -> int:
        """How often anyone has looked at the host's health so far."""

    def go_away(self) -> None:
        """The balancer answers no more."""


class Quiet(ThreadingHTTPServer):
    """A server that says nothing of clients that hang up, as whoever looks at its health does."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Nothing."""


class Backend:
    """A small web server. `/health` says how it is; `/hold/ID` is answered late by the host ID, at once by others."""

    def __init__(self, target_id: str) -> None:
        self.target_id, self.well, self.looks, self.held = target_id, True, 0, 0
        self._release = threading.Event()
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path == "/health":
                    backend.looks += 1
                    self._say(200 if backend.well else 503, "")
                elif self.path == f"/hold/{backend.target_id}":
                    backend.held += 1
                    backend._release.wait(30)
                    self._say(200, f"held {backend.target_id}")
                else:
                    self._say(200, backend.target_id)

            def _say(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Answer what is held."""
        self._release.set()

    def close(self) -> None:
        """Listen no more."""
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def get(port: int, path: str, connection: HTTPConnection | None = None, *, cookie: str = "") -> str:
    """The text of a good answer; raises OSError or HTTPException for none, AssertionError for another."""
    client = connection or HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        client.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        with client.getresponse() as response:
            text = response.read().decode()
        assert response.status == 200, f"{response.status} for {path}: {text[:200]}"
        return text
    finally:
        if connection is None:
            client.close()


class Proxied:
    """Two real hosts behind a real balancer that listens on a port: what HAProxy and nginx have in common."""

    limits_draining, takes_odd_names = True, False
    control = ""

    def __init__(self, port: int, make: Callable[[], LoadBalancer], stop: Callable[[], None]) -> None:
        self.port, self.open, self.go_away = port, make, stop
        self.backends = {name: Backend(name) for name in ("web-1", "web-2", "web-9")}
        first, second, self.stranger = (
            target_of(name, f"127.0.0.1:{backend.port}") for name, backend in self.backends.items()
        )
        self.hosts = (first, second)

    def begin(self, host: Target) -> Callable[[], bool]:
        backend, said = self.backends[host.target_id], list[str]()

        def ask() -> None:
            while (text := get(self.port, f"/hold/{host.target_id}")) != f"held {host.target_id}":
                pass
            said.append(text)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        wait_until(lambda: backend.held, "a request in flight", limit=10)

        def end() -> bool:
            backend.release()
            thread.join(10)
            return said == [f"held {host.target_id}"]

        return end

    def asked(self) -> set[str]:
        fresh = {get(self.port, "/") for _ in range(6)}
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as kept:
            for _ in range(6):
                try:
                    fresh.add(get(self.port, "/", kept))
                except (ConnectionError, HTTPException):
                    # As every client does when a connection that it kept was closed meanwhile.
                    kept.close()
        return fresh

    def ail(self, host: Target) -> None:
        self.backends[host.target_id].well = False

    def heal(self, host: Target) -> None:
        self.backends[host.target_id].well = True

    def looks(self, host: Target) -> int:
        return self.backends[host.target_id].looks

    def close(self) -> None:
        for backend in self.backends.values():
            backend.close()


HAPROXY = """
global
    stats socket {socket} mode 600 level {level}
    stats socket ipv4@127.0.0.1:{control} level {level}
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    # As long as its interval otherwise: a busy machine would make every host ill.
    timeout check 5s
    retries 2
    option redispatch
frontend web
    bind 127.0.0.1:{port}
    default_backend web
backend web
    balance roundrobin
    option httpchk GET /health
    default-server inter 100ms rise 2 fall 2
    cookie host insert indirect
    server web-1 127.0.0.1:{one} check cookie web-1
    server web-2 127.0.0.1:{two} check cookie web-2
backend odd
    server blind 127.0.0.1:{one}
    server follows 127.0.0.1:{one} track web/web-1
backend named
    option httpchk GET /health
    default-server inter 100ms rise 2 fall 2
    server byname localhost:{two} check
    server noport 127.0.0.1 check port {two}
"""


@contextlib.contextmanager
def haproxy(folder: Path, *, level: str = "admin") -> Iterator[Proxied]:
    """HAProxy, looking at its servers ten times a second; its runtime API is at `s` in the folder and on a port."""
    binary, port, socket = require(shutil.which("haproxy", path=PATH), "haproxy"), free_port(), folder / "s"
    control = free_port()

    def make() -> LoadBalancer:
        return HaproxyBalancer(
            address=str(socket), backend="web", server_options="inter 100ms", drain_seconds=DRAIN_SECONDS
        )

    rig = Proxied(port, make, lambda: ended(process))
    one, two, *_ = (backend.port for backend in rig.backends.values())
    config = folder / "haproxy.cfg"
    config.write_text(HAPROXY.format(socket=socket, level=level, control=control, port=port, one=one, two=two))
    rig.control = f"127.0.0.1:{control}"
    with background([binary, "-db", "-f", str(config)], folder / "log") as process, contextlib.closing(rig):
        wait_until(lambda: _both(rig), "HAProxy in service")
        yield rig


NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 2;
{user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/upstreams/*;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://web; }}
    }}
}}
"""
UPSTREAM = """upstream web {{
    least_conn;
    server 127.0.0.1:{one} max_fails=0; # web-1
    server 127.0.0.1:{two};
}}
"""
PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[Proxied]:
    """nginx with an upstream file that its owner wrote: one host by name, one by its address alone."""
    binary, port = require(shutil.which("nginx", path=PATH), "nginx"), free_port()
    upstreams, config = folder / "upstreams", folder / "nginx.conf"
    command = [binary, "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]

    def make() -> LoadBalancer:
        return NginxBalancer(
            upstream_file=upstreams / "web.conf",
            upstream="web",
            pid_file=folder / "nginx.pid",
            test_command=[*command, "-t"],
            reload_command=[*command, "-s", "reload"],
            health_path="/health",
            drain_seconds=DRAIN_SECONDS,
        )

    rig = Proxied(port, make, lambda: ended(process))
    one, two, *_ = (backend.port for backend in rig.backends.values())
    upstreams.mkdir()
    (upstreams / "web.conf").write_text(UPSTREAM.format(one=one, two=two))
    user = f"user {folder.owner()};" if folder.owner() == "root" else ""
    config.write_text(NGINX.format(folder=folder, port=port, user=user))
    with background(command, folder / "log") as process, contextlib.closing(rig):
        wait_until(lambda: _both(rig), "nginx in service")
        yield rig


def ended(process: subprocess.Popen[bytes]) -> None:
    """The process gets the signal to stop, and is gone."""
    process.terminate()
    process.wait(10)


def _both(rig: Proxied) -> bool:
    try:
        return rig.asked() == {host.target_id for host in rig.hosts}
    except (OSError, HTTPException, AssertionError):
        return False


class InMemory:
    """The double."""

    limits_draining, takes_odd_names = True, True

    def __init__(self) -> None:
        self.balancer = MemoryLoadBalancer("web-1", "web-2", drain_seconds=DRAIN_SECONDS)
        self.hosts, self.stranger = (target_of("web-1"), target_of("web-2")), target_of("web-9")

    def open(self) -> LoadBalancer:
        return self.balancer

    def begin(self, host: Target) -> Callable[[], bool]:
        began = self.balancer.begin(host.target_id)

        def end() -> bool:
            self.balancer.end(host.target_id)
            return began

        return end

    def asked(self) -> set[str]:
        return set(self.balancer.serving)

    def ail(self, host: Target) -> None:
        self.balancer.ail(host.target_id)

    def heal(self, host: Target) -> None:
        self.balancer.heal(host.target_id)

    def looks(self, host: Target) -> int:
        return Counter(self.balancer.calls)["allow", host.target_id]

    def go_away(self) -> None:
        self.balancer.go_away()


@contextlib.contextmanager
def webhook(tls: ssl.SSLContext | None = None) -> Iterator[InMemory]:
    """What an owner would put behind a webhook, as docs/balancers.md says: a server that looks at the signature and
    moves a balancer of its own."""
    behind = InMemory()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            wanted = "sha256=" + signature(SECRET.encode(), self.headers["X-Slipway-Timestamp"], body)
            if not hmac.compare_digest(wanted, self.headers["X-Slipway-Signature"]):
                return self._say(401, {"detail": "the signature is not right"})
            return self._move(json.loads(body))

        def _move(self, asked: dict[str, Any]) -> None:
            host = target_of(asked["target"]["id"], asked["target"]["address"])
            step = getattr(behind.balancer, asked["action"])
            try:
                standing = step(host, waited=asked["waitedSeconds"])
            except BalancerRefuses as error:
                return self._say(409, {"detail": error.message})
            except WorldError as error:
                return self._say(503, {"detail": error.message})
            return self._say(200, {"done": standing.done, "detail": standing.detail})

        def _say(self, status: int, answer: dict[str, object]) -> None:
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with serving(Handler, tls) as url:

        def make() -> LoadBalancer:
            return WebhookBalancer(name="edge", url=f"{url}/slipway", secret=SECRET)

        behind.open = make  # type: ignore[method-assign]
        yield behind


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server of this process; its address."""
    with Quiet(("127.0.0.1", 0), handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@dataclass
class InAws:
    """A balancer in moto, which knows neither requests nor illness nor draining: `state_of` is told what AWS would say
    then, and everything else (who is registered, which calls there are, what they refuse) is moto's own."""

    hosts: tuple[Target, Target]
    stranger: Target
    make: Callable[[Aws], LoadBalancer]
    registered: Callable[[], set[str]]
    aws: Aws
    limits_draining, takes_odd_names = False, False

    def __post_init__(self) -> None:
        self.busy: set[str] = set()
        self.ill: set[str] = set()
        self.seen: Counter[str] = Counter()

    def open(self) -> LoadBalancer:
        return self.make(self.aws)

    def begin(self, host: Target) -> Callable[[], bool]:
        self.busy.add(host.target_id)

        def end() -> bool:
            self.busy.discard(host.target_id)
            return True

        return end

    def asked(self) -> set[str]:
        return self.registered() - self.ill

    def ail(self, host: Target) -> None:
        self.ill.add(host.target_id)

    def heal(self, host: Target) -> None:
        self.ill.discard(host.target_id)

    def looks(self, host: Target) -> int:
        return self.seen[host.target_id]

    def go_away(self) -> None:
        self.aws = Aws(AwsAccess(region=REGION, endpoint_url=f"http://127.0.0.1:{free_port()}", **KEYS))


@contextlib.contextmanager
def target_group(aws: FakeAws, ids: Sequence[str], patch: Any) -> Iterator[InAws]:
    """A target group of two instances. moto's answer to DescribeTargetHealth is changed where one is busy or ill."""
    name = f"group-{uuid.uuid4().hex[:8]}"
    client = aws.client("elbv2")
    arn = make_group(aws, name)
    client.register_targets(TargetGroupArn=arn, Targets=[{"Id": each} for each in ids[:2]])

    def registered() -> set[str]:
        told = client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return {each["Target"]["Id"] for each in told}

    first, second, third = map(target_of, ids)
    rig = InAws((first, second), third, lambda to: TargetGroupBalancer(to, name), registered, aws.access)
    truly = FakeTargetGroup.health_for

    def health_for(group: FakeTargetGroup, target: dict[str, Any], ec2: Any) -> FakeHealthStatus:
        found, host = truly(group, target, ec2), target["Id"]
        rig.seen[host] += 1
        if found.status == "unused" and host in rig.busy:
            found.status, found.reason = "draining", "Target.DeregistrationInProgress"
        elif found.status == "healthy" and host in rig.ill:
            found.status, found.reason = "unhealthy", "Target.ResponseCodeMismatch"
        return found

    patch.setattr(FakeTargetGroup, "health_for", health_for)
    yield rig


def make_group(aws: FakeAws, name: str, kind: str = "instance") -> str:
    """A target group; its ARN."""
    vpc = aws.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    made = aws.client("elbv2").create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc, TargetType=kind)
    return str(made["TargetGroups"][0]["TargetGroupArn"])


@contextlib.contextmanager
def classic(aws: FakeAws, ids: Sequence[str], patch: Any) -> Iterator[InAws]:
    """A Classic Load Balancer of two instances. moto's answer to DescribeInstanceHealth is changed where one is busy or
    ill, and for those that are not registered: they are OutOfService with AWS, not Unknown."""
    name = f"balancer-{uuid.uuid4().hex[:8]}"
    client = aws.client("elb")
    client.create_load_balancer(
        LoadBalancerName=name,
        Listeners=[{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}],
        AvailabilityZones=["us-east-1a"],
    )
    client.register_instances_with_load_balancer(
        LoadBalancerName=name, Instances=[{"InstanceId": each} for each in ids[:2]]
    )

    def registered() -> set[str]:
        (found,) = client.describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"]
        return {each["InstanceId"] for each in found["Instances"]}

    first, second, third = map(target_of, ids)
    rig = InAws((first, second), third, lambda to: ClassicBalancer(to, name), registered, aws.access)
    truly = ELBResponse.describe_instance_health

    def describe(response: ELBResponse) -> ActionResult:
        answer = truly(response)
        told: Any = answer.result
        for each in told["InstanceStates"]:
            host = each["InstanceId"]
            rig.seen[host] += 1
            if each["State"] == "Unknown" and host in rig.busy:
                each |= {"State": "InService", "Description": "Instance deregistration currently in progress."}
            elif each["State"] == "Unknown" or host in rig.ill:
                each["State"] = "OutOfService"
        return answer

    patch.setattr(ELBResponse, "describe_instance_health", describe)
    yield rig
