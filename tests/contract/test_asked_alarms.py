"""What only alarms have that are asked by HTTP: statuses and samples with a meaning, logins, strangers at the other
end."""

from __future__ import annotations

import math
import shutil
import ssl
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from adapters.alarms.choosing import SIDE_BY_SIDE, ChosenAlarms
from adapters.alarms.http import MOST_BYTES, HttpAlarm
from adapters.alarms.prometheus import PrometheusAlarm
from domain.alarms import AlarmState
from domain.errors import AlarmUnreadable, WorldError
from tests.alarm_places import QUERY, LikePrometheus, Server, server, succeeded, vector
from tests.services import require
from tests.tls import make_authority, make_certificate

SECRET = "hush-hush-hush"
OK, ALARM, NO_DATA = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA
HISTOGRAM = succeeded("vector", [{"metric": {}, "histogram": [1.0, {"count": "4"}]}])


def drip(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        request.wfile.write(b"x")
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("body", "bounds", "state", "detail"),
    [
        (vector(), {}, OK, ""),
        (vector("0"), {}, ALARM, "the query answers 0"),
        (vector("NaN"), {}, ALARM, "the query answers nan"),
        (HISTOGRAM, {}, ALARM, "the query answers nan"),
        (vector(), {"above": 1.0}, NO_DATA, "no number"),
        (vector("NaN", "NaN"), {"above": 1.0}, NO_DATA, "no number"),
        (HISTOGRAM, {"below": 1.0}, NO_DATA, "no number"),
        (vector("1"), {"above": 1.0}, OK, ""),
        (vector("0.5", "NaN", "1.5"), {"above": 1.0}, ALARM, "1.5 is above 1"),
        (vector("+Inf"), {"above": 1.0}, ALARM, "inf is above 1"),
        (vector("2", "0.5"), {"below": 1.0}, ALARM, "0.5 is below 1"),
        (vector("1", "2"), {"below": 1.0, "above": 2.0}, OK, ""),
        (succeeded("scalar", [1.0, "3"]), {"above": 1.0}, ALARM, "3 is above 1"),
        (succeeded("scalar", [1.0, "0"]), {"above": 1.0}, OK, ""),
    ],
)
def test_what_samples_mean(body: bytes, bounds: dict[str, Any], state: AlarmState, detail: str) -> None:
    with server() as told:
        told.body = body
        reading = PrometheusAlarm(url=told.url, query="up", **bounds).read()
    assert reading.state is state
    assert detail in reading.detail


def test_prometheus_is_asked_by_its_own_rules() -> None:
    with server() as told:
        place = LikePrometheus(told)
        place.open().read([place.name])
        assert place.query() == QUERY
        PrometheusAlarm(url=f"{told.url}/prom/", query="up", above=1).read()
        (path, headers, body), (below, _, bounded) = told.asked
    assert (path, below) == ("/api/v1/query", "/prom/api/v1/query")
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert b"limit=1" in body
    assert b"timeout=5000ms" in body
    # Every series may be the one that is beyond the bound.
    assert b"limit" not in bounded


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (400, b'{"status":"error","error":"parse error"}', AlarmUnreadable, "refuses the query (400): 'parse error'"),
        (401, b"who?", AlarmUnreadable, "refuses the query (401): 'who?'"),
        (403, b"", AlarmUnreadable, "refuses the query (403)"),
        (404, b"<html>", WorldError, "(404): '<html>'"),
        (422, b'{"status":"error","error":"many-to-many"}', WorldError, "(422): 'many-to-many'"),
        (503, b'{"status":"error","error":"timed out"}', WorldError, "(503): 'timed out'"),
        (302, b"", WorldError, "as it should (302)"),
        (200, b'{"status":"error","error":"odd"}', WorldError, "(200): 'odd'"),
        (200, b"no json", WorldError, "'no json'"),
        (200, b"[1]", WorldError, "'[1]'"),
        (200, b'{"status":"success"}', WorldError, "as it should"),
        (200, b"[" * 100_000, WorldError, "as it should"),
        (200, b" " * 300_000, WorldError, "more than 262144 bytes"),
        (200, succeeded("vector", {"a": 1}), WorldError, "a vector that is none"),
        (200, succeeded("matrix", []), AlarmUnreadable, "'matrix'"),
        (200, succeeded("string", [1.0, "x"]), AlarmUnreadable, "'string'"),
        (200, succeeded("scalar", [1.0, "3"]), AlarmUnreadable, "say above or below"),
    ],
)
def test_what_cannot_be_read(status: int, body: bytes, kind: type[Exception], told: str) -> None:
    with server() as other:
        other.status, other.body, other.headers = status, body, [("Location", "http://127.0.0.1:1/")]
        with pytest.raises(kind) as caught:
            PrometheusAlarm(url=other.url, query="up", token=SECRET).read()
        assert len(other.asked) == 1
    assert told in str(caught.value)
    assert len(str(caught.value)) < 300
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("sample", [None, 1, "x", [], [1], [1, 2], [1, "two"], {"value": 3}, {"value": [1, None]}])
def test_a_sample_that_is_none_is_not_a_number(sample: object) -> None:
    with server() as told:
        told.body = succeeded("vector", [sample])
        assert PrometheusAlarm(url=told.url, query="up", above=-math.inf).read().state is NO_DATA


