"""One HTTP exchange that ends: so many seconds in all, so many bytes, no redirect, no proxy, nothing kept open.

The standard library's client alone bounds each read and not their sum: a peer could drip for ever.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Mapping
from http import client as http
from typing import Any, NamedTuple, cast
from urllib.parse import SplitResult, urlsplit

from adapters.dialing import dial, left_until
from domain.errors import WorldError


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes


class CaFileUnusable(WorldError):
    """The certificates by which a server is to be known cannot be read: that says nothing of the server."""


def exchange(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    seconds: float,
    most: int | None,
    ca_file: str | None = None,
) -> Answer:
    """Raises WorldError where no whole answer came in time; its text holds no path, which may be secret. `most` bytes
    may be in the answer's body; None: nobody wants the body, and the answer is there with its status and headers."""
    end = time.monotonic() + seconds
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise WorldError("nobody is asked: the URL cannot be read; look at its host and port") from None
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    trusted = _trusted(ca_file) if parts.scheme == "https" else None
    try:
        connection = _connect(parts.hostname or "", port, trusted, end)
        try:
            status, content = _ask(connection, method, parts, body, headers or {}, most)
        finally:
            connection.hang_up()
    except http.HTTPException as error:
        raise WorldError(f"{origin} does not answer: {_in_words(error)}") from None
    except OSError as error:
        raise WorldError(f"{origin} does not answer: {str(error)[:200] or type(error).__name__}") from None
    except ValueError:
        # Its text would repeat the header that is wrong, and that may hold a secret.
        raise WorldError(f"{origin} is not asked: the request has a header or a host that cannot be") from None
    if most is not None and len(content) > most:
        raise WorldError(f"{origin} answers with more than {most} bytes")
    return Answer(status, content)


def reachable(host: str, port: int, *, seconds: float) -> None:
    """Raises WorldError if no connection can be opened."""
    try:
        dial(host, port, end=time.monotonic() + seconds).close()
    except (OSError, UnicodeError) as error:
        raise WorldError(f"{host}:{port} takes no connection: {error}") from None


_WORDS: tuple[tuple[type[http.HTTPException], str], ...] = (
    (http.RemoteDisconnected, "it hung up without an answer"),
    (http.BadStatusLine, "what it says is no HTTP"),
    (http.UnknownProtocol, "it speaks another version of HTTP"),
    (http.IncompleteRead, "its answer breaks off"),
    (http.LineTooLong, "a line of its answer is too long"),
    (http.InvalidURL, "its URL cannot be asked for"),
)


def _in_words(error: http.HTTPException) -> str:
    # Its text would repeat what the peer said, and some repeat the path that they were asked for.
    return next((words for kind, words in _WORDS if isinstance(error, kind)), "its answer is not as HTTP wants it")


def _trusted(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        why = "holds no certificate" if isinstance(error, ssl.SSLError) else getattr(error, "strerror", None)
        raise CaFileUnusable(f"the ca_file {ca_file} cannot be used: it {why or 'cannot be read'}") from None


def _connect(host: str, port: int | None, trusted: ssl.SSLContext | None, end: float) -> _Ending:
    connection = dial(host, port or (80 if trusted is None else 443), end=end)
    try:
        connection.settimeout(left_until(end))
        return _Ending(trusted.wrap_socket(connection, server_hostname=host) if trusted else connection, end)
    except BaseException:
        connection.close()
        raise


def _ask(
    connection: _Ending, method: str, parts: SplitResult, body: bytes, headers: Mapping[str, str], most: int | None
) -> tuple[int, bytes]:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    client = http.HTTPConnection(parts.netloc.rpartition("@")[2])
    client.sock = cast(Any, connection)
    client.request(method, path, body=body, headers={"Connection": "close", **headers})
    with client.getresponse() as response:
        content = b"" if most is None else response.read(most + 1)
        # The client takes a short answer for a whole one where it was asked for so many bytes.
        if most is not None and response.length and len(content) <= most:
            raise http.IncompleteRead(content)
        return response.status, content


class _Ending:
    """A connection that is good until a moment; as much of a socket as the client uses."""

    def __init__(self, connection: socket.socket, end: float) -> None:
        self._connection, self._end = connection, end

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._connection.settimeout(left_until(self._end))
            rest = rest[self._connection.send(rest) :]

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
        self._connection.settimeout(left_until(self._end))
        return self._connection.recv_into(buffer)
