"""Auto Scaling in our words: the hooks that hold an instance, the lifecycle actions that wait for deployments, and what
is suspended meanwhile.

Source: Amazon EC2 Auto Scaling user guide, "Amazon EC2 Auto Scaling lifecycle hooks".
"""

from __future__ import annotations

from enum import StrEnum

from domain.values import Instant, Value


class Transition(StrEnum):
    """What an instance is held in the middle of."""

    LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
    TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


class ActionResult(StrEnum):
    """How a lifecycle action is completed: the instance goes on, or a launched one is terminated."""

    CONTINUE = "CONTINUE"
    ABANDON = "ABANDON"


class ScalingHook(Value):
    """A lifecycle hook that a deployment group has on an Auto Scaling group."""

    auto_scaling_group: str
    name: str
    transition: Transition = Transition.LAUNCHING


class LifecycleAction(Value):
    """An instance that a hook holds; whoever has the token may let it go on."""

    token: str
    hook: str
    auto_scaling_group: str
    instance_id: str
    transition: Transition
    warm: bool = False
    """It goes into a warm pool instead of into service, or is terminated there: it is no member of the group."""


class OpenAction(Value):
    """A lifecycle action, the groups it concerns and the deployments that run for it."""

    action: LifecycleAction
    groups: tuple[str, ...]
    """Ids of deployment groups."""
    deployments: tuple[str, ...]
    heartbeat_at: Instant
    again_at: Instant = 0.0
    """Auto Scaling did not take what it was told; it is told nothing before then."""
    completed_at: Instant | None = None
    """Auto Scaling was told the result. Kept for a while, for the instance may miss a revision that was on its way."""


class SuspendedProcesses(Value):
    """Processes of an Auto Scaling group that a deployment suspends, and resumes at its end."""

    auto_scaling_group: str
    processes: tuple[str, ...]
