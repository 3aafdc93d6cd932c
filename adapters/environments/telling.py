"""Hosts in messages for people: who can be terminated from here, and names that do not fill a page."""

from __future__ import annotations

from collections.abc import Sequence

from domain.fleet import Target

MOST = 10


def is_instance(host: Target) -> bool:
    """Whether it is an EC2 instance: the names of on-premises hosts never begin so."""
    return host.target_id.startswith("i-")


def named(hosts: Sequence[str]) -> str:
    """Some names."""
    return ", ".join(hosts[:MOST]) + (f" and {len(hosts) - MOST} more" if len(hosts) > MOST else "")
