"""The part of a Celery worker that takes messages: Celery's own, but what it tells of its tasks goes out several at
once. Celery would send each of a task's three events as soon as it can, at the price of a message of the task's own.
"""

from __future__ import annotations

from typing import Any

from celery.worker import consumer

LINGER = 0.2
"""Seconds to wait for more to tell; whoever watches in Flower sees tasks so much later."""
MOST = 1000
"""Events that wait at most. Past it the thread that adds one sends them, and not the loop whose connection it is."""


class LingeringConsumer(consumer.Consumer):
    """Sends the events of tasks a moment after the first of them, from the worker's own loop."""

    hub: Any
    event_dispatcher: Any
    _planned = False

    def on_send_event_buffered(self) -> Any:
        """Called by any thread, for each event."""
        if self.hub and not self._planned:
            self._planned = True
            self.event_dispatcher.buffer_limit = MOST
            # Only the loop itself may set its timers.
            self.hub.call_soon(self.hub.call_later, LINGER, self._tell)

    def on_close(self) -> None:
        """Called when the connection is lost, and with it what the loop had planned; what was not told is kept."""
        self._tell()
        super().on_close()

    def shutdown(self) -> None:
        """Called at the end, when all tasks are done."""
        self._tell()
        super().shutdown()

    def _tell(self) -> None:
        self._planned = False
        if self.event_dispatcher:
            self.event_dispatcher.flush()
