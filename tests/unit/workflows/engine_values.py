"""Values that the engine's tests begin with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from domain.configs import MinimumHealthyHosts, MinimumHealthyHostsType
from domain.deployments import (
    Deployment,
    DeploymentErrorCode,
    DeploymentStatus,
    ErrorInformation,
    EventRecord,
    Lane,
    Phase,
    Progress,
    TargetRecord,
    TargetStatus,
)
from domain.fleet import Target
from domain.groups import DeploymentGroup
from domain.lifecycle import Event
from domain.limits import Limits
from domain.moves import LaneView
from domain.reports import Diagnostics, ErrorCode, EventStatus, HostOrder, HostReport, Outcome
from domain.revisions import RevisionLocation, RevisionType, S3Location
from workflows.events import events_for

NOW = 1_700_000_000.5
EVENTS = events_for()
LIMITS = Limits()
STOP = ErrorInformation(code=DeploymentErrorCode.MANUAL_STOP, message="stopped")


def a_revision(name: str = "v2") -> RevisionLocation:
    location = S3Location(bucket="releases", key=f"{name}.zip", bundle_type="zip")
    return RevisionLocation(revision_type=RevisionType.S3, s3_location=location)


def a_group(**more: Any) -> DeploymentGroup:
    values = {"application_id": "a-1", "deployment_group_name": "web", "deployment_group_id": "g-1", **more}
    return DeploymentGroup.model_validate(values)


def a_deployment(*, total: int = 3, floor: int = 2, **more: Any) -> Deployment:
    """One that is under way."""
    values: dict[str, Any] = {
        "deployment_id": "d-AAAAAAAAA",
        "application_id": "a-1",
        "application_name": "shop",
        "deployment_group_name": "web",
        "deployment_group_id": "g-1",
        "deployment_config_name": "custom",
        "minimum_healthy_hosts": MinimumHealthyHosts(type=MinimumHealthyHostsType.HOST_COUNT, value=floor),
        "revision": a_revision(),
        "status": DeploymentStatus.IN_PROGRESS,
        "create_time": NOW - 20,
        "start_time": NOW - 10,
        "phases": (Phase(count=total, lanes=max(total - floor, 0), floor=max(1, floor), events=EVENTS),),
        "total": total,
        "floor": floor,
        **more,
    }
    return Deployment.model_validate(values)


def a_target(name: str = "web-1") -> Target:
    return Target(target_id=name, arn=f"arn:aws:codedeploy:eu-central-1:1:instance/{name}_x", queue=f"host.{name}")


def a_record(name: str = "web-1", *, index: int = 0, **more: Any) -> TargetRecord:
    return TargetRecord.model_validate({"target": a_target(name), "index": index, **more})


def taken(name: str = "web-1", *, attempt: str = "t-1", **more: Any) -> TargetRecord:
    """A record that a lane works on."""
    return a_record(name, status=TargetStatus.IN_PROGRESS, attempt=attempt, lane=0, **more)


def an_outcome(event: Event, status: EventStatus = EventStatus.SUCCEEDED, **more: Any) -> Outcome:
    times = {} if status is EventStatus.SKIPPED else {"start_time": NOW - 5, "end_time": NOW - 4}
    problem = Diagnostics(error_code=ErrorCode.SCRIPT_FAILED, script_name="stop.sh", message="exit code 1")
    if status is EventStatus.FAILED:
        more.setdefault("diagnostics", problem)
    return Outcome.model_validate({"event": event, "status": status, **times, **more})


def outcomes_of(letters: str, events: Iterable[Event] = EVENTS) -> tuple[Outcome, ...]:
    """`s` succeeded, `f` failed, `F` failed and forgiven, `-` skipped; fewer letters than events leave the rest out."""
    return tuple(
        an_outcome(event, _STATUS[letter.lower()], forgiven=letter == "F")
        for letter, event in zip(letters, events, strict=False)
    )


_STATUS = {"s": EventStatus.SUCCEEDED, "f": EventStatus.FAILED, "-": EventStatus.SKIPPED, "u": EventStatus.UNKNOWN}

ALL_WELL = "s" * len(EVENTS)


def an_order(name: str = "web-1", *, attempt: str = "t-1", **more: Any) -> HostOrder:
    values = {
        "deployment_id": "d-AAAAAAAAA",
        "target_id": name,
        "attempt": attempt,
        "lane": 0,
        "step": 1,
        "application_id": "a-1",
        "application_name": "shop",
        "deployment_group_name": "web",
        "deployment_group_id": "g-1",
        **more,
    }
    return HostOrder.model_validate(values)


def a_report(letters: str = ALL_WELL, name: str = "web-1", *, attempt: str = "t-1") -> HostReport:
    return HostReport(order=an_order(name, attempt=attempt), outcomes=outcomes_of(letters))


def a_view(**more: Any) -> LaneView:
    """A lane at work on web-1, with web-2 to come."""
    values: dict[str, Any] = {
        "deployment": a_deployment(),
        "progress": Progress(total=3, lanes=1, taken=1),
        "lane": Lane(number=0, step=1, target_id="web-1", attempt="t-1", taken_at=NOW - 9),
        "current": taken(),
        "upcoming": a_record("web-2", index=1),
        **more,
    }
    return LaneView(**values)


def held(status: EventStatus, *, start: float | None = None, end: float | None = None, **more: Any) -> EventRecord:
    return EventRecord.model_validate({"status": status, "start_time": start, "end_time": end, **more})
