"""Who is told outside beside the exchange: webhooks, EventBridge, CloudWatch. No error repeats a value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from config.mappings import from_json
from config.sections import Section, WebUrl
from domain.happenings import HappeningType


class WebhookReceiver(Section):
    """What listens at a URL, and what it is told."""

    url: WebUrl = Field(pattern=r"^https?://[^/@\s?#]+([/?][\x21-\x22\x24-\x7e]*)?$")
    secret: SecretStr = Field(min_length=16)
    """Signs what it is told."""
    form: Literal["slipway", "eventbridge", "sns"] = "slipway"
    events: tuple[HappeningType, ...] = ()
    """What it wants to hear of; none named: all."""
    seconds: float = Field(10.0, gt=0, le=60)
    """One exchange may take this long."""
    patience_seconds: float = Field(86_400.0, ge=60)
    """What it has not taken for so long becomes a dead letter."""
    ca_file: Path | None = None
    """Who signed the server's certificate, where the machine does not know."""


_read = from_json(example='{"chat": {"url": "https://…", "secret": "…"}}')


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,50}$")]
Webhooks = Annotated[dict[Name, WebhookReceiver], NoDecode, BeforeValidator(_read)]


class EventBridgeSettings(Section):
    """A bus of EventBridge; none named: it is told nothing."""

    bus: str = Field("", pattern=r"^[A-Za-z0-9/_.:-]{0,1600}$")
    """Its name or ARN."""
    source: str = Field("slipway", pattern=r"^[A-Za-z0-9_.-]{1,256}$")
    """EventBridge itself refuses sources that begin with `aws.`."""


class CloudWatchSettings(Section):
    """Metrics of CloudWatch."""

    enabled: bool = False
    namespace: str = Field("Slipway", pattern=r"^[A-Za-z0-9./#:_-]{1,255}$")


class PublisherSettings(Section):
    """What is told outside beside the exchange; SNS needs AWS alone."""

    webhooks: Webhooks = Field(default_factory=dict)
    """By names of your own."""
    eventbridge: EventBridgeSettings = EventBridgeSettings()
    cloudwatch: CloudWatchSettings = CloudWatchSettings()
