"""Queues and the Celery configuration of each role, from settings. Names come from workflows.names."""

from __future__ import annotations

from typing import Any, Literal

from kombu import Exchange, Queue

from config.settings import Settings
from config.urls import backend_url
from config.urls import celery_url as celery_url
from workflows import names

Role = Literal["control", "agent", "client"]

FOR_EVER = 10 * 365 * 86_400
"""Seconds; the visibility timeout of what must never be delivered again by age."""
CONTROL_UNACKED, HOSTS_UNACKED = "slipway.unacked.control", "slipway.unacked.hosts"
"""On Redis: the hashes of what control and hosts took and have not acknowledged."""


def index_of(unacked: str) -> str:
    """The sorted set beside such a hash: when each message was taken."""
    return f"{unacked}.index"


def reports_queue() -> Queue:
    """Where agents tell what they do."""
    return _direct(names.REPORTS_QUEUE)


def _direct(name: str) -> Queue:
    return Queue(name, Exchange(name, type="direct", durable=True), routing_key=name, durable=True)


def transport_options(url: str, role: Role, *, visibility_timeout: int) -> dict[str, Any]:
    """Options of the transport for a role.

    On Redis any consumer restores every unacknowledged message older than its own visibility timeout from one shared
    hash, so control and hosts have hashes of their own, and what hosts hold is never restored: a hook is not run twice.
    What agents that died have left there the watch drops in time.
    """
    if not url.startswith(("redis", "unix")):
        return {"confirm_publish": True}
    unacked = CONTROL_UNACKED if role == "control" else HOSTS_UNACKED
    return {
        "priority_steps": [0],
        "visibility_timeout": visibility_timeout if role == "control" else FOR_EVER,
        "unacked_key": unacked,
        "unacked_index_key": index_of(unacked),
        "unacked_mutex_key": f"{unacked}.mutex",
        "socket_keepalive": True,
        "health_check_interval": 25,
        "retry_on_timeout": True,
    }


def celery_config(settings: Settings, role: Role) -> dict[str, Any]:
    """Celery's configuration for a role. Only control has a result backend: hosts hold no way into the store."""
    broker = settings.broker_url
    return {
        "broker_url": celery_url(broker),
        "broker_transport_options": transport_options(
            broker, role, visibility_timeout=settings.control.visibility_timeout
        ),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_heartbeat": 30,
        "result_backend": backend_url(settings.store_url) if role == "control" else "disabled://",
        "result_expires": 86_400,
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "task_default_queue": names.CONTROL_QUEUE,
        "task_acks_late": False,
        "task_publish_retry_policy": {
            "max_retries": 60,
            "interval_start": 0.1,
            "interval_step": 0.2,
            "interval_max": 1.0,
        },
        "task_send_sent_event": False,
        "worker_send_task_events": True,
        "worker_prefetch_multiplier": 1 if role != "control" else 4,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # After a reconnect to RabbitMQ Celery would raise the prefetch count again from the pool's threads, which read
        # answers on the connection that the main thread reads: frames are torn, and the threads wait for ever.
        "worker_enable_prefetch_count_reduction": False,
        "worker_hijack_root_logger": False,
        "worker_enable_remote_control": role == "agent",
        "event_queue_expires": 60.0,
        "control_queue_expires": 300.0,
    }
