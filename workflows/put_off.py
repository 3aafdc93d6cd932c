"""A deployment that cannot begin yet because something it asks does not answer: EC2, the place of its revision. People
are told of that meanwhile.

Ours: the original asks nobody whom it does not own.
"""

from __future__ import annotations

from domain.deployments import Deployment
from domain.moves import Change


def put_off(present: Deployment, why: str) -> Change | None:
    """The deployment that says why it has not begun; None where it says so already, has begun or has ended."""
    if present.status.final or present.phases or present.put_off_by == why:
        return None
    # A load balancer that it waits for keeps its limit: that it was not asked this time is no answer.
    return Change(present.model_copy(update={"put_off_by": why, "alarms_awaited": ""}))


def put_off_by(deployment: Deployment) -> str:
    """Why it could not begin when that was tried last; empty where that is over."""
    return "" if deployment.status.final or deployment.phases else deployment.put_off_by
