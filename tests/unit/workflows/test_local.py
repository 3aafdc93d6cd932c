"""Which events `slipway local` runs: all, or those of a list that is completed or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.lifecycle import Event
from workflows.local import BEFORE_DOWNLOAD, HOST_EVENTS, InvalidEventList, local_events

D, I = "DownloadBundle", "Install"  # noqa: E741


def test_all_events_that_hosts_run_are_the_default() -> None:
    assert local_events(None) == HOST_EVENTS
    assert set(HOST_EVENTS) == set(Event) - {Event.BLOCK_TRAFFIC, Event.ALLOW_TRAFFIC}


@pytest.mark.parametrize(
    ("wanted", "run"),
    [
        ("BeforeInstall", f"{D} BeforeInstall {I}"),
        ("ApplicationStart", f"{D} {I} ApplicationStart"),
        ("ApplicationStop", f"ApplicationStop {D} {I}"),
        ("ValidateService,ApplicationStart", f"{D} {I} ValidateService ApplicationStart"),
        (
            "ApplicationStop,BeforeInstall,AfterInstall",
            f"ApplicationStop {D} BeforeInstall {I} AfterInstall",
        ),
        (f"{D},{I}", f"{D} {I}"),
        (f"{D},ApplicationStop,{I}", f"{D} ApplicationStop {I}"),
        (f" {D} , {I} ,", f"{D} {I}"),
        (I, f"{D} {I}"),
        (D, f"{D} {I}"),
        ("AfterAllowTraffic,ApplicationStop", f"{D} {I} AfterAllowTraffic ApplicationStop"),
    ],
)
def test_a_list_is_completed(wanted: str, run: str) -> None:
    assert [event.value for event in local_events(wanted)] == run.split()


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ("", "no events given"),
        (" , ", "no events given"),
        ("Deploy", "'Deploy' is not an event"),
        ("applicationstart", "'applicationstart' is not an event"),
        ("BlockTraffic", "'BlockTraffic' is not an event"),
        ("ApplicationStart,ApplicationStart", "named twice"),
        (f"BeforeInstall,{D}", "BeforeInstall needs the bundle"),
        (f"ApplicationStart,{D},{I}", "ApplicationStart needs the bundle"),
        (f"{I},{D}", "Install needs the bundle"),
        (f"{D},ApplicationStart,{I}", "ApplicationStart must come after Install"),
    ],
)
def test_a_list_that_cannot_work_is_refused(wanted: str, complaint: str) -> None:
    with pytest.raises(InvalidEventList, match=complaint):
        local_events(wanted)


@given(st.lists(st.sampled_from(HOST_EVENTS), unique=True, min_size=1))
def test_whatever_is_run_has_its_bundle_and_its_order(named: list[Event]) -> None:
    try:
        events = local_events(",".join(named))
    except InvalidEventList:
        return
    assert len(set(events)) == len(events)
    assert [event for event in events if event in named] == named
    assert set(events) - set(named) <= {Event.DOWNLOAD_BUNDLE, Event.INSTALL}
    download, install = events.index(Event.DOWNLOAD_BUNDLE), events.index(Event.INSTALL)
    assert download < install
    assert set(events[:download]) <= BEFORE_DOWNLOAD
    assert set(events[:install]) <= {*BEFORE_DOWNLOAD, Event.DOWNLOAD_BUNDLE, Event.BEFORE_INSTALL}


@given(st.lists(st.sampled_from(HOST_EVENTS), unique=True, min_size=1))
def test_events_in_the_usual_order_are_never_refused(named: list[Event]) -> None:
    usual = sorted(named, key=HOST_EVENTS.index)
    assert sorted(local_events(",".join(usual)), key=HOST_EVENTS.index) == list(local_events(",".join(usual)))
