"""The waits of a blue/green deployment, and who ends them.

Source: AWS CodeDeploy API reference, ContinueDeployment.
"""

from __future__ import annotations

from domain.api_errors import DeploymentIsNotInReadyState, UnsupportedActionForDeploymentType
from domain.deployments import Deployment, PhaseKind, WaitType
from domain.errors import DeploymentAlreadyCompleted
from domain.moves import Change
from domain.values import Instant
from workflows import alarms
from workflows.put_off import put_off_by

_PHASES = {WaitType.READY_WAIT: PhaseKind.READY_WAIT, WaitType.TERMINATION_WAIT: PhaseKind.TERMINATION_WAIT}


def continued(deployment: Deployment, wait: WaitType) -> Change | None:
    """The deployment whose wait may end; None if that was said before.

    Raises DeploymentAlreadyCompleted, UnsupportedActionForDeploymentType for one in place, DeploymentIsNotInReadyState
    where it does not wait for that.
    """
    if deployment.status.final:
        raise DeploymentAlreadyCompleted(
            f"The deployment {deployment.deployment_id} has ended already: {deployment.status}."
        )
    if not deployment.blue_green:
        raise UnsupportedActionForDeploymentType(
            f"The deployment {deployment.deployment_id} is in place; nothing in it waits."
        )
    phase = deployment.under_way
    if phase is None or phase.kind is not _PHASES[wait]:
        raise DeploymentIsNotInReadyState(
            f"The deployment {deployment.deployment_id} is not in its {wait}: " + where_it_is(deployment)
        )
    return None if deployment.continued else Change(deployment.model_copy(update={"continued": True}))


_WORDS = {
    PhaseKind.ROLLOUT: "it deploys to its instances",
    PhaseKind.BAKING: "it looks at a zone before it goes on to the next",
    PhaseKind.PROVISION: "the replacement instances are being made",
    PhaseKind.INSTALL: "the revision is being installed on the replacement instances",
    PhaseKind.READY_WAIT: "the replacement instances are ready, and wait for ContinueDeployment",
    PhaseKind.SHIFT: "traffic is being shifted to the replacement instances",
    PhaseKind.BLOCK: "the original instances are being taken out of traffic",
    PhaseKind.TERMINATION_WAIT: "the original instances wait for their termination",
    PhaseKind.RETIRE: "the original instances are being retired",
    PhaseKind.ABANDON: "the replacement instances are being removed",
}


def where_it_is(deployment: Deployment) -> str:
    """What a deployment is doing, for a person."""
    phase = deployment.under_way
    return (_WORDS[phase.kind] if phase else "it has not started") + "."


def waiting_for(deployment: Deployment, now: Instant) -> str:
    """What the deployment waits for, for a person; nothing while it works on hosts and is not stopping."""
    if deployment.status.final:
        return ""
    if not deployment.phases and deployment.green_leaves_since is not None:
        return "replacement hosts to leave traffic, in which an earlier deployment left them"
    if why := alarms.awaited(deployment):
        return f"its alarms to be known before it begins: {why}"
    if why := put_off_by(deployment):
        return f"what it needs to begin: {why}"
    phase = deployment.under_way
    if phase is None:
        return ""
    if phase.kind.on_hosts:
        return _running_events(deployment) if deployment.stopping else ""
    left = max(0, round((deployment.until or now) - now))
    return _WAITING[phase.kind].format(deployment_id=deployment.deployment_id, left=f"{left // 60}:{left % 60:02}")


def _running_events(deployment: Deployment) -> str:
    if deployment.cutting:
        return "the events that run, which are being ended"
    return f"the events that run; `slipway stop {deployment.deployment_id} --now` ends them"


_WAITING = {
    PhaseKind.BAKING: "what the zone shows; the next begins in {left}",
    PhaseKind.PROVISION: "the replacement hosts, which are being made; given up in {left}",
    PhaseKind.READY_WAIT: "`slipway continue {deployment_id}`; stopped in {left}",
    PhaseKind.TERMINATION_WAIT: "the termination of the original hosts in {left}; "
    "`slipway continue {deployment_id} --terminate` does it now",
    PhaseKind.RETIRE: "the original hosts, which are being retired",
    PhaseKind.ABANDON: "the replacement hosts, which are being removed",
}
