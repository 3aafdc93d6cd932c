"""The control process: a Celery worker that runs the engine's tasks, with a recorder and an announcer beside it."""

from __future__ import annotations

import logging
from collections.abc import Collection

from celery import signals

from config.queues import reports_queue
from config.settings import Settings
from tasks import alarms, announce, beginning, environment, rollout, runtime, traffic, vanished
from tasks.recording import record, say_listening
from workers.announcer import Announcer
from workers.app import make_app
from workers.broker import connection
from workers.recorder import Recorder
from workers.subjects import name_subjects
from workers.wiring import make_world
from workflows import names

logger = logging.getLogger(__name__)

MODULES = (beginning, rollout, traffic, environment, alarms, announce, vanished)
"""The modules whose shared tasks a control worker runs."""


QUEUES = {"control": names.CONTROL_QUEUE, "traffic": names.TRAFFIC_QUEUE}


def run_control(
    settings: Settings, *, name: str | None = None, process: str = "control", queues: Collection[str] = tuple(QUEUES)
) -> int:
    """Run until told to stop; the exit code. Which of the two `queues` it works on makes no other difference."""
    app = make_app(settings, "control")
    world = make_world(settings, app)
    runtime.enter(world)
    name_subjects()
    recorder = Recorder(
        connection(settings, "control"),
        reports_queue(),
        lambda messages: record(world, messages),
        idle=lambda: say_listening(world),
    )
    announcer = Announcer(world, lambda channel: announce.tell(world, channel, ending=lambda: announcer.ending))
    _beside(recorder, announcer)
    worker = app.Worker(
        hostname=name or f"{process}@{settings.node}",
        pool=settings.control.pool,
        concurrency=settings.control.concurrency,
        queues=[QUEUES[queue] for queue in queues],
        without_gossip=True,
        without_mingle=True,
        loglevel=settings.log_level,
        task_events=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def _beside(*threads: Recorder | Announcer) -> None:
    # Only once the pool stands: a prefork pool must not fork while one of the threads holds a lock.
    def start(**_: object) -> None:
        for each in threads:
            each.start()

    def stop(**_: object) -> None:
        for each in threads:
            each.stop()

    signals.worker_ready.connect(start, weak=False)
    signals.worker_shutting_down.connect(stop, weak=False)
