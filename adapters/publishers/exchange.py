"""Happenings on a durable kombu topic exchange, which any AMQP or Redis consumer can bind a queue to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import cast

from kombu import Connection, Exchange, Producer
from kombu.exceptions import OperationalError

from adapters.publishers.forms import EVERYTHING, own_form
from domain.channels import Delivery
from domain.errors import WorldError
from domain.happenings import Happening


class ExchangePublisher:
    """Publishes to the exchange `slipway.events` with routing keys such as `deployment.success`.

    The message is the happening as JSON; its message id is the event id, so consumers can drop what they know.
    """

    patience: float | None = None

    def __init__(self, connection: Connection, *, exchange: str) -> None:
        self._connection = connection
        # What a broker refuses (rights that are missing, an exchange of that name with another type) is mended there.
        errors = (OperationalError, OSError, *connection.connection_errors, *connection.channel_errors)
        self._away = cast("tuple[type[Exception], ...]", errors)
        self._exchange = Exchange(exchange, type="topic", durable=True)
        self._open: Connection | None = None
        self._producer: Producer | None = None
        self._lock = threading.Lock()

    def wants(self, happening: Happening) -> bool:
        """All but tests of triggers, which are for their topics alone."""
        return happening.type in EVERYTHING

    def publish(self, happenings: Sequence[Happening]) -> Delivery:
        """Tell them one after the other, as far as the broker takes them."""
        with self._lock:
            for done, happening in enumerate(happenings):
                try:
                    self._publish(happening)
                except WorldError:
                    if done:
                        return Delivery(done=done)
                    raise
        return Delivery(done=len(happenings))

    def close(self) -> None:
        """Close its connection; whatever is published later opens another."""
        opened, self._open, self._producer = self._open, None, None
        if opened is not None:
            with contextlib.suppress(*self._away):
                opened.release()

    def _publish(self, happening: Happening) -> None:
        message = own_form(happening)
        try:
            self._ready().publish(
                message,
                routing_key=happening.type.routing_key,
                message_id=happening.event_id,
                serializer="json",
                delivery_mode=2,
                retry=True,
                retry_policy={"max_retries": 3, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 1.0},
            )
        except self._away as error:
            self.close()
            raise WorldError(f"the broker did not take event {happening.event_id}: {error}") from error

    def _ready(self) -> Producer:
        if self._producer is None:
            self._open = self._connection.clone()
            self._producer = Producer(self._open, exchange=self._exchange, auto_declare=True)
        return self._producer
