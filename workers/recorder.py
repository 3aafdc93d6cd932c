"""Reads the reports queue in batches and hands them to the store: a thread of every control process."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence

from kombu import Connection, Consumer, Queue
from kombu.message import Message
from pydantic import ValidationError

from domain.reports import AgentReports

logger = logging.getLogger(__name__)

MOST = 200
"""Messages in one batch."""
LINGER = 0.05
"""Seconds to wait for more messages once there is one: the grid of a deployment is watched by people."""


class Recorder:
    """Consumes reports until stopped; messages are acknowledged only once the store has them."""

    def __init__(
        self,
        connection: Connection,
        source: Queue,
        keep: Callable[[Sequence[AgentReports]], object],
        *,
        idle: Callable[[], object] = lambda: None,
        tick: float = 0.2,
        retry_wait: float = 0.5,
    ) -> None:
        self._connection = connection
        self._source = source
        self._keep = keep
        self._idle = idle
        self._tick = tick
        self._retry_wait = retry_wait
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to consume."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present batch."""
        self._end.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                self._consume()
            except Exception:
                logger.warning("reports cannot be recorded just now; trying again", exc_info=True)
                self._connection.close()
                self._end.wait(self._retry_wait)

    def _consume(self) -> None:
        batch: list[tuple[object, Message]] = []
        idle_at = 0.0
        with Consumer(
            self._connection,
            queues=[self._source],
            prefetch_count=MOST,
            accept=["json"],
            callbacks=[lambda body, message: batch.append((body, message))],
            on_decode_error=_drop,
        ):
            while not self._end.is_set():
                self._gather(batch)
                if batch:
                    self._flush(batch)
                if time.monotonic() >= idle_at:
                    self._idle()
                    idle_at = time.monotonic() + self._tick

    def _gather(self, batch: list[tuple[object, Message]]) -> None:
        until = time.monotonic() + self._tick
        while len(batch) < MOST:
            try:
                self._connection.drain_events(timeout=max(0.001, until - time.monotonic()))
            except (TimeoutError, socket.timeout):  # noqa: UP041  (transports raise either)
                return
            until = min(until, time.monotonic() + LINGER) if len(batch) == 1 else until

    def _flush(self, batch: list[tuple[object, Message]]) -> None:
        reports = [parsed for body, _ in batch if (parsed := _read(body)) is not None]
        self._keep(reports)
        for _, message in batch:
            message.ack()
        batch.clear()


def _drop(message: Message, error: Exception) -> None:
    # Left in the queue it would come again and again, and nothing behind it would ever be read.
    logger.error("a message on the reports queue cannot be read: %s", type(error).__name__)
    message.ack()


def _read(body: object) -> AgentReports | None:
    try:
        # Half a surrogate pair is no text that a store takes.
        json.dumps(body, ensure_ascii=False).encode()
        return AgentReports.model_validate(body)
    except ValidationError as error:
        logger.error(
            "a message on the reports queue is not a report: %s", error.errors(include_input=False, include_url=False)
        )
    except (ValueError, TypeError, RecursionError) as error:
        logger.error("a message on the reports queue is not a report: %s", type(error).__name__)
    return None
