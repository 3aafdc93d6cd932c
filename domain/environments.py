"""Environments of a blue/green deployment: what is asked of whoever makes and retires hosts, and what comes of it.

Source: AWS CodeDeploy user guide, "Create a deployment group for an EC2/On-Premises blue/green deployment".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from domain.fleet import Instance, Target
from domain.values import Value


class GreenOrder(Value):
    """An environment to be made for a deployment. The same deployment id always means the same environment."""

    deployment_id: str
    application_name: str
    deployment_group_name: str
    deployment_group_id: str
    source: str
    """The Auto Scaling group that is copied, or the name that the settings give the environment."""
    green: str | None = None
    """What the new environment is called, once it is made."""
    hooks: tuple[str, ...] = ()
    """Names of the lifecycle hooks by which the deployment group hears of instances: they move with it."""


class Provisioned(Value):
    """An environment that is ready: its name, and its hosts."""

    name: str
    hosts: tuple[Instance, ...]


class Retirement(Value):
    """What becomes of blue once traffic has gone to green: its hosts, and whether they are terminated."""

    order: GreenOrder
    hosts: tuple[Target, ...]
    terminate: bool


class EnvironmentState(StrEnum):
    """How far an environment has come."""

    MAKING = "Making"
    MADE = "Made"
    FAILED = "Failed"
    ABANDONING = "Abandoning"
    ABANDONED = "Abandoned"
    RETIRED = "Retired"
    """Blue has given way to it."""


class EnvironmentRecord(Value):
    """What is kept of one deployment's environment while it is made and put in blue's place."""

    state: EnvironmentState = EnvironmentState.MAKING
    hosts: tuple[Instance, ...] = ()
    """Those that were made, as far as is known."""
    message: str = ""
    """Why it came to nothing."""
    blue: str = ""
    """The ARN of what was copied: another that has its name later is not the same."""
    hooks: tuple[Mapping[str, str | int], ...] = ()
    """Lifecycle hooks on their way from blue to green."""
