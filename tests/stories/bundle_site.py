"""A bundle store served on a free loopback port, with its faults on order, and a wire that can be cut."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.bundles.disk import BundleDisk
from api.bundles import bundle_app
from domain.bundles import BundleLimits
from workflows.signing import sign_path

KEY = b"key" * 11
TOKEN = "token-of-the-store"
START = 1_000_000.0
MOST = 8_000_000


def sha256_of(content: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(content).hexdigest()


class Site:
    """The store, and what was asked of it. Answers in `faults` are given first, in order, in place of its own."""

    def __init__(self, root: Path, url: str = "") -> None:
        self.root = root
        self.disk = BundleDisk(root)
        self.time = START
        self.asked: list[tuple[str, Headers]] = []
        self.faults: list[ASGIApp] = []
        self.url = url
        self._app = bundle_app(
            self.disk, key=KEY, token=TOKEN, now=lambda: self.time, limits=BundleLimits(max_bytes=MOST)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.asked.append((scope["method"], Headers(scope=scope)))
            if self.faults:
                await self.faults.pop(0)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def keep(self, content: bytes) -> str:
        """Put a bundle on the store's disk and answer with a link to it."""
        sha256 = self.disk.put([content]).sha256
        return self.url + sign_path(f"/bundles/{sha256}", key=KEY, expires=int(START) + 60)

    def methods(self) -> list[str]:
        """What was asked, in order."""
        return [method for method, _ in self.asked]

    def left_over(self) -> list[str]:
        """Uploads that are neither kept nor gone."""
        return [path.name for path in (self.root / "incoming").iterdir()]


class Door:
    """An app whose site can be another one for each test."""

    site: Site | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.site is not None
        await self.site(scope, receive, send)


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Return once the condition holds; fails after a while."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def answer(status: int, **headers: str) -> ASGIApp:
    """A fault: an answer with a status and headers (`_` stands for `-`)."""
    return Response(b"no", status, headers={name.replace("_", "-"): value for name, value in headers.items()})


@contextmanager
def serving(app: Any, *, lifespan: bool = False) -> Iterator[str]:
    """The URL of an ASGI app that is served by a real server in a thread."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_level="critical",
        access_log=False,
        ws="none",
        lifespan="on" if lifespan else "off",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive())
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def cutting(url: str, cuts: list[int]) -> Iterator[str]:
    """The URL of a wire to a server that is cut after so many bytes of an answer, once for each entry of `cuts`."""
    port = int(url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, port, cuts))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(20)
            assert not thread.is_alive()


_OK = b"HTTP/1.1 200 OK\r\n"
_LONG = b"content-length: 1000000\r\n\r\n"
_BODY = (_OK + _LONG, b".")
DRIPS = {
    "a body": [_BODY],
    "a body without an end": [(_OK + b"\r\n", b".")],
    "a header": [(_OK + b"x: ", b".")],
    "answers before the answer": [(b"", b"HTTP/1.1 102 Processing\r\n\r\n")],
    "an error": [(b"HTTP/1.1 404 No\r\ncontent-type: application/json\r\n" + _LONG, b" ")],
    "a redirect": [(b"HTTP/1.1 302 No\r\nlocation: /elsewhere\r\n" + _LONG, b" "), _BODY],
    "the size of a chunk": [(_OK + b"transfer-encoding: chunked\r\n\r\n1;", b".")],
    "nothing": [(_OK + _LONG, b"")],
}
"""What a server begins with at each connection and sends now and then after that; the last one stands for the rest."""


@contextmanager
def dripping(what: str) -> Iterator[str]:
    """The URL of a server that sends a little now and then, for ever, to whoever asks."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_drip, args=(listener, [*DRIPS[what]], over))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/bundle"
        finally:
            over.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(20)
            assert not thread.is_alive()


def _drip(listener: socket.socket, answers: list[tuple[bytes, bytes]], over: threading.Event) -> None:
    """To one after the other: who is not done with an answer keeps the next from being given."""
    with suppress(OSError):
        while True:
            near, _ = listener.accept()
            first, then = answers.pop(0) if len(answers) > 1 else answers[0]
            with near, suppress(OSError):
                near.recv(65536)
                near.sendall(first)
                while not over.wait(0.02):
                    near.sendall(then)
                    near.setblocking(False)
                    with suppress(BlockingIOError):
                        if near.recv(1) == b"":
                            break
                    near.setblocking(True)


def _accept(listener: socket.socket, port: int, cuts: list[int]) -> None:
    with suppress(OSError):
        while True:
            near, _ = listener.accept()
            with near, socket.create_connection(("127.0.0.1", port)) as far:
                _carry(near, far, cuts.pop(0) if cuts else None)


def _carry(near: socket.socket, far: socket.socket, most: int | None) -> None:
    """One request there and its answer back, up to `most` bytes of it."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += near.recv(65536)
    far.sendall(re.sub(rb"(?i)connection: keep-alive", b"connection: close", request))
    far.settimeout(20)
    left = most if most is not None else 2**40
    with suppress(OSError):
        while left and (data := far.recv(min(65536, left))):
            near.sendall(data)
            left -= len(data)
