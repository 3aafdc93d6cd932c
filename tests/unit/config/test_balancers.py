"""Load balancers of the settings: read from a file and from one variable, shown in the example, never repeated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from config.balancers import KINDS, HaproxySettings, WebhookSettings
from config.settings import InvalidSettings, Settings, load_settings
from tests.unit.config.commented import example_of
from workers.wiring import make_load_balancer, make_load_balancers

HAPROXY = {"kind": "haproxy", "address": "/run/haproxy.sock", "backend": "web"}
WEBHOOK = {"kind": "webhook", "url": "https://balancer.internal/token", "secret": "hush-hush-hush-hush"}


@pytest.fixture(autouse=True)
def store(bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings need one; nobody asks it."""
    monkeypatch.setenv("SLIPWAY_STORE__URL", "redis://127.0.0.1:1")


def given(monkeypatch: pytest.MonkeyPatch, content: object) -> Settings:
    monkeypatch.setenv("SLIPWAY_LOAD_BALANCERS", content if isinstance(content, str) else json.dumps(content))
    return load_settings()


def test_one_variable_holds_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    balancers = given(monkeypatch, {"web": HAPROXY, "edge": WEBHOOK}).load_balancers
    assert isinstance(balancers["web"], HaproxySettings)
    assert isinstance(edge := balancers["edge"], WebhookSettings)
    assert edge.secret.get_secret_value() == "hush-hush-hush-hush"
    assert "hush" not in repr(balancers)


def test_a_file_holds_them_and_the_variable_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "slipway.yml"
    file.write_text(yaml.safe_dump({"load_balancers": {"web": HAPROXY}}))
    monkeypatch.setenv("SLIPWAY_CONFIG", str(file))
    assert set(load_settings().load_balancers) == {"web"}
    assert set(given(monkeypatch, {"edge": WEBHOOK}).load_balancers) == {"edge"}


def test_the_example_shows_every_kind_and_field_and_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = example_of("load_balancers")
    assert {entry["kind"] for entry in shown.values()} == KINDS.keys()
    for entry in shown.values():
        assert entry.keys() == KINDS[entry["kind"]].model_fields.keys()
    settings = given(monkeypatch, shown)
    for name, mine in settings.load_balancers.items():
        assert make_load_balancer(name, mine)
    assert make_load_balancers(settings)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"web": hush', "must be JSON"),
        pytest.param("[" * 100_000, "must be JSON", id="deep"),
        ("[1]", "must be a mapping"),
        ({"web": "hush"}, "web: kind must be one of haproxy, nginx, webhook"),
        ({"web": {"kind": "hush"}}, "web: kind must be one of"),
        ({"web": {"kind": ["hush"]}}, "web: kind must be one of"),
        ({"web": {**HAPROXY, "hush": 1}}, "web.hush: Extra inputs"),
        ({"web": {**HAPROXY, "backend": "hush; show info"}}, "web.backend: String should match"),
        ({"web": {**HAPROXY, "address": "hush"}}, "web.address: String should match"),
        ({"web": {**HAPROXY, "server": "hush"}}, "web.server: String should match"),
        ({"web": {**HAPROXY, "server_options": "inter 1s; hush"}}, "web.server_options: String should match"),
        ({"edge": {**WEBHOOK, "secret": "hush"}}, "edge.secret: Value should have at least 16"),
        ({"edge": {**WEBHOOK, "url": "https://user:hush@host/"}}, "edge.url: String should match"),
        ({"edge": {**WEBHOOK, "url": "http://[::1/hush"}}, "edge.url: Value error, needs a host and, if any, a port"),
        ({"edge": {**WEBHOOK, "url": "http://hush:70000/"}}, "edge.url: Value error, needs a host"),
        ({"site": {"kind": "nginx", "upstream": "web"}}, "site.upstream_file: Field required"),
        ({"site": {"kind": "nginx", "upstream": "a{", "upstream_file": "/x"}}, "site.upstream: String should match"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch, content: object, told: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        given(monkeypatch, content)
    assert f"SLIPWAY_LOAD_BALANCERS: {told}" in caught.value.message
    assert "hush" not in caught.value.message.replace("web.hush", "")
