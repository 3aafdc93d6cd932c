"""The lifecycle hooks of deployment groups on their Auto Scaling groups: installed before a group is kept, removed
after it is gone or has left an Auto Scaling group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from api.forms import Answer, hook_left
from api.site import Site
from domain.api_errors import InvalidAutoScalingGroup, LifecycleHookLimitExceeded
from domain.errors import CannotBegin, TooManyHooks
from domain.groups import DeploymentGroup
from domain.scaling import ScalingHook
from workflows.scaling_hooks import hooks_for, without


def planned(site: Site, group: DeploymentGroup, known: Sequence[ScalingHook]) -> tuple[ScalingHook, ...]:
    """The hooks that a group is to have; where this installation makes none, those it has and still needs."""
    if site.put_hook:
        return hooks_for(group, known, site.new_uuid, site.environments)
    return tuple(hook for hook in group.hooks if hook.auto_scaling_group in group.auto_scaling_groups)


@contextmanager
def installed(site: Site, hooks: Sequence[ScalingHook], *, before: Sequence[ScalingHook] = ()) -> Iterator[None]:
    """Put hooks; those that were not there before are removed again if what follows fails. Raises
    LifecycleHookLimitExceeded or InvalidAutoScalingGroup where Auto Scaling does not take them."""
    fresh: list[ScalingHook] = []
    try:
        for hook in hooks if site.put_hook else ():
            if hook not in before:
                fresh.append(hook)
            site.put_hook(hook)  # type: ignore[misc]  # there is one, or there are no hooks
        yield
    except BaseException as error:
        removed(site, fresh)
        match error:
            case TooManyHooks():
                raise LifecycleHookLimitExceeded(error.message) from error
            case CannotBegin():
                raise InvalidAutoScalingGroup(error.message) from error
        raise


def removed(site: Site, hooks: Sequence[ScalingHook], *, kept: Sequence[ScalingHook] = ()) -> list[Answer]:
    """Remove hooks but those that are kept; what could not be removed."""
    return [hook_left(hook) for hook in without(hooks, kept) if not site.delete_hook(hook)]
