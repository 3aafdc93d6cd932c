"""Requests from a durable AMQP queue (RabbitMQ): any producer that publishes to the default exchange with the queue's
name as routing key is heard, whatever content type it gives."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from typing import Any

import amqp.exceptions
from kombu import Connection
from kombu.exceptions import OperationalError

from domain.errors import WorldError
from domain.triggers import Incoming

logger = logging.getLogger(__name__)

SECONDS = 20
"""The broker must take what is published within this time; one that is short of memory does not."""
_AWAY = (OperationalError, OSError, amqp.exceptions.AMQPError, amqp.exceptions.MessageNacked)


class AmqpTrigger:
    """One connection, one message at a time."""

    def __init__(self, url: str, *, queue: str, dead_queue: str) -> None:
        self._url, self._queue, self._dead = url, queue, dead_queue
        self._link: Connection | None = None
        self._channel: Any = None
        self._waiting: list[Any] = []
        self._returned: list[object] = []

    def receive(self, timeout: float) -> Incoming | None:
        """The next message, or None; raises WorldError if the broker is away."""
        with self._answering():
            link = self._open()
            self._beat(link, 0 if self._waiting else timeout)
            return _incoming(self._channel, self._waiting.pop(0)) if self._waiting else None

    def keep(self, incoming: Incoming) -> None:
        """Show the broker that this consumer lives."""
        with self._answering():
            self._held(incoming)
            assert self._link is not None  # noqa: S101  (its channel is open)
            self._beat(self._link, 0)

    def settle(self, incoming: Incoming) -> None:
        """Acknowledge it."""
        with self._answering():
            self._held(incoming).basic_ack(incoming.receipt[1])

    def bury(self, incoming: Incoming, letter: dict[str, Any]) -> None:
        """Publish the letter, confirmed, and acknowledge the message."""
        with self._answering():
            self._held(incoming)
            assert self._link is not None  # noqa: S101  (its channel is open)
            _declare(self._link, self._dead)
            if not self._publish(self._dead, letter, headers={"x-reason": letter["reason"][:1000]}):
                raise WorldError(f"the queue {self._dead} does not take the dead letter")
        self.settle(incoming)

    def reply(self, incoming: Incoming, answer: dict[str, Any]) -> bool:
        """Publish the answer to the queue of the message's reply_to."""
        correlation = incoming.correlation_id or incoming.message_id
        about = {"correlation_id": correlation} if correlation else {}
        with self._answering():
            self._held(incoming)
            return self._publish(incoming.reply_to or "", answer, properties=about)

    def close(self) -> None:
        """Close the connection: what was not acknowledged comes again."""
        link, self._link, self._channel = self._link, None, None
        self._waiting.clear()
        if link is not None:
            with contextlib.suppress(Exception):
                link.close()

    def _publish(
        self, queue: str, content: dict[str, Any], *, headers: dict[str, Any] | None = None, properties: Any = None
    ) -> bool:
        """Whether a queue took it."""
        message = self._channel.prepare_message(
            json.dumps(content),
            content_type="application/json",
            content_encoding="utf-8",
            headers=headers,
            properties={"delivery_mode": 2, **(properties or {})},
        )
        self._returned.clear()
        self._channel.basic_publish(
            message, exchange="", routing_key=queue, mandatory=True, timeout=SECONDS, confirm_timeout=SECONDS
        )
        return not self._returned

    def _held(self, incoming: Incoming) -> Any:
        """The channel by which the message came; on any other its number means another message."""
        if incoming.receipt[0] is not self._channel:
            raise WorldError("the broker takes the message back: the connection it came by was lost")
        return self._channel

    def _beat(self, link: Connection, timeout: float) -> None:
        # Without heartbeats the broker drops a connection that has nothing to say.
        link.heartbeat_check()
        with contextlib.suppress(TimeoutError):
            link.drain_events(timeout=timeout)

    def _open(self) -> Connection:
        if self._link is None:
            self._link = Connection(self._url, heartbeat=30, transport_options={"confirm_publish": True})
            self._link.ensure_connection(max_retries=1, timeout=5)
            _declare(self._link, self._queue)
            _declare(self._link, self._dead)
            self._channel = self._listen(self._link)
        return self._link

    def _listen(self, link: Connection) -> Any:
        """A channel on which messages come as the bytes they are: kombu's own consumer would decompress and decode
        them as a stranger's headers say."""
        channel: Any = link.channel()
        channel.auto_decode = False
        channel.events["basic_return"].add(lambda *returned: self._returned.append(returned))
        channel.basic_qos(0, 1, False)
        channel.basic_consume(self._queue, callback=self._waiting.append)
        return channel

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except _AWAY as error:
            self.close()
            raise WorldError(f"the broker does not answer: {error}") from error
        except WorldError:
            self.close()
            raise


def _declare(link: Connection, queue: str) -> None:
    """Make sure that a durable queue is there; one that its operator made with other arguments is good as well."""
    channel: Any = link.channel()
    try:
        channel.queue_declare(queue, durable=True, auto_delete=False)
        channel.close()
    except amqp.exceptions.PreconditionFailed:
        logger.warning("the queue %s was made with other arguments than ours; it is used as it is", queue)


def _incoming(channel: Any, message: Any) -> Incoming:
    about = message.properties
    body = message.body or b""
    return Incoming(
        body=body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body),
        receipt=(channel, message.delivery_tag),
        message_id=about.get("message_id") or None,
        reply_to=about.get("reply_to") or None,
        correlation_id=about.get("correlation_id") or None,
        redelivered=bool(message.delivery_info.get("redelivered")),
    )
