"""A lane moves on although its host did not say so: with what is known, or because the host is given up."""

from __future__ import annotations

import logging

from domain.deployments import Deployment, Lane, TargetRecord
from domain.reports import Outcome
from domain.work import working_on
from tasks.measuring import count_given_up
from tasks.orders import write_report
from tasks.runtime import World
from workflows import names
from workflows.verdicts import Reap

logger = logging.getLogger(__name__)


def move_on(
    world: World, deployment: Deployment, phase: int, lane: Lane, record: TargetRecord, outcomes: tuple[Outcome, ...]
) -> None:
    """Move a lane with the outcomes of its host; harmless if it moved since."""
    report = write_report(world, deployment, record, lane=lane.number, step=lane.step, outcomes=outcomes, link=False)
    world.dispatch.continue_lane(deployment, phase, lane, report)


def give_up(world: World, deployment: Deployment, phase: int, lane: Lane, record: TargetRecord, lost: Reap) -> None:
    """Move a lane on from a host that is given up, and first keep the deployment from going on there: what waits in the
    host's queue is taken back, and its agent is told to begin nothing more and to end the script that runs."""
    if lost.outcomes and (last := lost.outcomes[-1]).diagnostics:
        with working_on(event=last.event):
            logger.warning("%s is given up: %s", last.event, last.diagnostics.message)
    # An agent that is started again knows of no stop, and would take up what it finds.
    world.dispatch.withdraw(record.target.queue, deployment.deployment_id)
    # Also an agent that seems dead: it may be stopped or cut off, and come back while its script runs.
    agent = names.agent_of(record.target.queue)
    world.dispatch.stop_hosts(deployment.deployment_id, now=True, agents=[agent])
    move_on(world, deployment, phase, lane, record, lost.outcomes)
    count_given_up(world.meter, lost.why)
