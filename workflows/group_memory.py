"""What a deployment group remembers of its deployments: the last attempted, the last successful one, its revision."""

from __future__ import annotations

from domain.deployments import Deployment, DeploymentStatus
from domain.groups import DeploymentGroup, LastDeployment
from domain.revisions import RevisionLocation
from workflows.targeting import selecting, unless_changed


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
        update |= {"last_successful_deployment": _summary(deployment), "target_revision": _revision(deployment)}
    if deployment.blue_gave_way and group.serves_by != deployment.deployment_id:
        # Whatever becomes of the deployment from here on, green is what serves; what somebody changes since stays.
        group = _taken_over(group, deployment)
        update |= {"target_revision": _revision(deployment), "serves_by": deployment.deployment_id}
    return group.model_copy(update=update)


def _revision(deployment: Deployment) -> RevisionLocation | None:
    """What the hosts that serve have, as far as it is known."""
    return None if deployment.returns_to_unknown else deployment.revision


def _taken_over(group: DeploymentGroup, deployment: Deployment) -> DeploymentGroup:
    """The group with green as its hosts, but for what somebody has changed of its selection while the deployment ran.
    Its hooks on what was copied move to the copy."""
    if deployment.takes_over is None:
        return group
    source, green = deployment.source_environment, deployment.green_environment
    if deployment.rolls_back:
        source, green = green, source
    hooks = tuple(
        hook.model_copy(update={"auto_scaling_group": green}) if green and hook.auto_scaling_group == source else hook
        for hook in group.hooks
    )
    takes_over = unless_changed(group, deployment.takes_over, since=deployment.gives_back)
    return selecting(group, takes_over).model_copy(update={"hooks": hooks})


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
