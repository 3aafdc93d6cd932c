"""Where requests for deployments come from, by the scheme of the broker's URL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.trigger.amqp import AmqpTrigger
from adapters.trigger.redis import RedisTrigger
from domain.triggers import TriggerSource

TRIGGERS: dict[str, Callable[..., TriggerSource]] = {
    "amqp": AmqpTrigger,
    "amqps": AmqpTrigger,
    "redis": RedisTrigger,
    "rediss": RedisTrigger,
    "unix": RedisTrigger,
    "redis+socket": RedisTrigger,
}


def open_trigger(url: str, **options: Any) -> TriggerSource:
    """The source for a broker."""
    return TRIGGERS[url.partition("://")[0]](url, **options)
