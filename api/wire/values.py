"""The values that the wire passes around. Knows neither a protocol nor an operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class Moment(float):
    """Seconds since the epoch; a number that each protocol writes in its own form of a timestamp."""

    __slots__ = ()


@dataclass(frozen=True)
class Limits:
    """What a request may ask of us before anyone has looked at who sent it."""

    body_bytes: int = 1024 * 1024
    body_seconds: float = 20.0
    """The whole body must have come within this time."""
    depth: int = 32
    """Levels of lists and maps in a body."""
    list_items: int = 1000


@dataclass(frozen=True)
class SignedRequest:
    """A request as its sender signed it."""

    method: str
    path: str
    """As it was sent: not unquoted, without the query."""
    query: str
    headers: Mapping[str, str]
    """By lower-case name; a header that was sent several times has its values joined by commas."""
    body: bytes
