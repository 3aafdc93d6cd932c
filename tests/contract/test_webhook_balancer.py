"""What only a webhook has: statuses with a meaning, a signature, and a stranger at the other end."""

from __future__ import annotations

import json
import shutil
import ssl
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from adapters.load_balancers.webhook import WebhookBalancer, signature
from domain.errors import BalancerRefuses, WorldError
from tests.balancers import SECRET, serving, target_of, webhook
from tests.services import require
from tests.tls import make_authority, make_certificate

Say = Callable[[BaseHTTPRequestHandler], None]


def answering(status: int, body: bytes, *headers: tuple[str, str]) -> Say:
    def say(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return say


def drip(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        request.wfile.write(b"x")
        time.sleep(0.02)


def asked(say: Say, *, seconds: float = 5.0, secret: str = SECRET) -> tuple[object, list[tuple[str, str, bytes]]]:
    """What comes of a step, and what the other side was asked."""
    heard: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.headers["X-Slipway-Timestamp"], self.headers["X-Slipway-Signature"], body))
            try:
                say(self)
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with serving(Handler) as url:
        balancer = WebhookBalancer(name="edge", url=f"{url}/a-token", secret=secret, seconds=seconds, now=lambda: 1700)
        try:
            return balancer.block(target_of("web-1", "10.0.0.1:80"), waited=1.5), heard
        except (WorldError, BalancerRefuses) as error:
            return error, heard


def test_what_is_asked_is_signed_with_its_time() -> None:
    standing, ((timestamp, signed, body),) = asked(answering(200, b'{"done": true, "detail": "gone\\nfor good"}'))
    assert (standing.done, standing.detail) == (True, "gone for good")  # type: ignore[attr-defined]
    assert json.loads(body) == {
        "action": "block",
        "balancer": "edge",
        "target": {"id": "web-1", "arn": "arn:aws:x:web-1", "address": "10.0.0.1:80", "zone": None},
        "waitedSeconds": 1.5,
    }
    assert (timestamp, signed) == ("1700", f"sha256={signature(SECRET.encode(), '1700', body)}")
    assert signature(b"key", "1700", b"{}") == "361aa5663efd83b7306b8faab538c45cb3917c7f9cea6d645ae8d59bfb86f941"


@pytest.mark.parametrize(
    ("say", "kind", "told"),
    [
        (answering(409, b'{"detail": "not this one"}'), BalancerRefuses, "refuses (409): not this one"),
        (answering(422, b""), BalancerRefuses, "refuses (422)"),
        (answering(500, b"oh"), WorldError, "answers 500: 'oh'"),
        (answering(401, b'{"detail": "who?"}'), WorldError, "answers 401: who?"),
        (answering(204, b""), WorldError, "answers 204"),
        (answering(302, b"", ("Location", "http://127.0.0.1:1/")), WorldError, "answers 302"),
        (answering(200, b"yes"), WorldError, 'without "done"'),
        (answering(200, b'{"done": "yes"}'), WorldError, 'without "done"'),
        (answering(200, b"[" * 60_000), WorldError, 'without "done"'),
        (answering(200, b" " * 70_000), WorldError, "more than 65536 bytes"),
        (answering(200, b"", ("Transfer-Encoding", "chunked")), WorldError, "does not answer"),
        (lambda request: request.wfile.write(b"hello\r\n\r\n"), WorldError, "does not answer"),
    ],
)
def test_what_an_answer_means(say: Say, kind: type[Exception], told: str) -> None:
    came, heard = asked(say)
    assert isinstance(came, kind)
    assert told in str(came)
    assert len(str(came)) < 500
    assert "a-token" not in str(came)
    assert SECRET not in str(came)
    assert len(heard) == 1


def test_an_answer_that_drips_ends() -> None:
    began = time.monotonic()
    came, _ = asked(drip, seconds=0.3)
    assert isinstance(came, WorldError)
    assert "too long" in str(came) or "timed out" in str(came)
    assert time.monotonic() - began < 5


def test_over_tls_the_server_must_be_known(tmp_path: Path) -> None:
    require(shutil.which("openssl"), "openssl")
    authority = str(make_authority(tmp_path))
    make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    with webhook(context) as rig:
        url = rig.open()._url  # type: ignore[attr-defined]
        known = WebhookBalancer(name="edge", url=url, secret=SECRET, ca_file=authority)
        assert known.block(rig.hosts[0], waited=0).done
        with pytest.raises(WorldError, match="certificate verify failed"):
            WebhookBalancer(name="edge", url=url, secret=SECRET).allow(rig.hosts[0], waited=0)
        assert rig.balancer.serving == {"web-2"}


def test_another_secret_is_found_out() -> None:
    with webhook() as rig:
        balancer = rig.open()
        balancer._secret = b"another"  # type: ignore[attr-defined]
        with pytest.raises(WorldError, match="the signature is not right"):
            balancer.block(rig.hosts[0], waited=0)
        assert not rig.balancer.calls
