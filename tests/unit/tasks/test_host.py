"""What an agent's tasks do not do: carry out a message that waited for longer than it was good for, or carry a chain on
whose host control may have given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Ignore

from domain.lifecycle import Event
from domain.reports import EventFinished, EventStatus, HostReport, Outcome
from tasks.host import expired, register
from tests.unit.tasks.agent_world import SOURCE, a_host, raises
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


def wire_of(outcome: Outcome) -> dict[str, Any]:
    return outcome.model_dump(mode="json", exclude_defaults=True)


class Unheard:
    """An agent whose silence ended at that moment; it is carried out from 10 on."""

    def __init__(self, ended: float) -> None:
        self.ended = ended

    def now(self) -> float:
        return 10.0

    def lost_since(self, moment: float) -> bool:
        return self.ended >= moment


def an_event(tmp_path: Path, event: Event, told: list[Any], **more: Any) -> Any:
    """What the task of an event gives back, in an attempt that begins with DownloadBundle."""
    app = Celery("agent", set_as_current=False)
    register(app, a_host(tmp_path, told, **more))
    return app.tasks[event].run(wire(HostReport(order=an_order(source=SOURCE))))


def test_an_agent_that_was_not_heard_leaves_the_chain_to_control(tmp_path: Path) -> None:
    told: list[Any] = []
    with pytest.raises(Ignore, match="silent"):
        an_event(tmp_path, Event.DOWNLOAD_BUNDLE, told, touch=Unheard(11.0))
    ended = told[-1]
    assert isinstance(ended, EventFinished)
    assert (ended.outcome.event, ended.outcome.status) == (Event.DOWNLOAD_BUNDLE, EventStatus.SUCCEEDED)
    # Control sends the event again: it is not run twice, and goes on.
    again = an_event(tmp_path, Event.DOWNLOAD_BUNDLE, told, touch=Unheard(9.0), fetch=raises(AssertionError()))
    assert again.__json__()["outcomes"] == [wire_of(ended.outcome)]


def test_a_silence_that_was_over_before_the_event_began_is_no_matter(tmp_path: Path) -> None:
    assert an_event(tmp_path, Event.DOWNLOAD_BUNDLE, [], touch=Unheard(9.0))


def test_where_nothing_more_would_run_the_chain_goes_on(tmp_path: Path) -> None:
    """Control need not wait for the host's lane to be missed."""
    done = an_event(tmp_path, Event.DOWNLOAD_BUNDLE, [], touch=Unheard(11.0), fetch=raises(OSError("no room")))
    assert done.__json__()["outcomes"][-1]["status"] == "Failed"


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
