"""Who is told outside: read from one variable, shown in the example, never repeated in an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.aws import Aws, AwsAccess
from config.publishers import WebhookReceiver
from config.settings import InvalidSettings, Settings, load_settings
from domain.happenings import HappeningType
from workers.publishers import make_publishers

EXAMPLE = Path(__file__).resolve().parents[3] / "config" / "examples" / "slipway.yml"
CHAT = {"url": "https://chat.internal/hooks/token?x=1", "secret": "hush-hush-hush-hush"}
AWS = Aws(AwsAccess(region="us-east-1"))


@pytest.fixture(autouse=True)
def store(bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings need one; nobody asks it."""
    monkeypatch.setenv("SLIPWAY_STORE__URL", "redis://127.0.0.1:1")


def given(monkeypatch: pytest.MonkeyPatch, content: object) -> Settings:
    text = content if isinstance(content, str) else json.dumps(content)
    monkeypatch.setenv("SLIPWAY_PUBLISHERS__WEBHOOKS", text)
    return load_settings()


def test_one_variable_holds_all_webhooks(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch, {"chat": {**CHAT, "events": ["DeploymentFailure"]}})
    chat = settings.publishers.webhooks["chat"]
    assert (chat.form, chat.events) == ("slipway", (HappeningType.DEPLOYMENT_FAILURE,))
    assert "hush" not in repr(settings)


def test_the_example_is_a_good_one() -> None:
    lines = [line.removeprefix("  #") for line in EXAMPLE.read_text(encoding="utf-8").splitlines()]
    first = lines.index("   chat:")
    shown = yaml.safe_load("\n".join(lines[first : lines.index(" As a variable, the same as JSON.", first)]))
    assert shown["chat"].keys() == WebhookReceiver.model_fields.keys()
    WebhookReceiver.model_validate(shown["chat"])


@pytest.mark.parametrize(
    "wrong",
    [
        "{not json",
        {"chat": {**CHAT, "secret": "hush"}},
        {"chat": {**CHAT, "url": "ftp://hush.internal"}},
        {"chat": {**CHAT, "url": "https://user:hush@chat.internal"}},
        {"chat": {**CHAT, "url": "http://[::1/hush"}},
        {"chat": {**CHAT, "url": "https://hush.internal:0/"}},
        {"chat": {**CHAT, "form": "hush"}},
        {"chat": {**CHAT, "events": ["hush"]}},
        {"chat": {**CHAT, "seconds": 61}},
        {"a/b": CHAT},
    ],
)
def test_what_is_wrong_is_said_without_the_value(monkeypatch: pytest.MonkeyPatch, wrong: object) -> None:
    with pytest.raises(InvalidSettings, match="SLIPWAY_PUBLISHERS__WEBHOOKS") as told:
        given(monkeypatch, wrong)
    assert "hush" not in str(told.value)


def channels(**settings: Any) -> list[str]:
    return list(make_publishers(Settings(store={"url": "redis://127.0.0.1:1"}, **settings), AWS))


EVERYTHING = {"eventbridge": {"bus": "b"}, "cloudwatch": {"enabled": True}, "webhooks": {"chat": CHAT}}


def test_every_channel_has_its_name() -> None:
    assert channels() == ["exchange"]
    assert channels(aws={"enabled": True}) == ["exchange", "sns"]
    found = channels(aws={"enabled": True}, publishers=EVERYTHING)
    assert found == ["exchange", "sns", "eventbridge", "cloudwatch", "webhook:chat"]


def test_what_needs_aws_says_so() -> None:
    with pytest.raises(InvalidSettings, match=r"publishers\.eventbridge needs AWS: set SLIPWAY_AWS__ENABLED=true"):
        channels(publishers={"eventbridge": {"bus": "b"}})
