"""One HTTP/1.1 connection of the load: asks for the page, reads the answer, tells apart how a request can be lost."""

from __future__ import annotations

import asyncio
import json
from typing import NamedTuple


class Answer(NamedTuple):
    """Who answered."""

    version: str
    host: str


class Lost(Exception):
    """A request was not answered as it should be; says why, in few words."""


class Unanswered(Lost):
    """The connection was closed before any byte of the answer."""


class Connection(asyncio.Protocol):
    """Carries one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._waiting: asyncio.Future[Answer] | None = None
        self._received = b""
        self.open = False
        self.idle_since = 0.0

    @staticmethod
    async def to(port: int) -> Connection:
        """A fresh connection to a port of this machine."""
        _, made = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
        return made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (for the type checker)
        self._transport = transport
        self.open = True

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request; its answer, or Lost."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._received = b""
        self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        """Hang up."""
        self.open = False
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Some of an answer."""
        self._received += data
        if self._waiting is None:
            # Nothing was asked: what comes then (a 408, say) is the other side's way of hanging up.
            self.close()
            return
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        status, fields = _read_head(head)
        length = fields.get(b"content-length", b"")
        if not length.isdigit():
            self._end(Lost(f"status {status}, of no length"))
        elif len(body) >= int(length):
            if fields.get(b"connection", b"").lower() == b"close":
                self.open = False
            self._end(_judge(status, fields, body))

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side hung up. Between two requests that is its right."""
        self.open = False
        how = "reset" if exc else "closed"
        self._end(Lost(f"{how} in the middle") if self._received else Unanswered(how))

    def _end(self, outcome: Answer | Lost) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.done():
            return
        if isinstance(outcome, Lost):
            waiting.set_exception(outcome)
        else:
            waiting.set_result(outcome)


def _read_head(head: bytes) -> tuple[int, dict[bytes, bytes]]:
    first, *lines = head.split(b"\r\n")
    words = first.split(b" ", 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    pairs = (line.partition(b":") for line in lines)
    return status, {name.lower(): value.strip() for name, _, value in pairs}


def _judge(status: int, fields: dict[bytes, bytes], body: bytes) -> Answer | Lost:
    """The answer if it is status 200 and head and body name the same version and host."""
    if status != 200:
        return Lost(f"status {status}")
    try:
        page = json.loads(body)
        answer = Answer(page["version"], page["host"])
    except (ValueError, KeyError, TypeError):
        return Lost("wrong body")
    said = (fields.get(b"x-version", b"").decode("latin-1"), fields.get(b"x-host", b"").decode("latin-1"))
    return answer if said == answer else Lost("wrong body")
