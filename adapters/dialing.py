"""A connection to a host by a moment: the look-up of its name and every address that is tried share the same time.

The system's resolver knows no deadline, so a name is looked up in a thread that is left behind if it takes too long.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

MOST_LOOKUPS = 32
"""Look-ups of names at a time. What is left behind ends by itself; a resolver that hangs must not gather threads."""

_lookups = threading.BoundedSemaphore(MOST_LOOKUPS)


def left_until(end: float) -> float:
    """Seconds until a moment of the monotonic clock; raises TimeoutError once there are none."""
    if (left := end - time.monotonic()) <= 0:
        raise TimeoutError("it took too long")
    return left


def dial(host: str, port: int, *, end: float) -> socket.socket:
    """A connection to the first address of a host that takes one. Raises OSError, or UnicodeError for a name that
    cannot be."""
    addresses = _addresses(host, port, end)
    why = OSError("its name leads to no address")
    for at, (family, kind, protocol, _, address) in enumerate(addresses):
        # One that swallows what is sent to it must leave time for those behind it.
        share = left_until(end) / (len(addresses) - at)
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(share)
            connection.connect(address)
        except OSError as error:
            connection.close()
            why = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise why


def _addresses(host: str, port: int, end: float) -> list[tuple[Any, ...]]:
    places = _lookups
    lookup = _Lookup(host, port, places.release)
    if _is_address(host):
        return lookup.looked_up()
    if not places.acquire(timeout=left_until(end)):
        raise TimeoutError("too many names are being looked up")
    try:
        threading.Thread(target=lookup.run, name=f"look up {host}", daemon=True).start()
    except BaseException:
        places.release()
        raise
    return lookup.found(end)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class _Lookup:
    """The question for the addresses of a name."""

    def __init__(self, host: str, port: int, over: Callable[[], None]) -> None:
        self._host, self._port, self._over = host, port, over
        self._done = threading.Event()
        self._addresses: list[tuple[Any, ...]] = []
        self._why: Exception | None = None

    def run(self) -> None:
        try:
            self._addresses = self.looked_up()
        except Exception as error:
            self._why = error
        finally:
            self._over()
            self._done.set()

    def looked_up(self) -> list[tuple[Any, ...]]:
        return [*socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)]

    def found(self, end: float) -> list[tuple[Any, ...]]:
        if not self._done.wait(left_until(end)):
            raise TimeoutError("the look-up of its name took too long")
        if self._why is not None:
            raise self._why
        return self._addresses
