"""Where requests for deployments come from, by the scheme of the broker's URL."""

from __future__ import annotations

from collections.abc import Callable

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


def open_trigger(url: str, *, queue: str, dead_queue: str) -> TriggerSource:
    """The source for a broker; raises ValueError for one that none is known for."""
    scheme, mark, _ = url.partition("://")
    if not mark or scheme not in TRIGGERS:
        # The address itself may hold a password.
        raise ValueError(f"the broker's address must begin with one of {', '.join(f'{each}://' for each in TRIGGERS)}")
    return TRIGGERS[scheme](url, queue=queue, dead_queue=dead_queue)
