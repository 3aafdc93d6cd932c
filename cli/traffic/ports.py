"""Ports that hosts keep: an application that stops and starts again must find its port free."""

from __future__ import annotations

import random
import socket
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def pick_ports(count: int) -> list[int]:
    """Free loopback ports below those that the kernel gives to outgoing connections: while an application is stopped,
    a busy machine would soon give its port away."""
    dice = random.Random()  # noqa: S311  (no secret)
    found: list[int] = []
    for port in dice.sample(range(10_000, _lowest_given_out()), k=200 + count):
        if len(found) < count and _is_free(port):
            found.append(port)
    return found


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
