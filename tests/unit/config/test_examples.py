"""The annotated examples: they load, they name every setting, and what they call a default is one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.settings import Settings, load_settings, variables

EXAMPLES = Path(__file__).resolve().parents[3] / "config" / "examples"

GIVEN = frozenset(
    {
        *("broker.url", "store.url", "api.audit_file", "agent.host_id", "bundles.directory", "flower.basic_auth"),
        *("s3.endpoint_url", "s3.region", "s3.access_key_id", "s3.secret_access_key"),
    }
)
"""What has no default worth showing: the example shows how one looks."""


def flat(content: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in content.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, dict) and value else {f"{above}{name}": value}
    return found


def read_env(name: str) -> dict[str, str]:
    lines = (EXAMPLES / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture
def content() -> dict[str, Any]:
    return flat(yaml.safe_load((EXAMPLES / "slipway.yml").read_text(encoding="utf-8")))


def test_there_are_no_other_examples() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {"slipway.yml", "control.env", "agent.env"}


def test_the_file_names_every_setting(content: Mapping[str, Any]) -> None:
    assert sorted(f"SLIPWAY_{key.replace('.', '__')}".upper() for key in content) == sorted(variables())


def test_the_file_loads(monkeypatch: pytest.MonkeyPatch, content: Mapping[str, Any]) -> None:
    monkeypatch.setenv("SLIPWAY_CONFIG", str(EXAMPLES / "slipway.yml"))
    settings = load_settings()
    assert settings.agent.host_id == content["agent.host_id"]
    assert settings.broker_url == content["broker.url"]


def test_what_the_file_shows_is_the_default(content: Mapping[str, Any]) -> None:
    defaults = flat(Settings().model_dump(mode="json", by_alias=False))
    assert {key for key, value in content.items() if defaults[key] != value} == GIVEN
    assert {key for key, value in defaults.items() if value is None} == GIVEN


@pytest.mark.parametrize("name", ["control.env", "agent.env"])
def test_the_environments_load(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for variable, value in read_env(name).items():
        assert variable in variables()
        monkeypatch.setenv(variable, value)
    assert load_settings().broker_url == read_env(name)["SLIPWAY_BROKER__URL"]


def test_an_agent_holds_no_credential_but_the_brokers() -> None:
    assert not {name for name in read_env("agent.env") if "STORE" in name or "BUNDLES" in name or "FLOWER" in name}
