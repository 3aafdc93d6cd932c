"""What the drawings' tests share: a deployment to draw, and a drawing as plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console, RenderableType

from console.grid import DeploymentView
from domain.configs import MinimumHealthyHosts, MinimumHealthyHostsType
from domain.deployments import Deployment, DeploymentStatus, EventRecord, Overview, TargetRecord, TargetStatus
from domain.fleet import Target
from domain.lifecycle import TABLE, Event
from domain.reports import EventStatus
from domain.revisions import LocalLocation, RevisionLocation, RevisionType

ALL_EVENTS = tuple(row.event for row in TABLE)


def as_text(drawing: RenderableType, *, width: int = 100) -> str:
    """The drawing as a terminal of that width shows it, without colours."""
    console = Console(width=width, record=True, quiet=False, file=None, color_system=None, force_terminal=True)
    with console.capture() as captured:
        console.print(drawing)
    return captured.get()


def target(name: str, status: TargetStatus, events: Mapping[Event, EventStatus] | None = None) -> TargetRecord:
    """A target with the events that something is known of."""
    known = {event: EventRecord(status=each) for event, each in (events or {}).items()}
    return TargetRecord(target=Target(target_id=name, arn="", queue=""), index=0, status=status, events=known)


def view(
    targets: Sequence[TargetRecord],
    *,
    status: DeploymentStatus = DeploymentStatus.IN_PROGRESS,
    overview: Overview | None = None,
    events: Sequence[Event] = ALL_EVENTS,
    labels: Mapping[str, str] | None = None,
    waiting_for: str = "",
) -> DeploymentView:
    """A view of a deployment in some state."""
    deployment = Deployment(
        deployment_id="d-ABCDEFGHI",
        application_id="a",
        application_name="shop",
        deployment_group_name="live",
        deployment_group_id="g",
        deployment_config_name="CodeDeployDefault.OneAtATime",
        minimum_healthy_hosts=MinimumHealthyHosts(type=MinimumHealthyHostsType.HOST_COUNT, value=1),
        revision=RevisionLocation(
            revision_type=RevisionType.LOCAL, local_location=LocalLocation(path="/v1", bundle_type="directory")
        ),
        status=status,
        create_time=0.0,
        start_time=0.0,
    )
    return DeploymentView(
        deployment=deployment,
        overview=overview or Overview(in_progress=len(targets)),
        targets=targets,
        events=events,
        now=12.0,
        labels=labels or {},
        waiting_for=waiting_for,
    )
