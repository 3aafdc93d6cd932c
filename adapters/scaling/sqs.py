"""What Auto Scaling tells, from an SQS queue by kombu's transport. Messages are AWS's own and stay as they are: kombu
would take one that looks like an envelope of its own for one, and open it as a stranger says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from kombu import Connection

from adapters.aws import Aws, answering
from domain.errors import WorldError
from domain.triggers import Incoming

QUEUE = "lifecycle"
"""The name by which kombu knows the queue; SQS knows it by its address."""
LONGEST_POLL = 1
"""Seconds that SQS holds a call for a message, a whole number; meanwhile nobody looks at open actions."""


class SqsLifecycleQueue:
    """One connection, one message at a time. SQS gives a message that is not settled in time to the next who asks."""

    def __init__(self, aws: Aws, *, url: str) -> None:
        self._aws, self._url = aws, url
        self._link: Connection | None = None
        self._waiting: list[Any] = []

    def receive(self) -> Incoming | None:
        """The next message, or None after a while; raises WorldError, or CannotBegin where rights are missing."""
        with self._answering("ReceiveMessage"):
            link = self._open()
            with contextlib.suppress(TimeoutError):
                link.drain_events(timeout=LONGEST_POLL)
            return _incoming(self._waiting.pop(0)) if self._waiting else None

    def settle(self, incoming: Incoming) -> None:
        """Delete it."""
        with self._answering("DeleteMessage"):
            incoming.receipt.ack()

    def close(self) -> None:
        """Let go of the queue."""
        link, self._link = self._link, None
        self._waiting.clear()
        if link is not None:
            with contextlib.suppress(Exception):
                link.close()

    def _open(self) -> Connection:
        if self._link is None:
            self._link = Connection(
                transport=_raw_transport(),
                transport_options={
                    "client": self._aws.client("sqs"),
                    "predefined_queues": {QUEUE: {"url": self._url}},
                    "wait_time_seconds": LONGEST_POLL,
                },
            )
            channel: Any = self._link.channel()
            channel.basic_qos(0, 1, False)
            channel.basic_consume(QUEUE, False, self._waiting.append, "lifecycle")
        return self._link

    @contextlib.contextmanager
    def _answering(self, call: str) -> Iterator[None]:
        """Without its connection, a message in hand no longer counts against what may be in hand."""
        from kombu.transport.SQS.exceptions import AccessDeniedQueueException

        try:
            with answering("sqs", call):
                yield
        except (OSError, AccessDeniedQueueException) as error:
            self.close()
            raise WorldError(f"AWS does not answer sqs:{call}: {error}") from error
        except BaseException:
            self.close()
            raise


def _incoming(message: Any) -> Incoming:
    body = message.body or b""
    return Incoming(
        body=body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body), receipt=message
    )


def _raw_transport() -> Any:
    """Kombu's transport with messages left as they are, and with our client of AWS. It is made when needed, for it
    loads boto3, which takes long. Without an event loop it needs no more than that."""
    from kombu.transport import SQS

    class RawChannel(SQS.Channel):
        """Looks into no body. Whatever is in hand when it closes comes again by itself."""

        do_restore = False

        def _message_to_python(self, message: Any, queue_name: str, q_url: str) -> Any:  # noqa: ARG002
            wrapped: Any = self._envelope_payload  # type: ignore[attr-defined]  # the stubs know no private names
            return wrapped({}, message["Body"], message, q_url)

        def sqs(self, queue: str | None = None) -> Any:  # noqa: ARG002
            link: Any = self.connection.client
            return link.transport_options["client"]

    class RawTransport(SQS.Transport):
        Channel = RawChannel

    return RawTransport
