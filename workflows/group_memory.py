"""What a deployment group remembers of its deployments: the last attempted, the last successful one, its revision."""

from __future__ import annotations

from domain.deployments import Deployment, DeploymentStatus, PhaseKind
from domain.groups import DeploymentGroup, LastDeployment
from workflows.targeting import selecting


def begun(group: DeploymentGroup, deployment: Deployment) -> DeploymentGroup:
    """The group once a deployment was begun, be it that it ended at once; one for some hosts alone leaves no trace."""
    if group.deployment_group_id != deployment.deployment_group_id or deployment.only:
        return group
    attempted = group.model_copy(update={"last_attempted_deployment": _summary(deployment)})
    return ended(attempted, deployment) if deployment.status.final else attempted


def ended(group: DeploymentGroup, deployment: Deployment) -> DeploymentGroup:
    """The group once a deployment that was begun has come to another phase, or has ended.

    A group that has gone on to another deployment, or was made anew under the old name, stays as it is: whoever brings
    this word is late.
    """
    if not _is_last(group, deployment):
        return group
    update: dict[str, object] = {"last_attempted_deployment": _summary(deployment)}
    if deployment.status is DeploymentStatus.SUCCEEDED:
        update |= {"last_successful_deployment": _summary(deployment), "target_revision": deployment.revision}
    if _blue_gives_way(deployment):
        group = _taken_over(group, deployment)
    return group.model_copy(update=update)


def _blue_gives_way(deployment: Deployment) -> bool:
    """Whether green has just taken the place of blue: before blue is retired, for from then on green grows and shrinks
    by itself and what it launches is the group's; at the end where nobody is retired."""
    if any(phase.kind is PhaseKind.RETIRE for phase in deployment.phases):
        under_way = deployment.under_way
        return not deployment.status.final and under_way is not None and under_way.kind is PhaseKind.RETIRE
    return deployment.status is DeploymentStatus.SUCCEEDED


def _taken_over(group: DeploymentGroup, deployment: Deployment) -> DeploymentGroup:
    """The group with green as its hosts. Its hooks on what was copied move to the copy."""
    if deployment.takes_over is None:
        return group
    source, green = deployment.source_environment, deployment.green_environment
    hooks = tuple(
        hook.model_copy(update={"auto_scaling_group": green}) if green and hook.auto_scaling_group == source else hook
        for hook in group.hooks
    )
    return selecting(group, deployment.takes_over).model_copy(update={"hooks": hooks})


def knows_success(group: DeploymentGroup, deployment: Deployment) -> bool:
    """The group was told already that this very deployment succeeded."""
    last = group.last_attempted_deployment
    return last is not None and _is_last(group, deployment) and last.status == DeploymentStatus.SUCCEEDED


def _is_last(group: DeploymentGroup, deployment: Deployment) -> bool:
    last = group.last_attempted_deployment
    return (
        group.deployment_group_id == deployment.deployment_group_id
        and last is not None
        and last.deployment_id == deployment.deployment_id
    )


def _summary(deployment: Deployment) -> LastDeployment:
    return LastDeployment(
        deployment_id=deployment.deployment_id,
        status=deployment.status,
        create_time=deployment.create_time,
        end_time=deployment.complete_time,
    )
