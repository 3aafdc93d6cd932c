"""A message of the trigger queue, whatever transport it came by, and where such messages come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message; `receipt` is its transport's own handle."""

    body: bytes
    receipt: Any
    message_id: str | None = None
    reply_to: str | None = None
    correlation_id: str | None = None
    plain: bool = False
    """It came without an envelope, so the answer goes without one."""
    redelivered: bool = False
    """It was received before and not settled."""


class TriggerSource(Protocol):
    """A durable queue of requests, received one at a time.

    Every method may raise `WorldError`. The message in hand is void then: it comes again by `receive`.
    """

    def receive(self, timeout: float) -> Incoming | None:
        """The next message, or None after `timeout` seconds."""

    def keep(self, incoming: Incoming) -> None:
        """The message is still in hand; to be said every few seconds, or another consumer may get it."""

    def settle(self, incoming: Incoming) -> None:
        """The message is dealt with."""

    def bury(self, incoming: Incoming, letter: dict[str, Any]) -> None:
        """Put what is left of the message into the dead-letter queue; it is dealt with then."""

    def reply(self, incoming: Incoming, answer: dict[str, Any]) -> bool:
        """Answer to where the message asks for it; False if nothing takes answers there."""

    def close(self) -> None:
        """Let go of the queue; what was received and not settled comes again."""
