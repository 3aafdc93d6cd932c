"""What an agent decides of an event: whose scripts it runs, and whether its failure is forgiven."""

from __future__ import annotations

import pytest

from domain.lifecycle import SCRIPTED, Event, Runner
from domain.lifecycle import TABLE as ROWS
from domain.reports import EventStatus
from tests.unit.workflows.engine_values import an_order, an_outcome
from workflows.host_events import Whose, follows_install, forgiven, whose_scripts

BLOCK = [Event.BEFORE_BLOCK_TRAFFIC, Event.AFTER_BLOCK_TRAFFIC]
ALLOW = [Event.BEFORE_ALLOW_TRAFFIC, Event.AFTER_ALLOW_TRAFFIC]
STOP_SIDE = {*BLOCK, Event.APPLICATION_STOP}


@pytest.mark.parametrize("event", sorted(SCRIPTED))
def test_the_old_release_is_stopped_by_its_own_scripts(event: Event) -> None:
    whose = Whose.LAST_SUCCESSFUL if event in STOP_SIDE else Whose.CURRENT
    assert whose_scripts(event, an_order()) is whose


@pytest.mark.parametrize(
    ("event", "whose"),
    [(event, Whose.MOST_RECENT) for event in BLOCK]
    + [(event, Whose.LAST_SUCCESSFUL) for event in ALLOW]
    + [(Event.APPLICATION_STOP, Whose.LAST_SUCCESSFUL), (Event.APPLICATION_START, Whose.CURRENT)],
)
def test_rolled_back_fleets_run_what_they_have(event: Event, whose: Whose) -> None:
    assert whose_scripts(event, an_order(blue_green_rollback=True)) is whose


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("status", EventStatus)
@pytest.mark.parametrize("asked", [True, False])
def test_what_is_forgiven(event: Event, status: EventStatus, asked: bool) -> None:
    """The failures of three events, and only where ignoreApplicationStopFailures asks for it."""
    order = an_order(ignore_application_stop_failures=asked)
    wanted = asked and status is EventStatus.FAILED and event in STOP_SIDE
    assert forgiven(an_outcome(event, status), order) is wanted


def test_files_are_there_after_install() -> None:
    after = [row.event for row in ROWS if follows_install(row.event) and row.runner is Runner.HOST]
    assert after == ["AfterInstall", "ApplicationStart", "ValidateService", "BeforeAllowTraffic", "AfterAllowTraffic"]
    assert not follows_install(Event.INSTALL)
