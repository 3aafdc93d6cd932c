"""Values that the tests of the store begin with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from domain.configs import MinimumHealthyHosts, MinimumHealthyHostsType
from domain.deployments import Deployment, DeploymentStatus, Phase, Progress, TargetRecord, TargetStatus
from domain.fleet import HostRecord, InstanceHealth, Target
from domain.happenings import Happening, HappeningType
from domain.lifecycle import Event
from domain.moves import Change, Conclude, LaneView, Move, Stale, Step, Take
from domain.ports import Store
from domain.reports import EventFinished, EventStarted, EventStatus, LogLines, Outcome
from domain.revisions import RevisionLocation, RevisionType, S3Location

NOW = 1_760_000_000.123457
EVENTS = (
    Event.APPLICATION_STOP,
    Event.DOWNLOAD_BUNDLE,
    Event.BEFORE_INSTALL,
    Event.INSTALL,
    Event.AFTER_INSTALL,
    Event.APPLICATION_START,
    Event.VALIDATE_SERVICE,
)
_tokens = itertools.count()


def a_deployment(
    name: str = "d-1", *, group: str = "g-1", at: float = NOW, total: int = 0, lanes: int = 0
) -> Deployment:
    """A deployment of one rollout phase."""
    return Deployment(
        deployment_id=name,
        application_id="a-1",
        application_name="shop",
        deployment_group_name="web",
        deployment_group_id=group,
        deployment_config_name="CodeDeployDefault.OneAtATime",
        minimum_healthy_hosts=MinimumHealthyHosts(type=MinimumHealthyHostsType.HOST_COUNT, value=0),
        revision=RevisionLocation(
            revision_type=RevisionType.S3, s3_location=S3Location(bucket="b", key="k.zip", bundle_type="zip")
        ),
        create_time=at,
        phases=(Phase(first=0, count=total, lanes=lanes, events=EVENTS),),
        total=total,
    )


def a_target(index: int) -> TargetRecord:
    """A record that waits at its index."""
    name = f"i-{index:017x}"
    arn = f"arn:aws:ec2:eu-central-1:111122223333:instance/{name}"
    return TargetRecord(target=Target(target_id=name, arn=arn, queue=f"host.{name}", zone="eu-central-1a"), index=index)


def a_happening(number: int = 0, *, deployment: str = "d-1") -> Happening:
    """Something that happened."""
    return Happening(
        event_id=f"e-{number}",
        type=HappeningType.INSTANCE_SUCCESS,
        at=NOW,
        application_name="shop",
        deployment_group_name="web",
        deployment_group_id="g-1",
        deployment_id=deployment,
        status="Succeeded",
    )


def rolling(store: Store, *, total: int = 3, lanes: int = 1, name: str = "d-1", group: str = "g-1") -> Deployment:
    """A deployment whose targets are laid out and whose phase 0 is open, each lane due at NOW + 10."""
    deployment = a_deployment(name, group=group, total=total, lanes=lanes)
    store.admit(deployment, token=None, queue=False)
    for first in range(0, total, 500):
        store.lay_out(name, [a_target(index) for index in range(first, min(total, first + 500))])
    store.open_phase(name, 0, Progress(total=total, lanes=lanes), check_at=NOW + 10)
    return deployment


def outcome(event: Event, status: EventStatus = EventStatus.SUCCEEDED) -> Outcome:
    """How an event ended."""
    return Outcome(event=event, status=status, start_time=NOW + 1, end_time=NOW + 2)


def conclusion(view: LaneView, status: TargetStatus = TargetStatus.SUCCEEDED) -> Conclude | None:
    """The end of what the lane works on, if it works on anything."""
    if view.current is None:
        return None
    return Conclude(
        target_id=view.current.target.target_id,
        status=status,
        outcomes=tuple(outcome(event) for event in EVENTS),
        at=NOW + 20,
        remember=HostRecord(health=InstanceHealth.HEALTHY, revision="r-1", deployment_id=view.deployment.deployment_id),
    )


def taking(view: LaneView, *, check_at: float = NOW + 30) -> Take | None:
    """The next target, if one is left."""
    if view.upcoming is None:
        return None
    return Take(
        target_id=view.upcoming.target.target_id, attempt=f"a-{next(_tokens):08d}", at=NOW + 5, check_at=check_at
    )


def onward(step: int, status: TargetStatus = TargetStatus.SUCCEEDED) -> Callable[[LaneView], Move]:
    """Conclude and take the next, as a message of that step asks for; a message out of date is Stale."""

    def choose(view: LaneView) -> Move:
        if view.lane.retired or view.lane.step != step:
            return Stale()
        return Step(conclude=conclusion(view, status), take=taking(view))

    return choose


def take_one(store: Store, lane: int = 0, name: str = "d-1") -> TargetRecord:
    """Have a lane take its next target; the target's record as it then is."""
    step = store.lane(name, 0, lane).step
    made = store.advance(name, 0, lane, onward(step))
    assert made is not None
    target_id = store.lane(name, 0, lane).target_id
    assert target_id is not None
    record = store.target(name, target_id)
    assert record is not None
    return record


def started(record: TargetRecord, event: Event, *, at: float = NOW + 6, attempt: str | None = None) -> EventStarted:
    """A report that the event began."""
    return EventStarted(
        deployment_id="d-1",
        target_id=record.target.target_id,
        attempt=attempt or record.attempt or "",
        event=event,
        at=at,
    )


def finished(record: TargetRecord, ended: Outcome, *, interrupted: bool = False) -> EventFinished:
    """A report that an event ended."""
    return EventFinished(
        deployment_id="d-1",
        target_id=record.target.target_id,
        attempt=record.attempt or "",
        outcome=ended,
        interrupted=interrupted,
    )


def lines(record: TargetRecord, first: int, texts: Sequence[str], event: Event = Event.INSTALL) -> LogLines:
    """A report of lines."""
    return LogLines(
        deployment_id="d-1",
        target_id=record.target.target_id,
        attempt=record.attempt or "",
        event=event,
        first=first,
        lines=tuple(texts),
    )


def to_status(status: DeploymentStatus, *happenings: Happening) -> Callable[[Deployment], Change]:
    """An edit that moves a deployment on."""
    return lambda present: Change(present.model_copy(update={"status": status}), tuple(happenings))
