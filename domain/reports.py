"""What travels between control and hosts: the order a host gets, the outcomes it gives back, and what an agent tells
while it works. Small values only; no state lives here.

Source: the lifecycle error codes are those of the API's `Diagnostics` structure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from domain.appspec import FileExistsBehavior
from domain.keeping import Restoring
from domain.lifecycle import Event
from domain.values import Instant, Value


class EventStatus(StrEnum):
    """Where one lifecycle event of one target stands."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    UNKNOWN = "Unknown"

    @property
    def final(self) -> bool:
        """Nothing more will happen to the event."""
        return self in _FINAL


_FINAL = frozenset({EventStatus.SUCCEEDED, EventStatus.FAILED, EventStatus.SKIPPED})


class ErrorCode(StrEnum):
    """Why a lifecycle event failed."""

    SUCCESS = "Success"
    SCRIPT_MISSING = "ScriptMissing"
    SCRIPT_NOT_EXECUTABLE = "ScriptNotExecutable"
    SCRIPT_TIMED_OUT = "ScriptTimedOut"
    SCRIPT_FAILED = "ScriptFailed"
    UNKNOWN_ERROR = "UnknownError"


class Diagnostics(Value):
    """What went wrong in an event, for a person: the log tail is at most 4,096 characters."""

    error_code: ErrorCode
    script_name: str = ""
    message: str = ""
    log_tail: str = ""


class Outcome(Value):
    """How one lifecycle event ended on one host."""

    event: Event
    status: EventStatus
    start_time: Instant | None = None
    end_time: Instant | None = None
    diagnostics: Diagnostics | None = None
    forgiven: bool = False
    """The event failed and ignoreApplicationStopFailures lets the host go on."""


class BundleSource(Value):
    """Where the host gets the revision: a URL or a local path, what kind of bundle it is, and what it must hash to."""

    location: str
    bundle_type: Literal["tar", "tgz", "zip", "directory"]
    sha256: str | None = None
    e_tag: str | None = None
    """The tag that the server must give the bundle; quotes do not count."""
    subfolder: str | None = None
    """The folder of the bundle that is taken for its root."""

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Without the location's query: it may be what makes a link good."""
        for name, value in super().__repr_args__():
            yield name, value.partition("?")[0] if name == "location" else value


class HostOrder(Value):
    """All that a host must know to do its part of a deployment. Nothing in it is secret but the location's query.

    The agent keeps the order when the first event arrives; from there on it travels `brief`, without what it keeps.
    """

    deployment_id: str
    target_id: str
    attempt: str
    """The token of this attempt; work of another attempt is out of date."""
    lane: int
    step: int
    application_name: str
    deployment_group_name: str
    deployment_group_id: str
    source: BundleSource | None = None
    appspec_filename: str | None = None
    file_exists_behavior: FileExistsBehavior = FileExistsBehavior.DISALLOW
    ignore_application_stop_failures: bool = False
    creator: str = "user"
    event_limit: int = 3600
    """Seconds one lifecycle event may take."""
    environment: Mapping[str, str] = {}
    """Variables for the hooks beside the documented ones (BUNDLE_BUCKET and the like)."""
    blue_green_rollback: bool = False
    """A blue/green deployment is being rolled back: other revisions' scripts count."""
    restart: bool = False
    """The revision that is there is stopped and started: its scripts count, and nothing is fetched or installed."""
    final_event: Event = Event.VALIDATE_SERVICE
    """The last event of the host's chain: once it succeeded, the revision is the last successful one."""
    restoring: Restoring | None = None
    """Copies are kept of what OVERWRITE replaces, and a rollback gives it back; None: neither, as the original."""

    briefed: bool = False
    """It travels without what the agent keeps of it."""

    @property
    def whole(self) -> bool:
        """The agent may begin the attempt with it: nothing is left out but a source where none is needed."""
        return not self.briefed and (self.source is not None or self.restart or self.blue_green_rollback)

    def brief(self) -> HostOrder:
        """What later messages carry of the order."""
        return self.model_copy(update={"source": None, "environment": {}, "restoring": None, "briefed": True})


class HostReport(Value):
    """An order and the outcomes so far; it travels down a host's chain of events."""

    order: HostOrder
    outcomes: tuple[Outcome, ...] = ()

    @property
    def failed(self) -> bool:
        """An event failed and was not forgiven."""
        return any(o.status is EventStatus.FAILED and not o.forgiven for o in self.outcomes)

    @property
    def halted(self) -> bool:
        """Later events are skipped: one failed, or the deployment was stopped."""
        return self.failed or any(o.status is EventStatus.SKIPPED for o in self.outcomes)

    def plus(self, outcome: Outcome) -> HostReport:
        """This report with one more outcome."""
        return self.model_copy(update={"outcomes": (*self.outcomes, outcome)})


class AgentHello(Value):
    """An agent started, or is alive still."""

    kind: Literal["hello"] = "hello"
    host: str
    at: Instant
    version: str = ""
    root: str = "/"
    started_at: Instant = 0.0
    ahead: float = Field(0.0, allow_inf_nan=False)
    """Seconds by which the host's clock is ahead of that of control, which works it out."""
    every: float = Field(0.0, ge=0, le=86_400)
    """Seconds between two of its words; 0 where it does not say."""
    grace: float = Field(0.0, ge=0, le=86_400)
    """Seconds that it lets a script end by itself once its time is over."""
    running: int = Field(0, ge=0)
    """Events that it carries out at this moment."""
    slots: int = Field(0, ge=0)
    """Events that it carries out at once, at most; 0 where it does not say."""
    full_at: Instant | None = None
    """When it last could not have begun another event; control puts it on its own clock."""


class EventStarted(Value):
    """A host began an event."""

    kind: Literal["started"] = "started"
    deployment_id: str
    target_id: str
    attempt: str
    event: Event
    at: Instant
    limit: int = 3600
    """Seconds the event may take."""


class EventFinished(Value):
    """A host ended an event."""

    kind: Literal["finished"] = "finished"
    deployment_id: str
    target_id: str
    attempt: str
    outcome: Outcome
    interrupted: bool = False
    """Told by an agent that found the event half done when it started: nothing carries the host's chain on."""


class LogLines(Value):
    """Lines a script wrote, or what load balancers said, as they come; `first` counts lines of the event from 0, and
    numbers may be passed over."""

    kind: Literal["log"] = "log"
    deployment_id: str
    target_id: str
    attempt: str
    event: Event
    first: int
    lines: tuple[str, ...]


AgentReport = Annotated[AgentHello | EventStarted | EventFinished | LogLines, Field(discriminator="kind")]
"""Anything an agent tells the control plane by message."""


class AgentReports(Value):
    """One message of the reports queue: what an agent had to say since the last one, in order."""

    host: str
    reports: tuple[AgentReport, ...]
