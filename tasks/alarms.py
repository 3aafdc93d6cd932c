"""Looks at the alarms that deployments watch, when they begin and while they are under way, and stops those whose
alarms say so. Harmless when repeated."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from celery import shared_task

from domain import metrics
from domain.alarms import AlarmReading
from domain.deployments import Deployment, ErrorInformation
from domain.errors import CannotBegin, WorldError
from domain.work import working_on
from tasks import runtime
from tasks.runtime import World
from tasks.steering import halt
from workflows import alarms, names
from workflows.alarms import Look

logger = logging.getLogger(__name__)


@shared_task(name=names.ALARMS, acks_late=True, ignore_result=True, throws=(WorldError,))
def look_at_alarms(deployment_id: str) -> None:
    """Read a deployment's alarms, and stop it where one is active or cannot be read for too long."""
    world = runtime.current()
    deployment = world.store.deployment(deployment_id)
    if deployment is None or not alarms.is_watching(deployment):
        return
    with working_on(deployment_id=deployment_id, application=deployment.application_name):
        found = _look(world, deployment)
        if found.why is not None:
            halt(world, deployment_id, found.why)


def why_not_begin(world: World, deployment: Deployment) -> ErrorInformation | None:
    """Why the alarms of a deployment keep it from beginning, if they do. Raises WorldError where that is to be looked
    at again: nothing is touched before it is known."""
    if deployment.alarm_configuration is None:
        return None
    found = _look(world, deployment)
    if found.why is None and found.unsettled:
        raise WorldError(f"the deployment does not begin before its alarms are known: {found.unsettled}")
    return found.why


def _look(world: World, deployment: Deployment) -> Look:
    readings = _read(world, alarms.names_of(deployment))
    found = alarms.look(deployment, readings, now=world.now(), limits=world.limits)
    before = deployment.alarm_record
    world.store.change(deployment.deployment_id, lambda present: alarms.noted(present, before, found))
    for text in filter(None, (*found.messages, found.unsettled)):
        logger.warning("alarms: %s", text)
    return found


def _read(world: World, watched: Sequence[str]) -> Mapping[str, AlarmReading]:
    try:
        found = world.alarms.read(watched)
    except (WorldError, CannotBegin) as error:
        found = dict.fromkeys(watched, AlarmReading(kind=metrics.OTHER, detail=error.message))
    except Exception:
        # A bug in reading them must not leave a deployment unwatched without a word.
        logger.exception("the alarms cannot be read")
        found = dict.fromkeys(watched, AlarmReading(kind=metrics.OTHER, detail="an internal error; the log has it"))
    for reading in found.values():
        world.meter.count(metrics.ALARM_LOOKS, reading.kind, reading.outcome)
    return found
