"""Who may call the API and what each may do. Knows no secret: those are worked out from the installation's own key.

Source: AWS Signature Version 4; the policies are ours.
"""

from __future__ import annotations

from enum import StrEnum

from domain.values import Instant, Value


class Policy(StrEnum):
    """What the holder of a key may do."""

    READ_ONLY = "read-only"
    """Look at everything."""
    DEPLOY = "deploy"
    """Look at everything; deploy to the applications that the key names, and stop and continue their deployments."""
    ADMINISTRATOR = "administrator"
    """Everything."""


class AccessKey(Value):
    """An access key; `nonce` is what makes its secret another one than any other key's."""

    access_key_id: str
    nonce: str
    policy: Policy
    applications: tuple[str, ...] = ()
    """With DEPLOY: the names of the applications."""
    description: str = ""
    create_time: Instant
    revoke_time: Instant | None = None
