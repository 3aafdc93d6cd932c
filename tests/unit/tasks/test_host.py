"""A message that waited in the agent for longer than it was good for is not carried out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from celery import Celery
from celery.exceptions import Ignore

from domain.lifecycle import Event
from domain.reports import HostReport
from tasks.host import expired, register
from tests.unit.tasks.agent_world import SOURCE, a_host
from tests.unit.workflows.engine_values import NOW, an_order
from workflows.canvas import wire

EXPIRES = datetime.fromtimestamp(NOW, UTC)


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=-1)])
def test_in_time(late: timedelta) -> None:
    assert not expired((EXPIRES - late).isoformat(), NOW)


def test_too_late() -> None:
    assert expired((EXPIRES - timedelta(seconds=1)).isoformat(), NOW)


@pytest.mark.parametrize("odd", [None, "", "soon", 12, {}])
def test_a_message_that_does_not_say_when_is_in_time(odd: object) -> None:
    assert not expired(odd, NOW)


def test_nothing_of_it_is_begun_or_told(tmp_path: Path) -> None:
    told: list[object] = []
    app = Celery("agent", set_as_current=False)
    world = a_host(tmp_path, told)  # type: ignore[arg-type]
    register(app, world)
    task = app.tasks[Event.DOWNLOAD_BUNDLE]
    report = wire(HostReport(order=an_order(source=SOURCE)))
    task.push_request(expires=(EXPIRES - timedelta(seconds=1)).isoformat())
    try:
        with pytest.raises(Ignore, match="expired"):
            task.run(report)
    finally:
        task.pop_request()
    assert not told
    assert not world.journal.knows("t-1")
