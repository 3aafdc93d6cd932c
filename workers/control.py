"""The control process: a Celery worker that runs the engine's tasks, with a recorder beside it."""

from __future__ import annotations

import logging
from collections.abc import Collection

from celery import signals

from config.queues import reports_queue
from config.settings import Settings
from tasks import announce, beginning, environment, rollout, runtime, traffic, vanished
from tasks.recording import record, say_listening
from tasks.runtime import World
from workers.app import make_app
from workers.broker import connection
from workers.recorder import Recorder
from workers.subjects import name_subjects
from workers.wiring import make_world
from workflows import names

logger = logging.getLogger(__name__)

MODULES = (beginning, rollout, traffic, environment, announce, vanished)
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
        idle=lambda: _between(world),
    )
    _beside(recorder)
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


def _between(world: World) -> None:
    """What a recorder does between batches."""
    say_listening(world)
    announce.tell_outbox(world)


def _beside(recorder: Recorder) -> None:
    # Only once the pool stands: a prefork pool must not fork while the recorder's thread holds a lock.
    def start(**_: object) -> None:
        recorder.start()

    def stop(**_: object) -> None:
        recorder.stop()

    signals.worker_ready.connect(start, weak=False)
    signals.worker_shutting_down.connect(stop, weak=False)
