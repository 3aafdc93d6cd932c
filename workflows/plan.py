"""The whole deployment as phases, laid out once its hosts are known: in place, zone by zone, blue/green.

Source: AWS CodeDeploy user guide, "Overview of an EC2/On-Premises blue/green deployment" and "Zonal configuration".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from domain.deployments import Deployment, DeploymentMode, Phase, PhaseKind
from domain.fleet import Target
from domain.group_options import (
    BlueGreenDeploymentConfiguration,
    DeploymentReadyAction,
    DeploymentReadyOption,
    GreenFleetProvisioningAction,
    InstanceAction,
)
from domain.limits import Limits
from workflows.events import BLUE, GREEN_INSTALL, GREEN_SHIFT, events_for
from workflows.instance_deployments import events_of_instance
from workflows.speed import floor_of, lanes_of

MINUTE = 60.0
LONGEST_WAIT = 2880
"""Minutes: 48 hours, which is also how long somebody may take to say that traffic may go to green."""


def in_place(deployment: Deployment, zones: Sequence[int]) -> tuple[Phase, ...]:
    """The phases of a deployment in place: `zones` are the numbers of targets in each, one after the other in pick
    order; a deployment that does not go by zones has one. The total and the floor are in the deployment."""
    events = events_of_instance(deployment) or events_for(
        load_balancer=deployment.traffic_control, restart=deployment.deployment_mode is DeploymentMode.RESTART
    )
    at_once = lanes_of(deployment.total, deployment.floor)
    phases: list[Phase] = []
    first = 0
    for number, count in enumerate(zones):
        kept = _kept_in_zone(deployment, count)
        lanes = min(at_once, lanes_of(count, kept))
        # One zone is the whole: what it owes is decided by the deployment's own floor.
        floor = max(1, kept if deployment.zonal_config else deployment.floor)
        phases.append(Phase(first=first, count=count, lanes=lanes, floor=floor, events=events))
        if number < len(zones) - 1:
            phases.extend(_bake(deployment, first_zone=number == 0))
        first += count
    return tuple(phases)


def _kept_in_zone(deployment: Deployment, count: int) -> int:
    """How many of a zone's targets must stay healthy."""
    zonal = deployment.zonal_config
    minimum = zonal.minimum_healthy_hosts_per_zone if zonal else None
    return floor_of(minimum, count) if minimum else 0


def _bake(deployment: Deployment, *, first_zone: bool) -> Iterable[Phase]:
    zonal = deployment.zonal_config
    if zonal is None:
        return
    seconds = zonal.monitor_duration_in_seconds
    if first_zone and zonal.first_zone_monitor_duration_in_seconds is not None:
        seconds = zonal.first_zone_monitor_duration_in_seconds
    if seconds:
        yield Phase(kind=PhaseKind.BAKING, seconds=seconds)


def by_zone(targets: Sequence[Target]) -> tuple[list[Target], list[int]]:
    """Targets with those of a zone together, zones in name order and targets of no zone last, otherwise in the order
    given; and how many there are in each."""
    ordered = sorted(targets, key=_zone)
    return ordered, [len(list(of_zone)) for _, of_zone in groupby(ordered, key=_zone)]


def _zone(target: Target) -> tuple[bool, str]:
    return target.zone is None, target.zone or ""


def provisioning(limits: Limits) -> tuple[Phase, ...]:
    """The first phase of a blue/green deployment whose green hosts are yet to be made."""
    return (Phase(kind=PhaseKind.PROVISION, seconds=limits.environment_seconds),)


def blue_green(deployment: Deployment, green: int, limits: Limits) -> tuple[Phase, ...]:
    """The phases of a blue/green deployment once its `green` hosts are known: they come after its blue ones in pick
    order. The floor is in the deployment."""
    lanes = lanes_of(green, deployment.floor)
    floor = max(1, deployment.floor)
    of_green = {"first": deployment.blue, "count": green, "lanes": lanes, "floor": floor}
    return (
        Phase(kind=PhaseKind.INSTALL, events=GREEN_INSTALL, **of_green),
        *_ready_wait(deployment.blue_green_deployment_configuration),
        Phase(kind=PhaseKind.SHIFT, events=GREEN_SHIFT, **of_green),
        *_blue_leaves(deployment, limits),
    )


def _ready_wait(config: BlueGreenDeploymentConfiguration | None) -> Iterable[Phase]:
    option = (config and config.deployment_ready_option) or DeploymentReadyOption()
    if option.action_on_timeout is DeploymentReadyAction.STOP_DEPLOYMENT:
        minutes = LONGEST_WAIT if option.wait_time_in_minutes is None else option.wait_time_in_minutes
        yield Phase(kind=PhaseKind.READY_WAIT, seconds=minutes * MINUTE)


def _blue_leaves(deployment: Deployment, limits: Limits) -> Iterable[Phase]:
    blue = deployment.blue
    if blue:
        # All at once whatever the configuration: one that does not leave traffic fails the deployment.
        yield Phase(kind=PhaseKind.BLOCK, first=0, count=blue, lanes=blue, floor=blue, events=BLUE)
    terminates = terminates_blue(deployment)
    config = deployment.blue_green_deployment_configuration
    ending = config.terminate_blue_instances_on_deployment_success if config else None
    wait = (ending.termination_wait_time_in_minutes if ending else None) or 0
    if blue and terminates and wait:
        yield Phase(kind=PhaseKind.TERMINATION_WAIT, seconds=wait * MINUTE)
    if (blue and terminates) or deployment.source_environment:
        yield Phase(kind=PhaseKind.RETIRE, seconds=limits.environment_seconds)


def with_late_blue(deployment: Deployment, late: int) -> Deployment:
    """The deployment with hosts that joined blue while it ran: behind all others in pick order, and taken out of
    traffic after those that were there from the beginning."""
    number = next((at for at, phase in enumerate(deployment.phases) if phase.kind is PhaseKind.BLOCK), None)
    if not late or number is None or deployment.late_blue:
        return deployment
    extra = Phase(kind=PhaseKind.BLOCK, first=deployment.total, count=late, lanes=late, floor=late, events=BLUE)
    phases = (*deployment.phases[: number + 1], extra, *deployment.phases[number + 1 :])
    return deployment.model_copy(update={"phases": phases, "total": deployment.total + late, "late_blue": late})


def terminates_blue(deployment: Deployment) -> bool:
    """Whether the blue hosts are terminated once traffic has gone to green; so it is where nothing is said."""
    config = deployment.blue_green_deployment_configuration
    ending = config.terminate_blue_instances_on_deployment_success if config else None
    return ending is None or ending.action is not InstanceAction.KEEP_ALIVE


def copies_environment(config: BlueGreenDeploymentConfiguration | None) -> bool:
    """Whether the green hosts are made for the deployment, rather than found."""
    option = config.green_fleet_provisioning_option if config else None
    return option is not None and option.action is GreenFleetProvisioningAction.COPY_AUTO_SCALING_GROUP
