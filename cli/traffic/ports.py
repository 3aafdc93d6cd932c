"""Ports that hosts keep: an application that stops and starts again must find its port free."""

from __future__ import annotations

import random
import socket
import sys
import threading
from pathlib import Path

from domain.errors import WorldError

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST = 10_000
BLOCK = 50
"""Ports that a process claims at a time."""

_lock = threading.Lock()
_mine: list[int] = []


def pick_ports(count: int) -> list[int]:
    """Free loopback ports below those that the kernel gives to outgoing connections: while an application is stopped,
    a busy machine would soon give its port away. No other process that picks ports gets them while this one lives."""
    found: list[int] = []
    with _lock:
        while len(found) < count:
            if not _mine:
                _mine.extend(_claim())
            port = _mine.pop()
            if _is_free(port):
                found.append(port)
    return found


def _claim() -> range:
    """Ports that no other process has claimed: a claim is a name in the abstract namespace of Unix sockets, which ends
    with its process."""
    dice = random.Random()  # noqa: S311  (no secret)
    starts = range(FIRST, _lowest_given_out() - BLOCK + 1, BLOCK)
    for start in dice.sample(starts, k=len(starts)):
        if sys.platform != "linux":
            return range(start, start + BLOCK)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0slipway-ports-{start}")
        except OSError:
            claim.close()
        else:
            # It stays open until the process ends.
            claim.detach()
            return range(start, start + BLOCK)
    raise WorldError(f"all ports from {FIRST} to {starts.stop} are claimed; end some of what runs on this machine")


def _lowest_given_out() -> int:
    try:
        return max(11_000, int(RANGE.read_text().split()[0]))
    except OSError:
        return 32_768


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
