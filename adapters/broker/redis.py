"""Kombu's Redis transport, made to bear what is no message: anyone can push to a list, and one odd entry would end the
worker that takes it, with all that runs on it. RabbitMQ's clients hand such a thing to Celery, which drops it.
"""

from __future__ import annotations

import logging
from queue import Empty
from typing import Any

from kombu.transport import redis

logger = logging.getLogger(__name__)


class TolerantChannel(redis.Channel):
    """A channel that drops what is no message. The list has lost it by then, so it does not come again."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # the stubs know no private names
        except (ValueError, TypeError, AttributeError) as error:
            # No word of what it was: it could be anything.
            logger.error("something on a queue is no message and was dropped: %s", type(error).__name__)
            raise Empty from None


def tolerate_garbage() -> None:
    """Have every Redis connection of this process use such channels."""
    redis.Transport.Channel = TolerantChannel
