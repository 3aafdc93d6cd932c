"""Alarms of the settings: read from a file and from one variable, shown in the example, never repeated."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from adapters.alarms.prometheus import PrometheusAlarm
from config.alarms import KINDS, HttpSettings, PrometheusSettings
from config.settings import InvalidSettings, Settings, load_settings
from tests.unit.config.commented import example_of
from workers.installation import for_hosts
from workers.wiring import make_alarm, make_alarms

ERRORS = {"kind": "prometheus", "url": "https://prometheus.internal/", "query": "up == 0", "token": "hush"}
HEALTH = {"kind": "http", "url": "https://shop.internal/health?key=hush"}


@pytest.fixture(autouse=True)
def store(bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings need one; nobody asks it."""
    monkeypatch.setenv("SLIPWAY_STORE__URL", "redis://127.0.0.1:1")


def given(monkeypatch: pytest.MonkeyPatch, content: object) -> Settings:
    monkeypatch.setenv("SLIPWAY_ALARMS", content if isinstance(content, str) else json.dumps(content))
    return load_settings()


def test_one_variable_holds_them_all_and_no_host_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    alarms = given(monkeypatch, {"errors": ERRORS, "shop-health": HEALTH}).alarms
    assert isinstance(errors := alarms["errors"], PrometheusSettings)
    assert isinstance(alarms["shop-health"], HttpSettings)
    assert errors.token.get_secret_value() == "hush"
    assert "hush" not in repr(errors)
    assert "SLIPWAY_ALARMS" not in for_hosts(os.environ)


def test_a_file_holds_them_and_the_variable_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "slipway.yml"
    file.write_text(yaml.safe_dump({"alarms": {"errors": ERRORS}}))
    monkeypatch.setenv("SLIPWAY_CONFIG", str(file))
    assert set(load_settings().alarms) == {"errors"}
    assert set(given(monkeypatch, {"health": HEALTH}).alarms) == {"health"}


def test_the_example_shows_every_kind_and_field_and_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = example_of("alarms")
    assert {entry["kind"] for entry in shown.values()} == KINDS.keys()
    for entry in shown.values():
        assert entry.keys() == KINDS[entry["kind"]].model_fields.keys()
    settings = given(monkeypatch, shown)
    assert {make_alarm(mine).kind for mine in settings.alarms.values()} == KINDS.keys()
    assert make_alarms(settings)


def test_secrets_reach_the_alarm_they_are_for(monkeypatch: pytest.MonkeyPatch) -> None:
    alarm = make_alarm(given(monkeypatch, {"errors": ERRORS}).alarms["errors"])
    assert isinstance(alarm, PrometheusAlarm)
    assert alarm._headers["Authorization"] == "Bearer hush"
    assert alarm._url == "https://prometheus.internal/api/v1/query"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"errors": hush', "must be JSON"),
        pytest.param("[" * 100_000, "must be JSON", id="deep"),
        ("[1]", "must be a mapping"),
        ({"errors": "hush"}, "errors: kind must be one of prometheus, http"),
        ({"errors": {"kind": ["hush"]}}, "errors: kind must be one of"),
        ({"errors": {**ERRORS, "other": "hush"}}, "errors.other: Extra inputs"),
        ({"errors": {**ERRORS, "url": "https://user:hush@host/"}}, "errors.url: String should match"),
        ({"errors": {**ERRORS, "url": "https://host/x?hush"}}, "errors.url: String should match"),
        ({"errors": {**ERRORS, "url": "file:///hush"}}, "errors.url: String should match"),
        ({"errors": {**ERRORS, "query": ""}}, "errors.query: String should have at least 1"),
        ({"errors": {**ERRORS, "above": "hush"}}, "errors.above: Input should be a valid number"),
        ({"errors": {**ERRORS, "token": "hush\nX: y"}}, "errors.token: Value error, must be printable ASCII"),
        ({"errors": {**ERRORS, "username": "u", "password": "hush"}}, "give a username or a token"),
        ({"errors": {**ERRORS, "token": "", "username": "u"}}, "username and password belong together"),
        ({"errors": {**ERRORS, "token": "", "password": "hush"}}, "username and password belong together"),
        ({"health": {**HEALTH, "status": 999}}, "health.status: Input should be less than or equal to 599"),
        ({"health": {**HEALTH, "seconds": 11}}, "health.seconds: Input should be less than or equal to 10"),
        (
            {"errors": {**ERRORS, "url": "http://[::1/hush"}},
            "errors.url: Value error, needs a host and, if any, a port",
        ),
        ({"health": {**HEALTH, "url": "http://[hush]/h"}}, "health.url: Value error, needs a host"),
        ({"health": {**HEALTH, "url": "http://a]b/hush"}}, "health.url: Value error, needs a host"),
        ({"health": {**HEALTH, "url": "http://hush:99999/"}}, "health.url: Value error, needs a host"),
        ({"health": {**HEALTH, "url": "http://hush:x/"}}, "health.url: Value error, needs a host"),
        ({"health": {**HEALTH, "url": "http://hush..internal/"}}, "health.url: Value error, needs a host"),
        ({"health": {"kind": "http", "url": "https://hush\n/"}}, "health.url: String should match"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch, content: object, told: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        given(monkeypatch, content)
    assert "SLIPWAY_ALARMS: " in caught.value.message
    assert told in caught.value.message
    assert "hush" not in caught.value.message
