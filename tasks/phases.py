"""From one phase of a deployment to the next: the verdict on the one that is over is written, and what follows is put
in motion."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from domain.deployments import Deployment, DeploymentErrorCode, ErrorInformation, Progress, RollbackInfo
from domain.errors import WorldError
from domain.groups import DeploymentGroup
from domain.moves import Change, Changed
from domain.work import working_on
from tasks.late_blue import lay_out_late_blue
from tasks.measuring import count_end
from tasks.rolling_back import prepare
from tasks.runtime import World
from tasks.suspending import resume
from workflows import decide, group_memory, plan, rollback, timeouts

logger = logging.getLogger(__name__)

SAMPLE = 200
"""Targets looked at for the reason of a failure."""


Edit = Callable[[Deployment], Change | None]
Memory = Callable[[DeploymentGroup, Deployment], DeploymentGroup]

MOST_TRIES = 5
"""Times that a change is prepared anew because somebody wanted something else meanwhile."""


def change_and_remember(world: World, deployment: Deployment, edit: Edit, memory: Memory) -> Changed | None:
    """Write a change of a deployment, and before it what the group remembers of that: a crash between the two repeats
    this and loses nothing. Before it ends, what it suspended is resumed; where that cannot be, it fails. If it is to be
    rolled back, the deployment for that is made first."""
    present: Deployment | None = deployment
    for _ in range(MOST_TRIES):
        prepared = _prepare(world, present, edit) if present else None
        if prepared is None:
            return None
        changed = _write(world, prepared, memory)
        if not prepared.surprised:
            return changed
        present = world.store.deployment(deployment.deployment_id)
    # Whoever asks next finds it as it is by then.
    return None


@dataclass
class _Prepared:
    """A change, and what it comes to as of now: what such an end needs has been done."""

    edit: Edit
    ahead: Deployment
    surprised: bool = False
    """It was not written, for it would have come to an end that nothing was prepared for."""

    def __call__(self, present: Deployment) -> Change | None:
        change = self.edit(present)
        self.surprised = change is not None and not self._is_prepared(change.deployment)
        return None if self.surprised else change

    def _is_prepared(self, after: Deployment) -> bool:
        if not after.status.final:
            return True
        return self.ahead.status.final and (not rollback.wanted(after) or rollback.wanted(self.ahead))


def _prepare(world: World, deployment: Deployment, edit: Edit) -> _Prepared | None:
    ahead = edit(deployment)
    if ahead is not None and ahead.deployment.status.final and (why := _resume(world, deployment)):
        edit = _spoiled(edit, why)
        ahead = edit(deployment)
    if ahead is not None and ahead.deployment.status.final and (info := prepare(world, ahead.deployment)):
        edit = _rolled_back(edit, info)
        ahead = edit(deployment)
    return _Prepared(edit, ahead.deployment) if ahead else None


def _write(world: World, prepared: _Prepared, memory: Memory) -> Changed | None:
    ahead = prepared.ahead
    world.store.groups.change(ahead.deployment_group_id, lambda group: memory(group, ahead))
    changed = world.store.change(ahead.deployment_id, prepared)
    present = changed.deployment if changed else world.store.deployment(ahead.deployment_id)
    if present is not None and present.status.final and present.status is not ahead.status:
        # Another end came first, or it came out otherwise: that is what the group remembers.
        world.store.groups.change(ahead.deployment_group_id, lambda group: group_memory.ended(group, present))
    return changed


def _resume(world: World, deployment: Deployment) -> ErrorInformation | None:
    """Resume what the deployment suspended; tried again for as long as the deployment may run."""
    try:
        return resume(world, deployment)
    except WorldError as error:
        if not timeouts.deployment_expired(deployment, world.now(), world.limits):
            raise
        return ErrorInformation(code=DeploymentErrorCode.AUTO_SCALING_CONFIGURATION, message=error.message)


def _spoiled(edit: Edit, why: ErrorInformation) -> Edit:
    def spoiled(present: Deployment) -> Change | None:
        change = edit(present)
        return decide.spoiled(change, why) if change else None

    return spoiled


def _rolled_back(edit: Edit, info: RollbackInfo) -> Edit:
    def rolled_back(present: Deployment) -> Change | None:
        change = edit(present)
        return rollback.told(change, info) if change else None

    return rolled_back


def open_phase(world: World, deployment: Deployment) -> None:
    """Put the deployment's present phase in motion; nothing if that was done already. A wait needs no motion."""
    phase = deployment.under_way
    if phase is None or phase.kind.waits:
        return
    if phase.kind.in_environment:
        world.dispatch.environment(deployment.deployment_id, deployment.phase)
        return
    if world.store.progress(deployment.deployment_id, deployment.phase) is not None:
        return
    world.store.open_phase(
        deployment.deployment_id,
        deployment.phase,
        Progress(total=phase.count, lanes=phase.lanes),
        check_at=world.now() + world.limits.nudge_seconds,
    )
    world.dispatch.open_lanes(deployment, deployment.phase)


def conclude(world: World, deployment: Deployment) -> None:
    """If the deployment's present phase is over, write the verdict on it and put in motion what follows."""
    with working_on(deployment_id=deployment.deployment_id, application=deployment.application_name):
        _conclude(world, deployment)


def _conclude(world: World, deployment: Deployment) -> None:
    phase = deployment.under_way
    if phase is None:
        return
    progress = world.store.progress(deployment.deployment_id, deployment.phase)
    sample = world.store.targets(deployment.deployment_id, first=phase.first, count=min(phase.count, SAMPLE))
    now, stopping = world.now(), _stop_in_time(world, deployment)
    late = len(lay_out_late_blue(world, deployment))
    in_time = plan.with_late_blue(deployment.model_copy(update={"stopping": stopping}), late)
    decided = decide.conclude_phase(in_time, progress, now=now, sample=sample)
    ends = decided is not None and decided.deployment.status.final

    def verdict(present: Deployment) -> Change | None:
        if present.phase != deployment.phase:
            return None
        # A stop that comes after the last phase is too late: the group is told of the end before it is written.
        as_decided = present.model_copy(update={"stopping": stopping}) if ends else present
        return decide.conclude_phase(plan.with_late_blue(as_decided, late), progress, now=now, sample=sample)

    go_on(world, change_and_remember(world, deployment, verdict, group_memory.ended))


def _stop_in_time(world: World, deployment: Deployment) -> ErrorInformation | None:
    """Why the deployment is to end early, unless its group was told of its success before that was asked for."""
    if deployment.stopping is None:
        return None
    group = world.store.groups.get(deployment.deployment_group_id)
    return None if group and group_memory.knows_success(group, deployment) else deployment.stopping


def go_on(world: World, changed: Changed | None) -> None:
    """Put in motion what follows a change of a deployment, if there was one: its present phase, or what comes after
    its end."""
    if changed is None:
        return
    if changed.deployment.status.final:
        after_end(world, changed)
    else:
        world.dispatch.announce()
        open_phase(world, changed.deployment)


def after_end(world: World, changed: Changed) -> None:
    """What follows the end of a deployment: its event is told and the next in the queue begins."""
    _log_end(changed.deployment)
    count_end(world.meter, changed.deployment)
    world.dispatch.announce()
    if changed.freed is not None:
        world.dispatch.begin(changed.freed)


def _log_end(deployment: Deployment) -> None:
    why = deployment.error_information
    detail = f": {why.code}, {why.message}" if why else ""
    with working_on(deployment_id=deployment.deployment_id, application=deployment.application_name):
        logger.info("deployment %s ended as %s%s", deployment.deployment_id, deployment.status, detail)
