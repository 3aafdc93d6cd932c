"""A queue of lifecycle notices in memory: for tests and for trying things out."""

from __future__ import annotations

from collections import deque

from domain.triggers import Incoming


class MemoryLifecycleQueue:
    """First in, first out; what is not settled comes again once the queue was closed."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.in_hand: list[Incoming] = []

    def put(self, body: bytes) -> None:
        """Add a message."""
        self.waiting.append(body)

    def receive(self) -> Incoming | None:
        """The next message, or None; one at a time is in hand."""
        if self.in_hand or not self.waiting:
            return None
        self.in_hand.append(Incoming(body=self.waiting.popleft(), receipt=None))
        return self.in_hand[0]

    def settle(self, incoming: Incoming) -> None:
        """The message is dealt with."""
        self.in_hand.remove(incoming)

    def close(self) -> None:
        """Put back what was not settled."""
        self.waiting.extendleft(incoming.body for incoming in reversed(self.in_hand))
        self.in_hand.clear()
