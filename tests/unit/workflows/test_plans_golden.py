"""Golden plans: for every style and side, with and without a load balancer, the events of a host in order, each with
who carries it out and whose scripts it runs. A change of the event table shows here as a diff."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domain.lifecycle import BY_EVENT, SCRIPTED, Event
from tests.unit.workflows.engine_values import an_order
from workflows import events
from workflows.host_events import whose_scripts

FOLDER = Path(__file__).parents[2] / "golden" / "plans"

PLANS: dict[str, tuple[Event, ...]] = {
    "in_place": events.events_for(),
    "in_place_load_balancer": events.events_for(load_balancer=True),
    "restart": events.events_for(restart=True),
    "restart_load_balancer": events.events_for(restart=True, load_balancer=True),
    "green": events.GREEN,
    "blue": events.BLUE,
    "green_rolled_back": events.GREEN_BACK,
    "blue_rolled_back": events.BLUE_BACK,
    "launched_by_auto_scaling": events.GREEN,
    "terminated_by_auto_scaling": events.TERMINATION,
}


def plan(name: str) -> list[list[str]]:
    order = an_order(blue_green_rollback=name.endswith("_rolled_back"))
    return [
        [event, BY_EVENT[event].runner, whose_scripts(event, order) if event in SCRIPTED else "no scripts"]
        for event in PLANS[name]
    ]


@pytest.mark.parametrize("name", PLANS)
def test_plan_is_the_golden_one(name: str) -> None:
    assert plan(name) == json.loads((FOLDER / f"{name}.json").read_text())


def test_every_golden_plan_is_looked_at() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(PLANS)


def test_every_event_is_in_some_plan() -> None:
    assert {event for each in PLANS.values() for event in each} == set(Event)
