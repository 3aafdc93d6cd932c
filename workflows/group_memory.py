"""What a deployment group remembers of its deployments: the last attempted, the last successful one, its revision."""

from __future__ import annotations

from domain.deployments import Deployment, DeploymentStatus
from domain.groups import DeploymentGroup, LastDeployment
from workflows.targeting import selecting


def begun(group: DeploymentGroup, deployment: Deployment) -> DeploymentGroup:
    """The group once a deployment was begun, be it that it ended at once; one for some hosts alone leaves no trace."""
    if group.deployment_group_id != deployment.deployment_group_id or deployment.only:
        return group
    attempted = group.model_copy(update={"last_attempted_deployment": _summary(deployment)})
    return ended(attempted, deployment) if deployment.status.final else attempted


def ended(group: DeploymentGroup, deployment: Deployment) -> DeploymentGroup:
    """The group once a deployment that was begun has ended.

    A group that has gone on to another deployment, or was made anew under the old name, stays as it is: whoever brings
    this word is late.
    """
    if not _is_last(group, deployment):
        return group
    update: dict[str, object] = {"last_attempted_deployment": _summary(deployment)}
    if deployment.status is DeploymentStatus.SUCCEEDED:
        update |= {"last_successful_deployment": _summary(deployment), "target_revision": deployment.revision}
        if deployment.takes_over is not None:
            group = selecting(group, deployment.takes_over)
    return group.model_copy(update=update)


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
