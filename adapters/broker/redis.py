"""Kombu's Redis transport, made to bear what would end a worker with all that runs on it: things on a list that are no
message, which anyone can push, and a server that goes away while messages are in hand. RabbitMQ's client bears both.
"""

from __future__ import annotations

import logging
from queue import Empty
from typing import Any

from kombu.transport import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)


class TolerantQoS(redis.QoS):
    """Keeps account of messages in hand, also when their connection is gone."""

    def restore_unacked(self, client: Any = None) -> None:
        """Put messages in hand back; without a connection they stay in the hash of the unacknowledged, from where the
        visibility timeout, or for hosts the watch, brings them back."""
        if client is None and self.channel.connection.client is None:
            delivered: Any = self._delivered
            delivered.clear()
            return
        super().restore_unacked(client)


class TolerantChannel(redis.Channel):
    """A channel that drops what is no message. The list has lost it by then, so it does not come again."""

    QoS = TolerantQoS

    _commands: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        """One client for all commands, as threads may share it: kombu makes one for each, which takes as long as the
        command itself. Only a new pool of connections asks for another."""
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]  # the stubs know no private names
        if self._commands is None or self._commands.connection_pool is not self.pool:
            self._commands = super()._create_client()  # type: ignore[misc]
        return self._commands

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """Without retries of the client's own: it would connect anew in the middle of a read, and then wait for the
        next broadcast for ever while the worker's tasks lie in their queue. Celery starts its connections afresh."""
        given: dict[str, Any] = super()._connparams(asynchronous=asynchronous)  # type: ignore[misc]
        return {**given, "retry": Retry(NoBackoff(), 0)}

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # the stubs know no private names
        except (ValueError, TypeError, AttributeError) as error:
            _log_dropped(error)
            raise Empty from None

    def basic_get(self, queue: str, no_ack: bool = False, **options: Any) -> Any:
        """The next message of a queue; None where there is none, or where it was no message."""
        try:
            return super().basic_get(queue, no_ack=no_ack, **options)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            _log_dropped(error)
            return None


def _log_dropped(error: Exception) -> None:
    # No word of what it was: it could be anything.
    logger.error("something on a queue is no message and was dropped: %s", type(error).__name__)


def be_tolerant() -> None:
    """Have every Redis connection of this process use such channels."""
    redis.Transport.Channel = TolerantChannel
