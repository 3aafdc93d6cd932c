"""Looks at the alarms that deployments watch, when they begin and while they are under way, and stops those whose
alarms say so. Harmless when repeated.

Where alarms are may take long to answer, and the threads of a control process are there to move lanes: alarms are read
elsewhere, and what follows from a look is done by whoever has read them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from celery import shared_task

from domain import metrics, reasons
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

Readings = Mapping[str, AlarmReading]

GLANCE = 1.0
"""Seconds for which a task that begins a deployment waits for its alarms, as most sources answer at once."""

_glancing = threading.Semaphore(1)
"""One thread of a process may wait so, whatever the number of deployments that begin."""
_asked: set[str] = set()
"""Whose alarms this process has asked for and not been told yet: looks must not pile up behind a source that hangs."""
_lock = threading.Lock()


@shared_task(name=names.ALARMS, acks_late=True, ignore_result=True, throws=(WorldError,))
def look_at_alarms(deployment_id: str) -> None:
    """Have a deployment's alarms read, and it stopped where one is active or cannot be read for too long."""
    world = runtime.current()
    deployment = world.store.deployment(deployment_id)
    if deployment is not None and alarms.is_watching(deployment):
        _ask(world, deployment, lambda readings: _stop_by(world, deployment_id, readings))


def _stop_by(world: World, deployment_id: str, readings: Readings) -> None:
    # Much may have happened to it while its alarms were read.
    deployment = world.store.deployment(deployment_id)
    if deployment is not None and alarms.is_watching(deployment):
        found = _look(world, deployment, readings)
        if found.why is not None:
            halt(world, deployment_id, found.why)


def why_not_begin(world: World, deployment: Deployment) -> ErrorInformation | None:
    """Why the alarms of a deployment keep it from beginning, if they do. Raises WorldError where that is to be looked
    at again: nothing is touched before it is known."""
    if deployment.alarm_configuration is None:
        return None
    readings = alarms.readings_kept(deployment, now=world.now(), limits=world.limits)
    if readings is None:
        readings = _glance(world, deployment)
    if readings is None:
        world.store.change(deployment.deployment_id, alarms.being_read)
        raise WorldError(reasons.ALARMS_AWAITED.format(why=reasons.ALARMS_BEING_READ))
    found = _look(world, deployment, readings)
    if found.why is None and found.unsettled:
        raise WorldError(reasons.ALARMS_AWAITED.format(why=found.unsettled))
    return found.why


def _glance(world: World, deployment: Deployment) -> Readings | None:
    """What the alarms say if that is known in a moment; what comes later is kept, and the deployment begun again."""
    glance = _Glance(lambda readings: _begin_by(world, deployment.deployment_id, readings))
    if not _ask(world, deployment, glance.tell):
        return None
    waits = _glancing.acquire(blocking=False)
    try:
        return glance.end(GLANCE if waits else 0.0)
    finally:
        if waits:
            _glancing.release()


def _begin_by(world: World, deployment_id: str, readings: Readings) -> None:
    # By way of the store: whoever begins it next may be another process.
    now = world.now()
    if world.store.change(deployment_id, lambda present: alarms.kept(present, readings, now=now)) is not None:
        world.dispatch.begin(deployment_id)


class _Glance:
    """Readings that somebody waits for a moment for; `late` gets those that come after it."""

    def __init__(self, late: Callable[[Readings], None]) -> None:
        self._late = late
        self._lock, self._told = threading.Lock(), threading.Event()
        self._readings: Readings | None = None
        self._over = False

    def tell(self, readings: Readings) -> None:
        with self._lock:
            if not self._over:
                self._readings = readings
                self._told.set()
                return
        self._late(readings)

    def end(self, seconds: float) -> Readings | None:
        self._told.wait(seconds)
        with self._lock:
            self._over = True
            return self._readings


def _ask(world: World, deployment: Deployment, then: Callable[[Readings], None]) -> bool:
    """Have a deployment's alarms read, and something made of what was found; False where that is under way already."""
    deployment_id, watched = deployment.deployment_id, alarms.names_of(deployment)
    with _lock:
        if deployment_id in _asked:
            return False
        _asked.add(deployment_id)

    def told(readings: Readings) -> None:
        try:
            with working_on(deployment_id=deployment_id, application=deployment.application_name):
                _make_something_of(world, readings, then)
        finally:
            with _lock:
                _asked.discard(deployment_id)

    try:
        world.alarms.ask(watched, told)
    except (WorldError, CannotBegin) as error:
        told(dict.fromkeys(watched, AlarmReading(kind=metrics.OTHER, detail=error.message)))
    except Exception:
        # A bug in reading them must not leave a deployment unwatched without a word.
        logger.exception("the alarms cannot be read")
        told(dict.fromkeys(watched, AlarmReading(kind=metrics.OTHER, detail="an internal error; the log has it")))
    return True


def _make_something_of(world: World, readings: Readings, then: Callable[[Readings], None]) -> None:
    for reading in readings.values():
        world.meter.count(metrics.ALARM_LOOKS, reading.kind, reading.outcome)
    try:
        then(readings)
    except WorldError as error:
        # The next look comes soon.
        logger.warning("what alarms say cannot be followed just now: %s", error.message)
    except Exception:
        logger.exception("what alarms say cannot be followed")


def _look(world: World, deployment: Deployment, readings: Readings) -> Look:
    found = alarms.look(deployment, readings, now=world.now(), limits=world.limits)
    before = deployment.alarm_record
    world.store.change(deployment.deployment_id, lambda present: alarms.noted(present, before, found))
    for text in filter(None, (*found.messages, found.unsettled)):
        logger.warning("alarms: %s", text)
    return found
