"""How Flower is started for an installation: it reads the broker and shows workers and tasks."""

from __future__ import annotations

import os
import sys

from config.queues import celery_url
from config.settings import Settings


def flower_command(settings: Settings) -> list[str]:
    """The command line; it holds no secret, since anyone on the machine can read it."""
    mine = settings.flower
    return [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "workers.flower_app",
        "flower",
        f"--port={mine.port or 5555}",
        f"--address={mine.address}",
        "--enable_events=True",
        "--inspect_timeout=2000",
        "--purge_offline_workers=120",
    ]


def flower_url(settings: Settings) -> str:
    """Where the dashboard is."""
    return f"http://{settings.flower.address}:{settings.flower.port or 5555}"


def flower_environment(settings: Settings) -> dict[str, str]:
    """The environment that holds what the command line must not."""
    environment = dict(os.environ)
    environment["SLIPWAY_BROKER__URL"] = settings.broker_url
    environment["CELERY_BROKER_URL"] = celery_url(settings.broker_url)
    if settings.flower.basic_auth:
        environment["FLOWER_BASIC_AUTH"] = settings.flower.basic_auth.get_secret_value()
    else:
        environment["FLOWER_UNAUTHENTICATED_API"] = "true"
    return environment
