"""Which events a target goes through, against the tables of the documents, written out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.lifecycle import TABLE, Event
from workflows.events import BLUE, BLUE_BACK, GREEN, GREEN_BACK, TERMINATION, events_for, remaining

BLOCK = "BeforeBlockTraffic BlockTraffic AfterBlockTraffic"
STOP, START = "ApplicationStop", "ApplicationStart ValidateService"
INSTALL = "DownloadBundle BeforeInstall Install AfterInstall"
ALLOW = "BeforeAllowTraffic AllowTraffic AfterAllowTraffic"


@pytest.mark.parametrize(
    ("events", "documented"),
    [
        pytest.param(events_for(), f"{STOP} {INSTALL} {START}", id="in place"),
        pytest.param(
            events_for(load_balancer=True), f"{BLOCK} {STOP} {INSTALL} {START} {ALLOW}", id="in place, load balancer"
        ),
        pytest.param(events_for(restart=True), f"{STOP} {START}", id="restart"),
        pytest.param(
            events_for(restart=True, load_balancer=True), f"{BLOCK} {STOP} {START} {ALLOW}", id="restart, load balancer"
        ),
        pytest.param(GREEN, f"{STOP} {INSTALL} {START} {ALLOW}", id="green, or launched by Auto Scaling"),
        pytest.param(BLUE, BLOCK, id="blue"),
        pytest.param(BLUE_BACK, ALLOW, id="blue when rolled back"),
        pytest.param(GREEN_BACK, BLOCK, id="green when rolled back"),
        pytest.param(TERMINATION, f"{BLOCK} {STOP}", id="terminated by Auto Scaling"),
    ],
)
def test_events_of(events: tuple[Event, ...], documented: str) -> None:
    assert [event.value for event in events] == documented.split()


order = [row.event for row in TABLE]
some = st.lists(st.sampled_from(order))


@given(some)
def test_what_remains_keeps_its_order_and_holds_nothing_done(done: list[Event]) -> None:
    left = remaining(order, done)
    assert not set(left) & set(done)
    assert set(left) | set(done) == set(order)
    assert sorted(left, key=order.index) == list(left)
