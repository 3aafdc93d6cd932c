"""The yardstick of the engine: the same canvas in bare Celery, with tasks that do nothing and no store behind them.

A first task sends a chord of lanes; each lane takes the next number from a counter and replaces itself with a chain of
seven no-op tasks on a host queue and its own next step. Run as `python -m benchmarks.bare control|host`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import redis
from celery import Celery, Task, chain, chord, group
from celery.canvas import Signature

from adapters.store.connection import plain
from config.queues import Role, celery_config
from config.settings import load_settings
from workflows.events import events_for

EVENTS = events_for()
HOST_QUEUE = "bare.hosts"
CONTROL_QUEUE = "bare.control"
BEGIN, NEXT, DONE = "bare.begin", "bare.next", "bare.done"


ROLES: Mapping[str, Role] = {"control": "control", "host": "agent", "client": "client"}


def bare_app(role: str) -> Celery:
    """An app with the same configuration as Slipway's own, so that only our work differs."""
    settings = load_settings()
    app = Celery("bare", set_as_current=True)
    app.conf.update(celery_config(settings, ROLES[role]))
    app.set_default()
    if role == "host":
        for event in EVENTS:
            _host_task(app, f"bare.{event}")
    elif role == "control":
        _control_tasks(app, redis.Redis.from_url(plain(settings.store_url)))
    return app


def _host_task(app: Celery, name: str) -> None:
    @app.task(name=name, ignore_result=True)
    def nothing(value: dict[str, Any]) -> dict[str, Any]:
        return value


def _control_tasks(app: Celery, counter: redis.Redis) -> None:
    @app.task(name=BEGIN, acks_late=True, ignore_result=True)
    def begin(total: int, lanes: int) -> None:
        header = [Signature(NEXT, args=(None, total), options={"queue": CONTROL_QUEUE}) for _ in range(lanes)]
        chord(group(header), Signature(DONE, options={"queue": CONTROL_QUEUE})).apply_async()

    @app.task(name=NEXT, bind=True, acks_late=True, ignore_result=True)
    def next_one(self: Task[Any, Any], value: object, total: int) -> None:
        if int(str(counter.incr("bare:taken"))) <= total:
            raise self.replace(_host_chain(total))

    @app.task(name=DONE, acks_late=True, ignore_result=True)
    def done(_results: object) -> None:
        counter.rpush("bare:done", "1")


def _host_chain(total: int) -> Signature[Any]:
    steps = [
        Signature(f"bare.{event}", args=({"host": 1},) if event is EVENTS[0] else (), options={"queue": HOST_QUEUE})
        for event in EVENTS
    ]
    return chain(*steps, Signature(NEXT, args=(total,), options={"queue": CONTROL_QUEUE}))


def send(total: int, lanes: int) -> None:
    """Have the whole canvas sent, by a worker as Slipway's are."""
    Signature(BEGIN, args=(total, lanes), options={"queue": CONTROL_QUEUE}).apply_async()


def main() -> None:
    """Run a worker of the yardstick."""
    role = sys.argv[1]
    app = bare_app(role)
    settings = load_settings()
    worker = app.Worker(
        hostname=f"bare-{role}@localhost",
        pool="threads",
        concurrency=settings.control.concurrency if role == "control" else settings.agent.concurrency,
        queues=[CONTROL_QUEUE if role == "control" else HOST_QUEUE],
        without_gossip=True,
        without_mingle=True,
        loglevel="WARNING",
    )
    worker.start()


if __name__ == "__main__":
    main()
