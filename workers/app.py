"""Celery apps, one per role: control runs the engine's tasks, an agent a host's events, a client only sends."""

from __future__ import annotations

from typing import Literal

from celery import Celery

from adapters.broker.redis import be_tolerant
from config.queues import celery_config
from config.settings import Settings

Role = Literal["control", "agent", "client"]


def make_app(settings: Settings, role: Role) -> Celery:
    """An app for the role; it becomes the process's current one, since signatures find their app that way."""
    if not settings.broker_url.startswith("amqp"):
        be_tolerant()
    app = Celery("slipway", set_as_current=True)
    app.conf.update(celery_config(settings, role))
    app.conf.worker_consumer = "workers.consumer:LingeringConsumer"
    app.set_default()
    return app
