"""What the doctor says of load balancers."""

from __future__ import annotations

import pytest

from cli import doctor
from config.settings import Settings


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
