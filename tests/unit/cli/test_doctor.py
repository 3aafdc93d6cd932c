"""What the doctor says of load balancers, alarms and channels."""

from __future__ import annotations

import pytest

from cli import doctor
from config.settings import Settings
from domain.channels import ChannelState
from tests.alarm_places import server, vector


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
