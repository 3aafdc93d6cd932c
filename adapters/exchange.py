"""One HTTP exchange that ends: so many seconds in all, so many bytes, no redirect, no proxy, nothing kept open.

The standard library's client alone bounds each read and not their sum: a peer could drip for ever.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

from domain.errors import WorldError


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes


def exchange(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    seconds: float,
    most: int,
    ca_file: str | None = None,
    cut: bool = False,
) -> Answer:
    """Raises WorldError where no whole answer came in time; its text holds no path, which may be secret. `cut`: what is
    more than `most` bytes of the answer is left unread, instead of an error."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    try:
        connection = _connect(parts.scheme, parts.hostname or "", parts.port, seconds, ca_file)
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            client = HTTPConnection(parts.netloc.rpartition("@")[2])
            client.sock = cast(Any, connection)
            client.request(method, path, body=body, headers={"Connection": "close", **(headers or {})})
            with client.getresponse() as response:
                content = response.read(most if cut else most + 1)
        finally:
            connection.hang_up()
    except (OSError, HTTPException) as error:
        raise WorldError(f"{origin} does not answer: {str(error)[:200] or type(error).__name__}") from None
    except ValueError:
        # Its text would repeat the header that is wrong, and that may hold a secret.
        raise WorldError(f"{origin} is not asked: the request has a header or a port that cannot be") from None
    if len(content) > most:
        raise WorldError(f"{origin} answers with more than {most} bytes")
    return Answer(response.status, content)


def reachable(host: str, port: int, *, seconds: float) -> None:
    """Raises WorldError if no connection can be opened."""
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except OSError as error:
        raise WorldError(f"{host}:{port} takes no connection: {error}") from None


def _connect(scheme: str, host: str, port: int | None, seconds: float, ca_file: str | None) -> _Ending:
    end = time.monotonic() + seconds
    connection = socket.create_connection((host, port or (443 if scheme == "https" else 80)), timeout=seconds)
    if scheme == "https":
        try:
            connection.settimeout(_left(end))
            trusted = ssl.create_default_context(cafile=ca_file)
            return _Ending(trusted.wrap_socket(connection, server_hostname=host), end)
        except BaseException:
            connection.close()
            raise
    return _Ending(connection, end)


def _left(end: float) -> float:
    if (left := end - time.monotonic()) <= 0:
        raise TimeoutError("it took too long")
    return left


class _Ending:
    """A connection that is good until a moment; as much of a socket as the client uses."""

    def __init__(self, connection: socket.socket, end: float) -> None:
        self._connection, self._end = connection, end

    def sendall(self, data: bytes) -> None:
        self._connection.settimeout(_left(self._end))
        self._connection.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reading(self._connection, self._end))

    def close(self) -> None:
        """Nothing: the client closes before it has read the answer, which a socket survives as a file does."""

    def hang_up(self) -> None:
        self._connection.close()


class _Reading(io.RawIOBase):
    def __init__(self, connection: socket.socket, end: float) -> None:
        super().__init__()
        self._connection, self._end = connection, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(_left(self._end))
        return self._connection.recv_into(buffer)
