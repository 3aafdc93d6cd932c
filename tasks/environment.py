"""The task that makes and retires hosts for blue/green deployments, a step at a time: the watch calls it again until
the environment says that it is done, or its time has passed."""

from __future__ import annotations

import logging
from collections.abc import Callable

from celery import shared_task

from domain import reasons
from domain.deployments import Deployment, DeploymentErrorCode, ErrorInformation, Phase, PhaseKind, TargetRecord
from domain.environments import GreenOrder, Provisioned, Retirement
from domain.errors import CannotBegin, WorldError
from domain.fleet import Target
from domain.groups import Selection
from domain.moves import Change
from domain.work import working_on
from tasks import runtime
from tasks.beginning import lay_out
from tasks.leases import alone
from tasks.phases import change_and_remember, go_on
from tasks.runtime import World
from workflows import admission, decide, group_memory, names, plan, targeting

logger = logging.getLogger(__name__)

LEASE = 30.0
"""Seconds after which another process takes over from one that died in the middle of a step: one with many calls to AWS
may take so long."""
PAGE = 500


@shared_task(name=names.ENVIRONMENT, acks_late=True, ignore_result=True, throws=(WorldError,))
def environment(deployment_id: str, phase: int) -> None:
    """Take one step in a phase that makes or retires hosts; nothing if the deployment has gone on."""
    world = runtime.current()
    with alone(world, _lease(deployment_id), LEASE) as mine:
        deployment = world.store.deployment(deployment_id) if mine else None
        if deployment is None or deployment.status.final or deployment.phase != phase:
            return
        under_way = deployment.under_way
        if under_way is not None and under_way.kind in _STEPS:
            with working_on(deployment_id=deployment_id, application=deployment.application_name):
                _STEPS[under_way.kind](world, deployment, under_way)


def _lease(deployment_id: str) -> str:
    return f"environment:{deployment_id}"


def _order(world: World, deployment: Deployment) -> GreenOrder:
    group = world.store.groups.get(deployment.deployment_group_id)
    return GreenOrder(
        deployment_id=deployment.deployment_id,
        application_name=deployment.application_name,
        deployment_group_name=deployment.deployment_group_name,
        deployment_group_id=deployment.deployment_group_id,
        source=deployment.source_environment or "",
        green=deployment.green_environment,
        hooks=tuple(hook.name for hook in group.hooks) if group else (),
    )


def _late(world: World, deployment: Deployment) -> bool:
    return deployment.until is not None and world.now() >= deployment.until


def _provision(world: World, deployment: Deployment, phase: Phase) -> None:
    if deployment.stopping:
        _fail(world, deployment, deployment.stopping)
        return
    last = ""
    try:
        made = world.environments.named(deployment.source_environment or "").provision(_order(world, deployment))
    except CannotBegin as error:
        _fail(world, deployment, ErrorInformation(code=DeploymentErrorCode(error.code), message=error.message))
        return
    except WorldError as error:
        logger.warning("the green environment is not there yet: %s", error.message)
        made, last = None, f"; last: {error.message}"
    if made is not None:
        _lay_out_green(world, deployment, made)
    elif _late(world, deployment):
        text = reasons.PROVISION_TIMEOUT.format(seconds=round(phase.seconds), last=last)
        _fail(world, deployment, ErrorInformation(code=DeploymentErrorCode.TIMEOUT, message=text))


def _fail(world: World, deployment: Deployment, why: ErrorInformation) -> None:
    now = world.now()

    def fail(present: Deployment) -> Change | None:
        return decide.end_early(present, why, now=now) if _still(present, deployment) else None

    go_on(world, change_and_remember(world, deployment, fail, group_memory.ended))


def _still(present: Deployment, deployment: Deployment) -> bool:
    return present.phase == deployment.phase and not present.status.final


def _lay_out_green(world: World, deployment: Deployment, made: Provisioned) -> None:
    targets = targeting.targets_of(sorted(made.hosts, key=lambda host: host.instance_id))
    too_many = admission.too_many(deployment.blue + len(targets), world.quotas)
    if too_many is not None:
        _fail(world, deployment, too_many)
        return
    records = [TargetRecord(target=each, index=deployment.blue + at) for at, each in enumerate(targets)]
    if not lay_out(world, deployment, records, lease=_lease(deployment.deployment_id)):
        return
    # The group selects green by its name once it serves; what else it selects by stays as it is then.
    now, takes_over = world.now(), Selection(auto_scaling_groups=(made.name,))

    def provisioned(present: Deployment) -> Change | None:
        ready = present.model_copy(update={"takes_over": takes_over})
        return admission.provisioned(ready, len(targets), name=made.name, now=now, limits=world.limits)

    go_on(world, change_and_remember(world, deployment, provisioned, group_memory.ended))


def _retire(world: World, deployment: Deployment, phase: Phase) -> None:
    def step() -> bool:
        retirement = Retirement(
            order=_order(world, deployment),
            hosts=tuple(_blue(world, deployment)),
            # Stopped after blue had given way: green takes its place, and blue is left to whoever stopped it.
            terminate=plan.terminates_blue(deployment) and not deployment.stopping,
        )
        return world.environments.named(deployment.source_environment or "").retire(retirement)

    _step_to_the_end(world, deployment, phase, step, reasons.NOT_RETIRED)


def _blue(world: World, deployment: Deployment) -> list[Target]:
    late = deployment.total - deployment.late_blue
    return [
        record.target
        for first, end in ((0, deployment.blue), (late, deployment.total))
        for at in range(first, end, PAGE)
        for record in world.store.targets(deployment.deployment_id, first=at, count=min(PAGE, end - at))
    ]


def _abandon(world: World, deployment: Deployment, phase: Phase) -> None:
    def step() -> bool:
        return world.environments.named(deployment.source_environment or "").abandon(_order(world, deployment))

    _step_to_the_end(world, deployment, phase, step, reasons.NOT_ABANDONED)


def _step_to_the_end(
    world: World, deployment: Deployment, phase: Phase, step: Callable[[], bool], complaint: str
) -> None:
    """A step of the last phase: what cannot be done is said, and changes nothing of how the deployment ends."""
    why: str | None = None
    try:
        if not step():
            why = reasons.ENVIRONMENT_TIMEOUT.format(seconds=round(phase.seconds)) if _late(world, deployment) else ""
    except CannotBegin as error:
        why = error.message
    except WorldError as error:
        logger.warning("an environment does not answer yet: %s", error.message)
        why = error.message if _late(world, deployment) else ""
    if why != "":
        _end(world, deployment, None if why is None else complaint.format(why=why))


def _end(world: World, deployment: Deployment, message: str | None) -> None:
    now = world.now()
    if message:
        logger.warning("%s", message)

    def end(present: Deployment) -> Change | None:
        if not _still(present, deployment):
            return None
        told = (*present.status_messages, message) if message else present.status_messages
        return decide.last_phase_over(present.model_copy(update={"status_messages": told}), now=now)

    go_on(world, change_and_remember(world, deployment, end, group_memory.ended))


_STEPS: dict[PhaseKind, Callable[[World, Deployment, Phase], None]] = {
    PhaseKind.PROVISION: _provision,
    PhaseKind.RETIRE: _retire,
    PhaseKind.ABANDON: _abandon,
}
