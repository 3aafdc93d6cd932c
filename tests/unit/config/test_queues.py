"""The Celery configuration of each role: what keeps hosts from doing a thing twice and from reaching the store."""

from __future__ import annotations

from typing import Any

import pytest
from celery.app.defaults import NAMESPACES, flatten

from config.queues import FOR_EVER, Role, celery_config, reports_queue, transport_options
from config.sections import BrokerSettings, StoreSettings
from config.settings import Settings
from workflows import names

STORE, RABBIT = "unix:///run/store.sock?db=1", "amqp://guest:guest@rabbit:5672//"
ROLES: tuple[Role, ...] = ("control", "agent", "client")


def config(role: Role, *, broker: str | None = None) -> dict[str, Any]:
    settings = Settings(
        store=StoreSettings.model_validate({"url": STORE}), broker=BrokerSettings.model_validate({"url": broker})
    )
    return celery_config(settings, role)


@pytest.mark.parametrize("role", ROLES)
def test_nothing_but_json_is_read_or_written(role: Role) -> None:
    found = config(role)
    assert found["accept_content"] == ["json"]
    assert found["task_serializer"] == found["result_serializer"] == "json"


@pytest.mark.parametrize("role", ROLES)
def test_only_control_has_a_way_into_the_store(role: Role) -> None:
    backend = config(role, broker=RABBIT)["result_backend"]
    assert backend == ("redis+socket:///run/store.sock?db=1" if role == "control" else "disabled://")


def test_what_hosts_hold_is_not_restored_by_age() -> None:
    control, agent = (transport_options(STORE, role, visibility_timeout=60) for role in ("control", "agent"))
    keys = ("unacked_key", "unacked_index_key", "unacked_mutex_key")
    assert not {control[key] for key in keys} & {agent[key] for key in keys}
    assert (control["visibility_timeout"], agent["visibility_timeout"]) == (60, FOR_EVER)


@pytest.mark.parametrize("role", ROLES)
def test_the_options_are_those_of_the_transport(role: Role) -> None:
    assert config(role, broker=RABBIT)["broker_transport_options"] == {"confirm_publish": True}
    assert config(role)["broker_transport_options"]["priority_steps"] == [0]
    assert config(role)["broker_url"] == "redis+socket:///run/store.sock?virtual_host=1"


@pytest.mark.parametrize("role", ROLES)
def test_a_broker_that_is_away_is_waited_for(role: Role) -> None:
    found = config(role)
    assert found["broker_connection_max_retries"] is None
    assert found["broker_connection_retry_on_startup"]


@pytest.mark.parametrize("role", ROLES)
def test_celery_knows_every_option(role: Role) -> None:
    assert config(role).keys() <= dict(flatten(NAMESPACES)).keys()


def test_queues_outlive_a_restart_of_the_broker() -> None:
    assert reports_queue().name == names.REPORTS_QUEUE
    assert reports_queue().durable
    assert not reports_queue().auto_delete
