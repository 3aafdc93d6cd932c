"""Decides what a hook script finds in its environment; it reads none itself."""

from __future__ import annotations

from collections.abc import Mapping

from domain.lifecycle import Event
from domain.reports import HostOrder

OWN_PREFIX = "SLIPWAY_"
"""Variables that begin so belong to Slipway and may hold its secrets: hooks do not get them."""


def hook_environment(order: HostOrder, event: Event, *, root: str, base: Mapping[str, str]) -> dict[str, str]:
    """The variables a hook sees: the agent's own without Slipway's, the revision's, and the documented ones.

    `root` is the host's root directory (`/` unless simulated), given as SLIPWAY_ROOT. Source: AWS CodeDeploy user
    guide, "Environment variable availability for hooks".
    """
    return {
        **{name: value for name, value in base.items() if not name.startswith(OWN_PREFIX)},
        **order.environment,
        "LIFECYCLE_EVENT": event.value,
        "DEPLOYMENT_ID": order.deployment_id,
        "APPLICATION_NAME": order.application_name,
        "DEPLOYMENT_GROUP_NAME": order.deployment_group_name,
        "DEPLOYMENT_GROUP_ID": order.deployment_group_id,
        "SLIPWAY_ROOT": root,
    }
