"""Requests from a durable AMQP queue (RabbitMQ): any producer that publishes to the default exchange with the queue's
name as routing key is heard, whatever content type it gives."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import amqp.exceptions
from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.exceptions import OperationalError
from kombu.message import Message

from domain.errors import WorldError
from domain.triggers import Incoming


class AmqpTrigger:
    """One connection, one message at a time."""

    def __init__(self, url: str, *, queue: str, dead_queue: str) -> None:
        self._connection = Connection(url, heartbeat=30, transport_options={"confirm_publish": True})
        nameless = Exchange("", type="direct")
        self._queue = Queue(queue, nameless, routing_key=queue, durable=True)
        self._dead = Queue(dead_queue, nameless, routing_key=dead_queue, durable=True)
        self._waiting: list[Message] = []
        self._consumer: Consumer | None = None

    def receive(self, timeout: float) -> Incoming | None:
        """The next message, or None; raises WorldError if the broker is away."""
        try:
            self._open()
            if not self._waiting:
                with contextlib.suppress(TimeoutError):
                    self._connection.drain_events(timeout=timeout)
        except _AWAY as error:
            self.close()
            raise WorldError(f"the broker does not answer: {error}") from error
        return _incoming(self._waiting.pop(0)) if self._waiting else None

    def settle(self, incoming: Incoming) -> None:
        """Acknowledge it."""
        self._act(incoming.receipt.ack)

    def bury(self, incoming: Incoming, letter: dict[str, Any]) -> None:
        """Publish the letter, confirmed, and acknowledge the message."""
        headers = {"x-reason": letter["reason"][:1000]}
        self._act(lambda: self._publish(self._dead.name, letter, declare=[self._dead], headers=headers))
        self.settle(incoming)

    def reply(self, incoming: Incoming, answer: dict[str, Any]) -> None:
        """Publish the answer to the queue of the message's reply_to."""
        correlation = {"correlation_id": incoming.correlation_id or incoming.message_id}
        self._act(lambda: self._publish(incoming.reply_to or "", answer, **correlation))

    def _publish(self, queue: str, content: dict[str, Any], **options: Any) -> None:
        with Producer(self._connection) as producer:
            body = json.dumps(content)
            producer.publish(
                body, exchange="", routing_key=queue, content_type="application/json", content_encoding="utf-8",
                delivery_mode=2, **options,
            )  # fmt: skip

    def _act(self, what: Any) -> None:
        try:
            what()
        except _AWAY as error:
            self.close()
            raise WorldError(f"the broker does not answer: {error}") from error

    def _open(self) -> None:
        if self._consumer is None:
            self._connection.ensure_connection(max_retries=1, timeout=5)
            self._consumer = Consumer(
                self._connection, queues=[self._queue], on_message=self._waiting.append, prefetch_count=1, accept=None
            )
            self._consumer.consume()

    def close(self) -> None:
        """Close the connection: what was not acknowledged comes again."""
        self._waiting.clear()
        self._consumer = None
        with contextlib.suppress(Exception):
            self._connection.close()


_AWAY = (OperationalError, ConnectionError, OSError, amqp.exceptions.AMQPError)


def _incoming(message: Message) -> Incoming:
    body = message.body or b""
    about = message.properties
    return Incoming(
        body=body.encode() if isinstance(body, str) else bytes(body),
        receipt=message,
        message_id=about.get("message_id"),
        reply_to=about.get("reply_to"),
        correlation_id=about.get("correlation_id"),
    )
