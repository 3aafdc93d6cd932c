"""Connections to the broker, apart from the rest of the wiring: an agent needs nothing else of it."""

from __future__ import annotations

from kombu import Connection

from config.queues import Role, celery_url, transport_options
from config.settings import Settings


def connection(settings: Settings, role: Role) -> Connection:
    """A connection to the broker, not opened yet."""
    url = settings.broker_url
    options = transport_options(url, role, visibility_timeout=settings.control.visibility_timeout)
    return Connection(celery_url(url), transport_options=options, heartbeat=30)
