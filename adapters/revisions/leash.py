"""Cuts the connections of an HTTP client once its work has to end, whatever its peer is doing: a byte of a header, of
an error or of a redirect now and then keeps within every limit of a client's.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

TICK = 0.5
"""Seconds between two looks."""


class Leash:
    """What a client is connected by, while this is entered; `over` says why that must end, or nothing."""

    def __init__(self, over: Callable[[], str]) -> None:
        self.over = over
        self._lines: list[socket.socket] = []
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._look, name="leash", daemon=True)

    @property
    def extensions(self) -> Mapping[str, Any]:
        """What a request of httpx is given, so that its connections are known here."""
        return {"trace": self._trace}

    def __enter__(self) -> Leash:
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._watch.join()
        self.let_go()

    def let_go(self) -> None:
        """Keep none of the connections open that the client is done with."""
        with self._lock:
            while self._lines:
                self._lines.pop().close()

    def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        if name.endswith(".connect_tcp.complete"):
            # A handle of our own: TLS takes the client's apart.
            line = info["return_value"].get_extra_info("socket").dup()
            with self._lock:
                self._lines.append(line)

    def _look(self) -> None:
        while not self._done.wait(TICK):
            if self.over():
                self._cut()

    def _cut(self) -> None:
        with self._lock:
            for line in self._lines:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
