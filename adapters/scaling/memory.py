"""Auto Scaling in memory: for tests and for trying things out."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import AutoScalingGroupMissing, HookRefused, TooManyHooks
from domain.scaling import ActionResult, LifecycleAction, ScalingHook

MOST_HOOKS = 50
"""That one Auto Scaling group may have."""


class MemoryScaling:
    """Groups by name, and what they were told."""

    def __init__(self, *names: str) -> None:
        self.hooks: dict[str, dict[str, ScalingHook]] = {name: {} for name in names}
        self.processes: dict[str, set[str]] = {name: set() for name in names}
        self.held: set[str] = set()
        """Tokens of the instances that a hook holds."""
        self.completed: list[tuple[str, ActionResult]] = []
        self.heartbeats: list[str] = []

    def hold(self, action: LifecycleAction) -> None:
        """Hold an instance, as a hook would."""
        self.held.add(action.token)

    def complete(self, action: LifecycleAction, result: ActionResult) -> bool:
        """Let the instance go on or have it terminated; False if nothing holds it any more."""
        if action.token not in self.held:
            return False
        self.held.remove(action.token)
        self.completed.append((action.token, result))
        return True

    def heartbeat(self, action: LifecycleAction) -> bool:
        """Have the instance held for another while; False if nothing holds it any more."""
        if action.token in self.held:
            self.heartbeats.append(action.token)
        return action.token in self.held

    def put_hook(self, hook: ScalingHook) -> None:
        """Install a hook, or put it right."""
        if hook.auto_scaling_group not in self.hooks:
            raise HookRefused(f"There is no Auto Scaling group {hook.auto_scaling_group}.")
        mine = self.hooks[hook.auto_scaling_group]
        if hook.name not in mine and len(mine) >= MOST_HOOKS:
            raise TooManyHooks
        mine[hook.name] = hook

    def delete_hook(self, hook: ScalingHook) -> None:
        """Remove a hook; nothing if it or its group is gone."""
        self.hooks.get(hook.auto_scaling_group, {}).pop(hook.name, None)

    def suspended(self, auto_scaling_group: str) -> frozenset[str]:
        """The processes that are suspended."""
        return frozenset(self._of(auto_scaling_group))

    def suspend(self, auto_scaling_group: str, processes: Sequence[str]) -> None:
        """Suspend processes."""
        self._of(auto_scaling_group).update(processes)

    def resume(self, auto_scaling_group: str, processes: Sequence[str]) -> None:
        """Resume processes."""
        self._of(auto_scaling_group).difference_update(processes)

    def _of(self, auto_scaling_group: str) -> set[str]:
        if auto_scaling_group not in self.processes:
            raise AutoScalingGroupMissing(f"There is no Auto Scaling group {auto_scaling_group}.")
        return self.processes[auto_scaling_group]
