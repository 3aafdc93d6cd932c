"""What a signature becomes on the wire: sent through a real Celery app to a broker in memory, and read there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from celery import Celery
from celery.canvas import Signature

from workflows import names

RANDOM_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
SAME_ID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Sent:
    """One message: where it went, and its headers and body as JSON has them."""

    queue: str
    headers: dict[str, Any]
    body: list[Any]

    @property
    def args(self) -> list[Any]:
        """What the task is called with."""
        return list(self.body[0])

    @property
    def chain(self) -> list[dict[str, Any]]:
        """The signatures that follow, the next one first."""
        return list(reversed(self.body[2]["chain"] or []))

    @property
    def about(self) -> str:
        """What Flower and the logs are shown of the arguments."""
        return f"{self.headers['argsrepr']} {self.headers['kwargsrepr']}"

    def stored(self) -> dict[str, Any]:
        """What a golden file keeps: no time, no random id, nothing of the machine."""
        kept = ("task", "id", "root_id", "group", "group_index", "argsrepr", "kwargsrepr")
        message = {"queue": self.queue, "headers": {name: self.headers[name] for name in kept}, "body": self.body}
        return json.loads(RANDOM_ID.sub(SAME_ID, json.dumps(message)))  # type: ignore[no-any-return]


class Tap:
    """A Celery app on a broker of its own; nothing works on its queues but `send`."""

    def __init__(self) -> None:
        self._app = Celery("tap", broker="memory://tap", backend="cache+memory://", set_as_current=False)
        self._app.conf.update(task_create_missing_queues=True, task_ignore_result=True)

    def send(self, signature: Signature[Any] | dict[str, Any], *args: Any, queue: str = "host.web-1") -> list[Sent]:
        """Send a signature, by way of JSON, and take its messages from control's queues and from `queue`."""
        self._app.signature(json.loads(json.dumps(signature))).apply_async(args)
        return [sent for name in (names.CONTROL_QUEUE, names.TRAFFIC_QUEUE, queue) for sent in self._taken(name)]

    def _taken(self, name: str) -> list[Sent]:
        sent = []
        with self._app.connection_for_read() as connection:
            queue = connection.SimpleQueue(name)
            for _ in range(queue.qsize()):
                message = queue.get(block=False)
                sent.append(Sent(name, dict(message.headers), message.payload))
                message.ack()
            queue.close()
        return sent
