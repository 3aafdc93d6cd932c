"""What the doctor says of what is there and of what is not, whatever that does to whoever looks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.alarms.http import HttpAlarm
from adapters.store import connection as store
from cli import doctor
from cli.world import settings, world
from config.settings import Settings
from domain.channels import ChannelState
from tests.alarm_places import server, vector
from tests.peers import peer
from workers import wiring


def test_each_load_balancer_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    away = {"kind": "haproxy", "address": "/nowhere/haproxy.sock", "backend": "web"}
    hook = {"kind": "webhook", "url": "http://127.0.0.1:1", "secret": "hush-hush-hush-hush"}
    monkeypatch.setattr(doctor, "settings", lambda: Settings(load_balancers={"web": away, "edge": hook}))
    gone, unknown = doctor._load_balancers()
    assert not gone.well
    assert "HAProxy at /nowhere/haproxy.sock does not answer" in gone.detail
    assert "the entry web of the setting load_balancers" in gone.advice
    assert unknown.well
    assert unknown.detail == "is asked at deployments only"


def test_each_alarm_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    with server() as told:
        told.body = vector("0.27")
        errors = {"kind": "prometheus", "url": told.url, "query": "up", "above": 0.05}
        bad = {**errors, "above": None, "url": "http://127.0.0.1:1"}
        monkeypatch.setattr(doctor, "settings", lambda: Settings(alarms={"errors": errors, "bad": bad}))
        active, away = doctor._alarms()
    # That it is active is no fault of the installation.
    assert (active.well, active.detail) == (True, "prometheus says ALARM: 0.27 is above 0.05")
    assert not away.well
    assert "http://127.0.0.1:1 does not answer" in away.detail
    assert "the entry bad of the setting alarms" in away.advice


def test_a_channel_that_is_well_one_that_fails_and_one_with_dead_letters() -> None:
    well = doctor._channel(ChannelState(name="exchange", told=7), served=True, now=100.0)
    assert (well.well, well.detail) == (True, "0 events wait for it")
    failing = ChannelState(name="sns", waiting=3, tries=4, failing_since=40.0, why="AWS does not answer", lost=2)
    gone = doctor._channel(failing, served=True, now=100.0)
    assert not gone.well
    assert gone.detail == (
        "has failed for 60 seconds, 4 tries: AWS does not answer; 3 events wait for it; it will never be told of 2 "
        "earlier ones"
    )
    dead = doctor._channel(ChannelState(name="webhook:chat", dead=1), served=True, now=100.0)
    assert not dead.well
    assert "slipway events --redrive webhook:chat" in dead.advice
    other = doctor._channel(ChannelState(name="old", waiting=1), served=False, now=100.0)
    assert other.detail == "1 events wait for it; it is not in these settings"


NOTHING = "127.0.0.1:1"
HUSH = "hush-hush"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """An installation of which nothing is there."""
    for name in [name for name in os.environ if name.startswith("SLIPWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLIPWAY_STORE__URL", f"redis://:{HUSH}@{NOTHING}")
    monkeypatch.setenv("SLIPWAY_BUNDLES__BASE_URL", f"http://{NOTHING}")
    monkeypatch.setattr(store, "RETRIES", 0)
    for each in (settings, world):
        each.cache_clear()
    yield monkeypatch
    for each in (settings, world):
        each.cache_clear()


def found() -> dict[str, tuple[bool, str, str]]:
    """What the command says, by what was looked at."""
    done = CliRunner().invoke(doctor.doctor, ["--json"])
    assert done.exit_code == 1, done.exception
    assert HUSH not in done.output
    return {each["check"]: (each["ok"], each["detail"], each["advice"]) for each in json.loads(done.output)}


AWAY = {
    "the store's Redis": ({}, "redis://***@127.0.0.1:1 does not answer"),
    "a Redis": ({"BROKER__URL": f"redis://:{HUSH}@{NOTHING}"}, "redis://***@127.0.0.1:1 does not answer"),
    "RabbitMQ": ({"BROKER__URL": f"amqp://me:{HUSH}@{NOTHING}"}, "amqp://***@127.0.0.1:1 does not answer"),
    "TLS": ({"BROKER__URL": f"rediss://:{HUSH}@{NOTHING}"}, "does not answer"),
    "no host": ({"BROKER__URL": f"amqp://me:{HUSH}@nowhere.invalid"}, "does not answer"),
}


@pytest.mark.parametrize(("variables", "told"), AWAY.values(), ids=AWAY.keys())
def test_a_broker_that_is_away_is_said_and_all_else_looked_at(
    bare: pytest.MonkeyPatch, variables: dict[str, str], told: str
) -> None:
    for name, value in variables.items():
        bare.setenv(f"SLIPWAY_{name}", value)
    findings = found()
    well, detail, advice = findings["broker"]
    assert not well
    assert told in detail
    assert advice == "start it, or set SLIPWAY_BROKER__URL"
    assert not findings["store"][0]
    assert not findings["bundle store"][0]
    assert {"setfacl", "semanage"} <= findings.keys()


@pytest.mark.parametrize("said", [b"", b"-ERR no\r\n", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"])
@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_what_listens_there_and_is_something_else(bare: pytest.MonkeyPatch, scheme: str, said: bytes) -> None:
    bare.setattr(doctor, "LONGEST", 1.0)
    with peer(said) as other:
        bare.setenv("SLIPWAY_BROKER__URL", f"{scheme}://127.0.0.1:{other.port}")
        bare.setenv("SLIPWAY_STORE__URL", f"redis://127.0.0.1:{other.port}")
        bare.setenv("SLIPWAY_BUNDLES__BASE_URL", f"http://127.0.0.1:{other.port}")
        findings = found()
    for check in ("store", "broker", "bundle store"):
        well, detail, advice = findings[check]
        assert not well
        assert "does not answer: " in detail
        assert advice
    assert "setfacl" in findings


def test_settings_that_cannot_be_used_are_a_finding(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("SLIPWAY_ALARMS", json.dumps({"health": {"kind": "http", "url": f"http://[::1/{HUSH}"}}))
    findings = found()
    well, detail, advice = findings["settings"]
    assert not well
    assert "SLIPWAY_ALARMS: health.url" in detail
    assert "config/examples/slipway.yml" in advice
    assert "setfacl" in findings


def test_no_store_at_all_is_said_with_what_to_do(bare: pytest.MonkeyPatch) -> None:
    bare.delenv("SLIPWAY_STORE__URL")
    bare.setenv("SLIPWAY_BROKER__URL", f"amqp://{NOTHING}")
    findings = found()
    assert "no store is set" in findings["store"][1]
    assert "does not answer" in findings["broker"][1]
    assert not findings["bundle store"][0]


BROKEN = {
    "load balancers": "_load_balancers",
    "alarms": "_alarms",
    "channels": "_channels",
    "hosts": "_agents",
}


@pytest.mark.parametrize(("check", "function"), BROKEN.items(), ids=BROKEN.keys())
def test_a_look_that_fails_itself_keeps_no_other_from_being_taken(
    bare: pytest.MonkeyPatch, check: str, function: str
) -> None:
    def fall() -> Iterator[doctor.Finding]:
        yield doctor.Finding("first", well=True, detail="seen")
        raise KeyError(f"redis://:{HUSH}@h")

    bare.setattr(doctor, "_ping_store", lambda: None)
    for each in BROKEN.values():
        bare.setattr(doctor, each, lambda: iter([doctor.Finding("other", well=True, detail="seen")]))
    bare.setattr(doctor, function, fall)
    findings = found()
    well, detail, advice = findings[check]
    assert (well, detail) == (False, "KeyError: 'redis://***@h'")
    assert advice
    assert {"first", "other", "setfacl"} <= findings.keys()


def test_a_store_that_goes_away_on_the_way_ends_nothing(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(doctor, "_ping_store", lambda: None)
    findings = found()
    assert findings["store"][0]
    for check in ("channels", "hosts"):
        assert not findings[check][0]
        assert "Redis at redis://127.0.0.1:1 does not answer" in findings[check][1]


def test_an_alarm_and_a_balancer_that_meet_a_bug_are_findings(bare: pytest.MonkeyPatch) -> None:
    def fall(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    bare.setattr(HttpAlarm, "read", fall)
    bare.setattr(wiring, "make_load_balancer", fall)
    hook = {"kind": "webhook", "url": f"http://{NOTHING}", "secret": "x" * 16}
    bare.setenv("SLIPWAY_ALARMS", json.dumps({"health": {"kind": "http", "url": f"http://{NOTHING}"}}))
    bare.setenv("SLIPWAY_LOAD_BALANCERS", json.dumps({"edge": hook}))
    findings = found()
    assert findings["alarm health"][:2] == (False, "an internal error; the log has it")
    assert findings["load balancer edge"][:2] == (False, "KeyError: 'a bug'")
