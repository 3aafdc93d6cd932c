"""Files of others that OVERWRITE replaced and that are kept for a rollback: ours, the original loses them.

Moments are those at which deployments began, by the clock of control. Knows no disk.
"""

from __future__ import annotations

from typing import NamedTuple

from domain.values import Instant, Value


class Restoring(Value):
    """What a host must know of its deployment to keep what OVERWRITE replaces, and to give it back."""

    began: Instant
    """When the deployment began."""
    back_to: Instant | None = None
    """A rollback returns to what a deployment left that began then: what was replaced from then on comes back."""


class Keeping(NamedTuple):
    """The rule for one installation."""

    restoring: Restoring
    limit: int
    """Bytes that a group may keep."""
    revisions: int
    """Installations for which a copy is kept once the group has left its path."""
