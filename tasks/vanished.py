"""Looks for hosts at work that are no more: terminated or deregistered, they are given up without waiting for them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from celery import shared_task

from domain.deployments import Deployment, Lane, TargetRecord
from domain.errors import SlipwayError, WorldError
from domain.fleet import Fate
from domain.moves import Due
from domain.work import working_on
from tasks import runtime
from tasks.giving_up import give_up
from tasks.runtime import World
from workflows import names, timeouts

logger = logging.getLogger(__name__)

PAGE = 200

_looking = threading.Lock()
"""Whoever knows which hosts there are may take long to answer: one thread of a process waits for that, no more."""


@shared_task(name=names.VANISHED, acks_late=True, ignore_result=True)
def vanished() -> None:
    """Give up the hosts at work that are no more."""
    if not _looking.acquire(blocking=False):
        return
    try:
        give_up_vanished(runtime.current())
    except SlipwayError as error:
        # The next look comes soon.
        logger.warning("which hosts are no more cannot be told just now: %s", error.message)
    finally:
        _looking.release()


@dataclass(frozen=True, slots=True)
class _AtWork:
    """A lane and the host that it works on."""

    deployment: Deployment
    lane: Lane
    record: TargetRecord


def give_up_vanished(world: World) -> int:
    """Give up every host at work that is no more; how many there were. Raises WorldError or CannotBegin."""
    at_work = list(_all_at_work(world))
    targets = {each.record.target.target_id: each.record.target for each in at_work}
    gone = world.fleet.gone(list(targets.values())) if targets else {}
    found = [(each, gone[each.record.target.target_id]) for each in at_work if each.record.target.target_id in gone]
    return sum(_give_up_safely(world, each, fate) for each, fate in found)


def _all_at_work(world: World) -> Iterator[_AtWork]:
    after = ""
    while ids := world.store.active(after=after, limit=PAGE):
        for deployment in world.store.deployments(ids):
            if deployment and deployment.under_way and deployment.under_way.kind.on_hosts:
                yield from _at_work(world, deployment, range(deployment.under_way.lanes))
        after = ids[-1]


def _at_work(world: World, deployment: Deployment, lanes: Sequence[int]) -> Iterator[_AtWork]:
    for first in range(0, len(lanes), PAGE):
        page = [Due(deployment.deployment_id, deployment.phase, lane, 0.0) for lane in lanes[first : first + PAGE]]
        for lane, record in world.store.watched(page):
            if record is not None and not lane.retired and not record.status.final:
                yield _AtWork(deployment, lane, record)


def _give_up_safely(world: World, host: _AtWork, fate: Fate) -> bool:
    deployment, record = host.deployment, host.record
    with working_on(
        deployment_id=deployment.deployment_id,
        application=deployment.application_name,
        target_id=record.target.target_id,
    ):
        try:
            return _give_up(world, host, fate)
        except WorldError:
            raise
        except Exception:
            logger.exception("lane %d of deployment %s cannot be moved", host.lane.number, deployment.deployment_id)
            return False


def _give_up(world: World, host: _AtWork, fate: Fate) -> bool:
    deployment, record = host.deployment, host.record
    lost = timeouts.vanished(deployment.phases[deployment.phase], record, fate, now=world.now())
    if lost is None:
        return False
    give_up(world, deployment, deployment.phase, host.lane, record, lost)
    return True
