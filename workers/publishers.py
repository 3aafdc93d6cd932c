"""The channels of the settings, by which the outside is told: a part of the composition root."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from adapters.aws import Aws
from adapters.publishers.cloudwatch import CloudWatchPublisher
from adapters.publishers.eventbridge import EventBridgePublisher
from adapters.publishers.exchange import ExchangePublisher
from adapters.publishers.origin import Origin
from adapters.publishers.sns import SnsPublisher
from adapters.publishers.webhook import WebhookPublisher
from config.publishers import PublisherSettings, WebhookReceiver
from config.settings import InvalidSettings, Settings
from domain.ports import Publisher
from workers.broker import connection
from workflows import names


def make_publishers(settings: Settings, aws: Aws) -> Mapping[str, Publisher]:
    """Every channel by its name; none is asked anything until there is something to tell. Raises InvalidSettings for
    what needs AWS while it is off."""
    origin = Origin(region=settings.region, account_id=settings.account_id)
    exchange = ExchangePublisher(connection(settings, "control"), exchange=names.EVENTS_EXCHANGE)
    mine = settings.publishers
    on_aws = dict(_on_aws(mine, aws, origin))
    if len(on_aws) > 1 and not settings.aws.enabled:
        raise InvalidSettings(f"publishers.{list(on_aws)[-1]} needs AWS: set SLIPWAY_AWS__ENABLED=true")
    webhooks = {f"webhook:{name}": _webhook(name, each, origin) for name, each in mine.webhooks.items()}
    return {"exchange": exchange, **(on_aws if settings.aws.enabled else {}), **webhooks}


def _on_aws(mine: PublisherSettings, aws: Aws, origin: Origin) -> Iterator[tuple[str, Publisher]]:
    yield "sns", SnsPublisher(aws, origin)
    if bus := mine.eventbridge.bus:
        yield "eventbridge", EventBridgePublisher(aws, origin, bus=bus, source=mine.eventbridge.source)
    if mine.cloudwatch.enabled:
        yield "cloudwatch", CloudWatchPublisher(aws, namespace=mine.cloudwatch.namespace, now=time.time)


def _webhook(name: str, mine: WebhookReceiver, origin: Origin) -> WebhookPublisher:
    return WebhookPublisher(
        name=name,
        url=mine.url,
        secret=mine.secret.get_secret_value(),
        origin=origin,
        form=mine.form,
        events=mine.events,
        seconds=mine.seconds,
        patience=mine.patience_seconds,
        ca_file=str(mine.ca_file) if mine.ca_file else None,
    )
