"""The table of lifecycle events, against the documents."""

from __future__ import annotations

from domain.lifecycle import BY_EVENT, SCRIPTED, TABLE, Event, Part, Runner, Scripts

DOCUMENTED = """
BeforeBlockTraffic  scripted previous agent block
BlockTraffic        -        -        lb    block
AfterBlockTraffic   scripted previous agent block
ApplicationStop     scripted previous agent application
DownloadBundle      -        -        agent application
BeforeInstall       scripted current  agent application
Install             -        -        agent application
AfterInstall        scripted current  agent application
ApplicationStart    scripted current  agent application
ValidateService     scripted current  agent application
BeforeAllowTraffic  scripted current  agent allow
AllowTraffic        -        -        lb    allow
AfterAllowTraffic   scripted current  agent allow
"""
"""Event, whether users script it, whose AppSpec counts, who carries it out, and its part: the user guide's lists."""

WHOSE = {Scripts.NONE: "-", Scripts.CURRENT: "current", Scripts.LAST_SUCCESSFUL: "previous"}
WHO = {Runner.HOST: "agent", Runner.TRAFFIC: "lb"}


def test_the_table_is_the_documented_one_in_the_documented_order() -> None:
    ours = [
        [row.event, "scripted" if row.event in SCRIPTED else "-", WHOSE[row.scripts], WHO[row.runner], row.part]
        for row in TABLE
    ]
    assert ours == [line.split() for line in DOCUMENTED.strip().splitlines()]


def test_every_event_has_one_row() -> None:
    assert [row.event for row in TABLE] == list(Event)
    assert {event: row.event for event, row in BY_EVENT.items()} == {event: event for event in Event}


def test_only_events_of_the_old_revision_are_forgiven() -> None:
    forgiven = {row.event for row in TABLE if row.stop_side}
    assert forgiven == {Event.APPLICATION_STOP, Event.BEFORE_BLOCK_TRAFFIC, Event.AFTER_BLOCK_TRAFFIC}
    assert forgiven == {row.event for row in TABLE if row.scripts is Scripts.LAST_SUCCESSFUL}


def test_what_the_load_balancer_does_runs_no_script() -> None:
    traffic = {row.event for row in TABLE if row.runner is Runner.TRAFFIC}
    assert traffic == {Event.BLOCK_TRAFFIC, Event.ALLOW_TRAFFIC}
    assert not traffic & SCRIPTED
    assert not [row for row in TABLE if row.runner is Runner.TRAFFIC and row.part is Part.APPLICATION]
