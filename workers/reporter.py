"""Carries what an agent has to say to the reports queue, from a thread of its own: hooks never wait for the broker."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from typing import Any

from kombu import Connection, Producer, Queue

from domain.reports import AgentHello, AgentReport, AgentReports, LogLines
from workers.touch import Touch

logger = logging.getLogger(__name__)

LINGER = 0.1
"""Seconds to wait for more to say, so that a quick host says it in one message."""
MOST = 500
"""Reports in one message."""
ROOM = 20_000
"""Reports kept while the broker is away; past it log lines are dropped, outcomes never."""


class Reporter:
    """Sends reports in order, several to a message, trying until the broker takes them."""

    def __init__(
        self, host: str, connection: Connection, to: Queue, *, touch: Touch | None = None, retry_wait: float = 1.0
    ) -> None:
        self._host = host
        self._connection = connection
        self._to = to
        self._touch = touch
        self._retry_wait = retry_wait
        self._waiting: queue.SimpleQueue[AgentReport | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def tell(self, report: AgentReport) -> None:
        """Have a report sent soon; returns at once."""
        if isinstance(report, LogLines) and self._waiting.qsize() > ROOM:
            return
        self._waiting.put(report)

    def close(self, *, limit: float = 5.0) -> None:
        """Send what waits, for at most `limit` seconds."""
        self._closing.set()
        self._waiting.put(None)
        self._thread.join(limit)

    def _run(self) -> None:
        last = False
        while not last:
            batch, last = self._next_batch()
            if batch:
                self._send(AgentReports(host=self._host, reports=tuple(joined(batch))))

    def _next_batch(self) -> tuple[list[AgentReport], bool]:
        first = self._waiting.get()
        if first is None:
            return [], True
        batch = [first]
        self._closing.wait(LINGER)
        while len(batch) < MOST:
            try:
                report = self._waiting.get_nowait()
            except queue.Empty:
                break
            if report is None:
                return batch, True
            batch.append(report)
        return batch, False

    def _send(self, reports: AgentReports) -> None:
        body = reports.model_dump(mode="json", exclude_defaults=True)
        # The discriminator is a default, and the reader needs it.
        for said, report in zip(body["reports"], reports.reports, strict=True):
            said["kind"] = report.kind
        # By greetings alone control tells whether an agent is alive.
        greets = any(isinstance(report, AgentHello) for report in reports.reports)
        while True:
            began = self._touch.now() if self._touch else 0.0
            try:
                self._publish(body)
            except Exception:
                logger.warning("the broker does not take reports; trying again", exc_info=logger.isEnabledFor(10))
                self._connection.close()
                if self._closing.wait(self._retry_wait):
                    return
            else:
                if greets and self._touch:
                    self._touch.spoke(began)
                return

    def _publish(self, body: dict[str, Any]) -> None:
        with Producer(self._connection) as producer:
            producer.publish(body, routing_key=self._to.name, declare=[self._to], serializer="json", delivery_mode=2)


def joined(reports: Iterable[AgentReport]) -> list[AgentReport]:
    """The reports with neighbouring log lines of one event in one report."""
    said: list[AgentReport] = []
    for report in reports:
        before = said[-1] if said else None
        if isinstance(report, LogLines) and isinstance(before, LogLines) and _follows(before, report):
            said[-1] = before.model_copy(update={"lines": before.lines + report.lines})
        else:
            said.append(report)
    return said


def _follows(before: LogLines, after: LogLines) -> bool:
    return (before.attempt, before.event) == (after.attempt, after.event) and before.first + len(
        before.lines
    ) == after.first


class Pulse:
    """Says at intervals that the agent is alive."""

    def __init__(self, say: Callable[[], AgentHello], tell: Callable[[AgentReport], None], *, every: float) -> None:
        self._say, self._tell, self._every = say, tell, every
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Say so now and from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Say no more."""
        self._end.set()

    def _run(self) -> None:
        self._tell(self._say())
        while not self._end.wait(self._every):
            self._tell(self._say())
