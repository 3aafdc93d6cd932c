"""Tokens of requests for deployments: a second request with the same token is answered with the first one's deployment.

The engine draws tokens of its own, as `rollback:<id>` for the one rollback of a deployment.
"""

from __future__ import annotations


def of_caller(token: str | None) -> str | None:
    """A token that a caller gave, as it is kept: in a name space of its own, so that no caller's deployment is ever
    taken for one that the engine asked for. None where none was given."""
    return f"client:{token}" if token else None
