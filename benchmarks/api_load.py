"""A load of signed API requests over HTTP/1.1, written once and sent as they are: the sender's own work stays small.

`rate` keeps a number of connections busy; `latencies` sends at fixed moments whatever the answers do (open loop), so
that a slow answer delays no later request and its wait counts.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


class Server(NamedTuple):
    """Where a server is and with which key it is called."""

    name: str
    port: int
    access_key_id: str = "AKIDEXAMPLE"
    secret: str = "example"  # noqa: S105  (nobody checks it)

    def request(self, operation: str, given: Mapping[str, Any]) -> bytes:
        """A signed request, as bytes."""
        body = json.dumps(given).encode()
        host = f"127.0.0.1:{self.port}"
        headers = {
            "Host": host,
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"CodeDeploy_20141006.{operation}",
        }
        made = AWSRequest(method="POST", url=f"http://{host}/", data=body, headers=headers)
        SigV4Auth(Credentials(self.access_key_id, self.secret), "codedeploy", "us-east-1").add_auth(made)
        lines = [f"{name}: {value}" for name, value in made.headers.items()]
        return "\r\n".join(["POST / HTTP/1.1", *lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


class _Connection:
    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes) -> bytes:
        """The body of the answer; raises RuntimeError for a refusal."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        body = await self._reader.readexactly(int(fields.get(b"content-length", b"0")))
        if b" 200 " not in head[:20]:
            raise RuntimeError(f"{head[:40]!r} {body[:300]!r}")
        if fields.get(b"connection") == b"close" or head.startswith(b"HTTP/1.0"):
            self.close()
        return body

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def ask(server: Server, operation: str, given: Mapping[str, Any]) -> Any:
    """One call and its answer."""

    async def once() -> Any:
        connection = _Connection(server.port)
        try:
            return json.loads(await connection.ask(server.request(operation, given)) or b"{}")
        finally:
            connection.close()

    return asyncio.run(once())


def rate(server: Server, requests: Sequence[bytes], *, connections: int, seconds: float) -> float:
    """Answers a second with so many connections busy all the time."""
    return asyncio.run(_rate(server, itertools.cycle(requests), connections, seconds))


async def _rate(server: Server, requests: Iterator[bytes], connections: int, seconds: float) -> float:
    began = time.perf_counter()
    done = 0

    async def keep_busy() -> None:
        nonlocal done
        connection = _Connection(server.port)
        while time.perf_counter() - began < seconds:
            await connection.ask(next(requests))
            done += 1
        connection.close()

    await asyncio.gather(*(keep_busy() for _ in range(connections)))
    return done / (time.perf_counter() - began)


def send_all(server: Server, requests: Sequence[bytes], *, connections: int) -> None:
    """Send every request once."""

    async def all_of_them() -> None:
        left = iter(requests)

        async def take() -> None:
            connection = _Connection(server.port)
            for request in left:
                await connection.ask(request)
            connection.close()

        await asyncio.gather(*(take() for _ in range(connections)))

    asyncio.run(all_of_them())


def latencies(server: Server, requests: Sequence[bytes], *, a_second: float, seconds: float) -> list[float]:
    """Seconds from the moment a request was to be sent to the end of its answer."""
    return asyncio.run(_latencies(server, itertools.cycle(requests), a_second, seconds))


async def _latencies(server: Server, requests: Iterator[bytes], a_second: float, seconds: float) -> list[float]:
    idle: list[_Connection] = []
    took: list[float] = []
    loop = asyncio.get_running_loop()

    async def one(request: bytes, due: float) -> None:
        connection = idle.pop() if idle else _Connection(server.port)
        await connection.ask(request)
        took.append(loop.time() - due)
        idle.append(connection)

    began = loop.time()
    running = []
    for number in range(int(a_second * seconds)):
        due = began + number / a_second
        await asyncio.sleep(max(0.0, due - loop.time()))
        running.append(asyncio.create_task(one(next(requests), due)))
    await asyncio.gather(*running)
    for connection in idle:
        connection.close()
    return took
