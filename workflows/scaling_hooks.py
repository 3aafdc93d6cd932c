"""Which lifecycle hooks a deployment group has on its Auto Scaling groups, and which it is to lose.

Source: AWS CodeDeploy user guide, "Integrating CodeDeploy with Amazon EC2 Auto Scaling".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set

from domain.groups import DeploymentGroup
from domain.scaling import ScalingHook, Transition

_WORDS = {Transition.LAUNCHING: "launch-deployment", Transition.TERMINATING: "termination"}
_STRANGE = re.compile(r"[^A-Za-z0-9_-]")
"""What the name of a deployment group may hold and that of a hook may not."""


def hooks_for(
    group: DeploymentGroup,
    known: Sequence[ScalingHook],
    new_uuid: Callable[[], str],
    environments: Set[str] = frozenset(),
) -> tuple[ScalingHook, ...]:
    """The hooks that a group is to have; those that are known keep their names. Environments of the settings, which
    stand among its Auto Scaling groups, take none."""
    transitions = [Transition.LAUNCHING, *([Transition.TERMINATING] if group.termination_hook_enabled else [])]
    names = {(hook.auto_scaling_group, hook.transition): hook.name for hook in reversed(known)}
    return tuple(
        ScalingHook(
            auto_scaling_group=name,
            name=names.get((name, transition)) or hook_name(group.deployment_group_name, transition, new_uuid()),
            transition=transition,
        )
        for name in group.auto_scaling_groups
        if name not in environments
        for transition in transitions
    )


def hook_name(deployment_group_name: str, transition: Transition, unique: str) -> str:
    """The name of a new hook, as CodeDeploy forms it."""
    name = _STRANGE.sub("-", deployment_group_name)
    return f"CodeDeploy-managed-automatic-{_WORDS[transition]}-hook-{name}-{unique}"


def without(hooks: Sequence[ScalingHook], others: Sequence[ScalingHook]) -> tuple[ScalingHook, ...]:
    """Those of the hooks that are not among the others."""
    return tuple(hook for hook in hooks if hook not in others)


def hook_named(hooks: Sequence[ScalingHook], auto_scaling_group: str, transition: Transition) -> str | None:
    """The name of the hook for a transition on an Auto Scaling group."""
    wanted = (auto_scaling_group, transition)
    return next((hook.name for hook in hooks if (hook.auto_scaling_group, hook.transition) == wanted), None)
