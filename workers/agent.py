"""The agent: a Celery worker on a host that consumes the host's own queue and tells control what it does."""

from __future__ import annotations

import logging
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from celery import signals
from celery.worker.control import control_command

from adapters.host.claiming import only_agent
from config.queues import reports_queue
from config.settings import AgentSettings, Settings
from domain.reports import AgentHello
from tasks.host import register
from tasks.host_world import HostWorld
from tasks.perform import KEEP_JOURNALS, report_interrupted
from workers.app import make_app
from workers.broker import connection
from workers.host import make_host_world
from workers.reporter import Pulse, Reporter
from workers.slots import Load, Slots
from workers.subjects import name_subjects
from workers.touch import Touch
from workflows import names

logger = logging.getLogger(__name__)


def run_agent(settings: Settings, *, host: str) -> int:
    """Serve the host until told to stop; the exit code. Raises HostError where another agent has the state."""
    with only_agent(settings.agent.state):
        return _serve(settings, host)


def _serve(settings: Settings, host: str) -> int:
    started_at = time.time()
    app = make_app(settings, "agent")
    touch = Touch(every=settings.agent.heartbeat_seconds)
    reporter = Reporter(host, connection(settings, "agent"), reports_queue(), touch=touch)
    world = make_host_world(settings.agent, host=host, tell=reporter.tell, touch=touch)
    register(app, world)
    name_subjects()
    _listen_for_stops(world)
    slots = Slots(settings.agent.concurrency)
    slots.count()
    pulse = Pulse(
        lambda: _hello(settings.agent, host, started_at, slots.load()),
        reporter.tell,
        every=settings.agent.heartbeat_seconds,
    )
    _beside(world, reporter, pulse)
    worker = app.Worker(
        hostname=names.agent_node(host),
        pool="threads",
        concurrency=settings.agent.concurrency,
        queues=[names.host_queue(host)],
        without_gossip=True,
        without_mingle=True,
        loglevel=settings.log_level,
        task_events=True,
        # Celery's own, for Flower; its two seconds would have every idle host of a fleet at work.
        heartbeat_interval=settings.agent.heartbeat_seconds,
    )
    worker.start()
    reporter.close()
    return int(worker.exitcode or 0)


def _hello(settings: AgentSettings, host: str, started_at: float, load: Load) -> AgentHello:
    return AgentHello(
        host=host,
        at=time.time(),
        version=_version(),
        root=str(settings.root),
        started_at=started_at,
        every=settings.heartbeat_seconds,
        grace=settings.script_grace_seconds,
        running=load.running,
        slots=load.slots,
        full_at=load.full_at,
    )


def _version() -> str:
    try:
        return version("slipway")
    except PackageNotFoundError:
        return "not installed"


def _beside(world: HostWorld, reporter: Reporter, pulse: Pulse) -> None:
    def start(**_: object) -> None:
        reporter.start()
        pulse.start()
        world.journal.forget(before=world.now() - KEEP_JOURNALS)
        interrupted = report_interrupted(world)
        if interrupted:
            logger.warning("%d events were cut short when this agent last ended; reported as failed", interrupted)

    # Before the worker takes its first message, so that nothing that runs is taken for interrupted.
    signals.celeryd_after_setup.connect(start, weak=False)


def _listen_for_stops(world: HostWorld) -> None:
    @control_command(name=names.STOP_DEPLOYMENT, args=[("deployment_id", str), ("now", bool)])
    def stop_deployment(_state: Any, deployment_id: str, now: bool = False) -> dict[str, str]:
        world.stopped[deployment_id].set()
        if now:
            world.cut[deployment_id].set()
        return {"ok": f"{deployment_id} stops on {world.host}"}
