"""Whoever listens at an address and says the same to all, whatever they want."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SECRET = "hush-hush"
"""In the path of its URL."""


class Peer:
    """Says the same to whoever comes, and keeps the connection open until the end of the test."""

    def __init__(self, said: bytes, *, hangs_up: bool = False) -> None:
        self._said, self._hangs_up = said, hangs_up
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/{SECRET}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._held.append(connection)
            with suppress(OSError):
                connection.recv(65536)
                connection.sendall(self._said)
                if self._hangs_up:
                    connection.close()

    def close(self) -> None:
        # Ends the wait for the next to come, which closing alone would not.
        self._socket.shutdown(socket.SHUT_RDWR)
        for connection in self._held:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()
        for connection in self._held:
            connection.close()


@contextmanager
def peer(said: bytes, *, hangs_up: bool = False) -> Iterator[Peer]:
    made = Peer(said, hangs_up=hangs_up)
    try:
        yield made
    finally:
        made.close()