@pytest.mark.parametrize(
    ("login", "header"),
    [
        ({"token": SECRET}, f"Bearer {SECRET}"),
        ({"username": "slipway", "password": SECRET}, "Basic c2xpcHdheTpodXNoLWh1c2gtaHVzaA=="),
        ({}, None),
    ],
)
@pytest.mark.parametrize("kind", [PrometheusAlarm, HttpAlarm])
def test_who_asks_is_said(kind: Any, login: dict[str, str], header: str | None) -> None:
    with server() as told:
        told.body = vector()
        kind(url=told.url, **login, **({"query": "up"} if kind is PrometheusAlarm else {})).read()
        assert told.asked[0][1].get("Authorization") == header


def test_a_secret_that_cannot_be_sent_is_not_told() -> None:
    with server() as told, pytest.raises(WorldError) as caught:
        PrometheusAlarm(url=told.url, query="up", token=f"{SECRET}\nX: y").read()
    assert SECRET not in str(caught.value)


def checked(told: Server, **more: Any) -> tuple[AlarmState | None, str]:
    reading = HttpAlarm(url=f"{told.url}/health?key={SECRET}", **more).read()
    assert SECRET not in reading.detail
    return reading.state, reading.detail


@pytest.mark.parametrize(
    ("status", "body", "wanted", "state", "detail"),
    [
        (200, b"", {}, OK, ""),
        (204, b"", {"status": 204}, OK, ""),
        (204, b"", {}, ALARM, "it answers with the status 204, not 200"),
        (302, b"", {}, ALARM, "status 302, not 200"),
        (302, b"", {"status": 302}, OK, ""),
        (200, "bereit: größer".encode(), {"text": "größer"}, OK, ""),
        (200, b"starting", {"text": "ready"}, ALARM, "lacks the text"),
        (200, b"x" * (MOST_BYTES + 1), {"text": "x"}, ALARM, "more than"),
        # Nobody wants it then.
        (200, b"x" * (MOST_BYTES + 1), {}, OK, ""),
    ],
)
def test_what_an_answer_means(status: int, body: bytes, wanted: dict[str, Any], state: AlarmState, detail: str) -> None:
    with server() as told:
        told.status, told.body, told.headers = status, body, [("Location", "http://127.0.0.1:1/")]
        found = checked(told, **wanted)
        assert len(told.asked) == 1
    assert found[0] is state
    assert detail in found[1]


def test_an_answer_that_drips_ends() -> None:
    with server() as told:
        told.say = drip
        began = time.monotonic()
        assert checked(told, seconds=0.3)[0] is ALARM
        with pytest.raises(WorldError):
            PrometheusAlarm(url=told.url, query="up", seconds=0.3).read()
        assert time.monotonic() - began < 5


def test_how_many_looks_make_it_active_is_told_and_not_counted() -> None:
    with server() as told:
        told.status = 500
        alarm = HttpAlarm(url=told.url, failures=4)
        assert [alarm.read().in_a_row for _ in range(5)] == [4] * 5


def test_over_tls_the_server_must_be_known(tmp_path: Path) -> None:
    require(shutil.which("openssl"), "openssl")
    authority = str(make_authority(tmp_path))
    make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    with server(context) as told:
        told.body = vector()
        assert PrometheusAlarm(url=told.url, query="up", ca_file=authority).read().state is OK
        assert HttpAlarm(url=told.url, ca_file=authority).read().state is OK
        with pytest.raises(WorldError, match="certificate verify failed"):
            PrometheusAlarm(url=told.url, query="up").read()
        assert "certificate verify failed" in HttpAlarm(url=told.url).read().detail


@pytest.mark.parametrize("kind", [HttpAlarm, PrometheusAlarm])
def test_certificates_that_cannot_be_read_say_nothing_of_the_server(kind: Any, tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    more = {"query": "up"} if kind is PrometheusAlarm else {}
    for name in ("nowhere.pem", "text.pem"):
        file = str(tmp_path / name)
        alarm = kind(url="https://127.0.0.1:1/", ca_file=file, **more)
        (reading,) = ChosenAlarms({"shop": alarm}).read(["shop"]).values()
        assert (reading.state, reading.lasting) == (None, True)
        assert file in reading.detail


@pytest.mark.parametrize(("seconds", "told"), [(2.5, b"2500ms"), (10, b"10000ms"), (0.0001, b"1ms")])
def test_prometheus_is_told_its_time_in_whole_units(seconds: float, told: bytes) -> None:
    assert b"timeout=" + told in PrometheusAlarm(url="http://a", query="up", seconds=seconds)._body.split(b"&")


def test_slow_ones_are_waited_for_together() -> None:
    def hold(_: BaseHTTPRequestHandler) -> None:
        time.sleep(1)

    with server() as told:
        told.say = hold
        many = {f"slow-{n}": HttpAlarm(url=told.url, seconds=0.3) for n in range(SIDE_BY_SIDE)}
        began = time.monotonic()
        found = ChosenAlarms(many).read(list(many))
        assert time.monotonic() - began < 0.3 * SIDE_BY_SIDE / 2
    assert {reading.state for reading in found.values()} == {ALARM}
