"""Answers with its release and the name of its host after some milliseconds of "work": `server.py PORT HOST_NAME`.

`release.json` beside it says how it behaves. SIGTERM ends it at once, requests that it works on included, unless
`finish_on_stop` is set: so whoever stops it while it has traffic is found out.
"""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import random
import signal
import sys
from typing import Any

HERE = pathlib.Path(__file__).parent
REASONS = {200: "OK", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}


class Application:
    """What is answered, and when."""

    def __init__(self, release: dict[str, Any], host: str) -> None:
        self._release = release
        self._headers = f"X-Version: {release['version']}\r\nX-Host: {host}\r\n"
        self._page = json.dumps({"version": release["version"], "host": host})
        self._asked = 0
        self.working = 0

    def answer(self, path: str) -> tuple[int, float, str]:
        """Status, seconds of work, and body."""
        if path == "/healthz":
            return (200, 0.0, "fine\n") if self._release["healthy"] else (503, 0.0, "not ready\n")
        if path != "/":
            return 404, 0.0, "there is only /\n"
        self._asked += 1
        if self._asked % self._release["slow_every"] == 0:
            seconds = self._release["slow_ms"] / 1000
        else:
            seconds = random.uniform(*self._release["fast_ms"]) / 1000  # noqa: S311  (no secret)
        return (500, seconds, "broken\n") if self._release["broken"] else (200, seconds, self._page)

    def written(self, status: int, body: str, *, keep: bool) -> bytes:
        """The answer as bytes."""
        connection = "keep-alive" if keep else "close"
        head = f"HTTP/1.1 {status} {REASONS[status]}\r\n{self._headers}Connection: {connection}\r\n"
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


class Conversation(asyncio.Protocol):
    """One connection. It stays open until the other side hangs up, so that no request meets a closing one."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._unread = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody called."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (for the type checker)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        *requests, self._unread = (self._unread + data).split(b"\r\n\r\n")
        for request in requests:
            line, _, fields = request.decode("latin-1").partition("\r\n")
            _, path, protocol = line.split(" ", 2)
            keep = protocol == "HTTP/1.1" and "connection: close" not in fields.lower()
            status, seconds, body = self._application.answer(path)
            self._application.working += 1
            written = self._application.written(status, body, keep=keep)
            asyncio.get_running_loop().call_later(seconds, self._send, written, keep)

    def _send(self, written: bytes, keep: bool) -> None:
        self._application.working -= 1
        if not self._transport.is_closing():
            self._transport.write(written)
            if not keep:
                self._transport.close()


async def serve(port: int, host: str) -> None:
    """Serve until told to stop."""
    release = json.loads((HERE / "release.json").read_text())
    application = Application(release, host)
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    server = await loop.create_server(lambda: Conversation(application), "127.0.0.1", port, backlog=512)
    (HERE / "listening").touch()
    await told.wait()
    server.close()
    while release["finish_on_stop"] and application.working:
        await asyncio.sleep(0.01)
    # Whoever stops the server waits for these files to go.
    for name in ("listening", "pid"):
        (HERE / name).unlink(missing_ok=True)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
