"""What an agent must decide: whose scripts an event runs, and whether its failure is forgiven.

Source: aws-codedeploy-agent, hook_executor.rb; AWS CodeDeploy user guide, "AppSpec 'hooks' section".
"""

from __future__ import annotations

from enum import StrEnum

from domain.lifecycle import BY_EVENT, TABLE, Event, Part, Scripts
from domain.reports import EventStatus, HostOrder, Outcome


class Whose(StrEnum):
    """The revision whose AppSpec and scripts count for an event."""

    CURRENT = "current"
    LAST_SUCCESSFUL = "last successful"
    MOST_RECENT = "most recent"


def whose_scripts(event: Event, order: HostOrder) -> Whose:
    """The revision whose scripts the event runs on this host.

    When a blue/green deployment is rolled back, the host that leaves traffic runs the scripts of the release it got,
    and the host that returns to traffic those of the release it had.
    """
    row = BY_EVENT[event]
    if order.restart:
        return Whose.LAST_SUCCESSFUL
    if order.blue_green_rollback and row.part is Part.BLOCK:
        return Whose.MOST_RECENT
    if order.blue_green_rollback and row.part is Part.ALLOW:
        return Whose.LAST_SUCCESSFUL
    return Whose.LAST_SUCCESSFUL if row.scripts is Scripts.LAST_SUCCESSFUL else Whose.CURRENT


def forgiven(outcome: Outcome, order: HostOrder) -> bool:
    """The event failed, and ignoreApplicationStopFailures lets the host go on."""
    failed = outcome.status is EventStatus.FAILED
    return failed and order.ignore_application_stop_failures and BY_EVENT[outcome.event].stop_side


def follows_install(event: Event) -> bool:
    """Whether files of the new revision may be on the disk once the event runs."""
    order = [row.event for row in TABLE]
    return order.index(event) > order.index(Event.INSTALL)
