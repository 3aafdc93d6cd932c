"""Which processes of which Auto Scaling groups a deployment suspends: never one that somebody else has suspended, for
at the end it resumes what it suspended.

Source: AWS CodeDeploy API reference, `EC2DeploymentOptions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from domain.deployments import Deployment
from domain.groups import DeploymentGroup
from domain.scaling import SuspendedProcesses


def groups_to_suspend(deployment: Deployment, group: DeploymentGroup, environments: Set[str]) -> tuple[str, ...]:
    """The Auto Scaling groups of which the deployment suspends processes; environments of the settings have none."""
    if not _wanted(deployment) or deployment.only:
        return ()
    return tuple(name for name in group.auto_scaling_groups if name not in environments)


def to_suspend(deployment: Deployment, suspended: Mapping[str, Set[str]]) -> tuple[SuspendedProcesses, ...]:
    """What is to be suspended, given what is suspended already in each Auto Scaling group."""
    chosen = (
        SuspendedProcesses(
            auto_scaling_group=name,
            processes=tuple(process for process in _wanted(deployment) if process not in already),
        )
        for name, already in suspended.items()
    )
    return tuple(each for each in chosen if each.processes)


def _wanted(deployment: Deployment) -> tuple[str, ...]:
    options = deployment.ec2_deployment_options
    return tuple(dict.fromkeys((options and options.auto_scaling_group_processes_to_suspend) or ()))
