"""The lifecycle events of a server deployment, as one table. Plans are filters over its rows.

Source: AWS CodeDeploy user guide, "AppSpec 'hooks' section"; the order is that of an in-place deployment behind a
load balancer.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Runner(StrEnum):
    """Who carries an event out."""

    HOST = "host"
    TRAFFIC = "traffic"


class Scripts(StrEnum):
    """Whose scripts an event runs."""

    NONE = "none"
    CURRENT = "current"
    LAST_SUCCESSFUL = "last_successful"


class Event(StrEnum):
    """A lifecycle event, by the name AWS gives it."""

    BEFORE_BLOCK_TRAFFIC = "BeforeBlockTraffic"
    BLOCK_TRAFFIC = "BlockTraffic"
    AFTER_BLOCK_TRAFFIC = "AfterBlockTraffic"
    APPLICATION_STOP = "ApplicationStop"
    DOWNLOAD_BUNDLE = "DownloadBundle"
    BEFORE_INSTALL = "BeforeInstall"
    INSTALL = "Install"
    AFTER_INSTALL = "AfterInstall"
    APPLICATION_START = "ApplicationStart"
    VALIDATE_SERVICE = "ValidateService"
    BEFORE_ALLOW_TRAFFIC = "BeforeAllowTraffic"
    ALLOW_TRAFFIC = "AllowTraffic"
    AFTER_ALLOW_TRAFFIC = "AfterAllowTraffic"


class Part(StrEnum):
    """The group of events a row belongs to."""

    BLOCK = "block"
    APPLICATION = "application"
    ALLOW = "allow"


class Row(NamedTuple):
    """What is known of one event."""

    event: Event
    part: Part
    runner: Runner
    scripts: Scripts
    stop_side: bool = False
    """Its failure is forgiven by ignoreApplicationStopFailures."""


TABLE: tuple[Row, ...] = (
    Row(Event.BEFORE_BLOCK_TRAFFIC, Part.BLOCK, Runner.HOST, Scripts.LAST_SUCCESSFUL, stop_side=True),
    Row(Event.BLOCK_TRAFFIC, Part.BLOCK, Runner.TRAFFIC, Scripts.NONE),
    Row(Event.AFTER_BLOCK_TRAFFIC, Part.BLOCK, Runner.HOST, Scripts.LAST_SUCCESSFUL, stop_side=True),
    Row(Event.APPLICATION_STOP, Part.APPLICATION, Runner.HOST, Scripts.LAST_SUCCESSFUL, stop_side=True),
    Row(Event.DOWNLOAD_BUNDLE, Part.APPLICATION, Runner.HOST, Scripts.NONE),
    Row(Event.BEFORE_INSTALL, Part.APPLICATION, Runner.HOST, Scripts.CURRENT),
    Row(Event.INSTALL, Part.APPLICATION, Runner.HOST, Scripts.NONE),
    Row(Event.AFTER_INSTALL, Part.APPLICATION, Runner.HOST, Scripts.CURRENT),
    Row(Event.APPLICATION_START, Part.APPLICATION, Runner.HOST, Scripts.CURRENT),
    Row(Event.VALIDATE_SERVICE, Part.APPLICATION, Runner.HOST, Scripts.CURRENT),
    Row(Event.BEFORE_ALLOW_TRAFFIC, Part.ALLOW, Runner.HOST, Scripts.CURRENT),
    Row(Event.ALLOW_TRAFFIC, Part.ALLOW, Runner.TRAFFIC, Scripts.NONE),
    Row(Event.AFTER_ALLOW_TRAFFIC, Part.ALLOW, Runner.HOST, Scripts.CURRENT),
)

BY_EVENT: dict[Event, Row] = {row.event: row for row in TABLE}

SCRIPTED: frozenset[Event] = frozenset(row.event for row in TABLE if row.scripts is not Scripts.NONE)
"""The events that run the user's own scripts."""
