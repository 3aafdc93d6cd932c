"""What a load balancer says of one host on its way out of traffic or back into it."""

from __future__ import annotations

from domain.values import Value


class Standing(Value):
    """How far a host has come: `done` once it gets no request any more or, on its way back, once it is in service."""

    done: bool
    detail: str = ""
    """For a person: what the balancer says, as in `draining, 3 connections left`."""
