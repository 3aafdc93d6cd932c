"""What is told of deployments and instances: happenings made from values, each with an id that never changes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from domain.deployments import Deployment, EventRecord, Overview, RollbackInfo, TargetStatus
from domain.fleet import Target
from domain.group_options import TriggerConfig
from domain.groups import DeploymentGroup
from domain.happenings import TERMINAL, EventTold, Happening, HappeningType, Topic
from domain.lifecycle import TABLE, Event
from domain.reports import EventStatus, Outcome
from domain.values import Instant

_BY_STATUS = {
    TargetStatus.IN_PROGRESS: HappeningType.INSTANCE_START,
    TargetStatus.SUCCEEDED: HappeningType.INSTANCE_SUCCESS,
    TargetStatus.READY: HappeningType.INSTANCE_READY,
    TargetStatus.SKIPPED: HappeningType.INSTANCE_SKIPPED,
}


def deployment_happening(
    deployment: Deployment, kind: HappeningType, *, at: Instant, overview: Overview | None = None
) -> Happening:
    """What is told of a deployment; all terminal kinds share one id, so a deployment ends once for whoever listens."""
    error = deployment.error_information
    told = Happening(
        event_id=f"{deployment.deployment_id}:{'end' if kind in TERMINAL else kind.value}",
        type=kind,
        at=at,
        application_name=deployment.application_name,
        deployment_group_name=deployment.deployment_group_name,
        deployment_group_id=deployment.deployment_group_id,
        deployment_id=deployment.deployment_id,
        status=deployment.status,
        error_code=error.code if error else None,
        error_message=error.message if error else None,
        creator=deployment.creator,
        create_time=deployment.create_time,
        complete_time=deployment.complete_time,
        overview=overview,
    )
    return _with_topics(with_rollback(told, deployment.rollback_info), deployment)


def with_rollback(told: Happening, info: RollbackInfo | None) -> Happening:
    """What is told, with what there is to say of a rollback."""
    return told if info is None else told.model_copy(update=info.model_dump(by_alias=False))


def instance_happening(
    deployment: Deployment,
    target: Target,
    status: TargetStatus,
    outcomes: Sequence[Outcome],
    *,
    at: Instant,
    earlier: Mapping[Event, EventRecord] | None = None,
) -> Happening:
    """What is told of a target that started or ended; `earlier` are its events of the phases before."""
    kind = _BY_STATUS.get(status, HappeningType.INSTANCE_FAILURE)
    failed = next((o for o in outcomes if o.status is EventStatus.FAILED and not o.forgiven), None)
    problem = failed.diagnostics if failed else None
    told = Happening(
        event_id=f"{deployment.deployment_id}:{target.target_id}:{kind.value}",
        type=kind,
        at=at,
        application_name=deployment.application_name,
        deployment_group_name=deployment.deployment_group_name,
        deployment_group_id=deployment.deployment_group_id,
        deployment_id=deployment.deployment_id,
        status=status,
        instance_id=target.target_id,
        instance_arn=target.arn,
        failed_event=failed.event if failed else None,
        error_code=problem.error_code if problem else None,
        error_message=problem.message if problem else None,
        creator=deployment.creator,
        lifecycle_events=tuple(_events(outcomes, earlier or {})),
    )
    return _with_topics(told, deployment)


def _events(outcomes: Sequence[Outcome], earlier: Mapping[Event, EventRecord]) -> Iterator[EventTold]:
    if not outcomes:
        return
    known: dict[Event, Outcome | EventRecord] = {**earlier, **{outcome.event: outcome for outcome in outcomes}}
    for row in TABLE:
        if held := known.get(row.event):
            yield EventTold(event=row.event, status=held.status, start_time=held.start_time, end_time=held.end_time)


def _with_topics(told: Happening, deployment: Deployment) -> Happening:
    wanted = {kind.value for kind in told.kinds}
    topics = tuple(_topics(deployment.trigger_configurations, wanted))
    return told.model_copy(update={"topics": topics}) if topics else told


def _topics(triggers: Sequence[TriggerConfig], wanted: Collection[str]) -> Iterator[Topic]:
    for trigger in triggers:
        if trigger.trigger_target_arn and not set(trigger.trigger_events or ()).isdisjoint(wanted):
            yield Topic(trigger=trigger.trigger_name or "", arn=trigger.trigger_target_arn)


def triggers_stored(
    group: DeploymentGroup, before: DeploymentGroup | None, *, application_name: str, event_id: str, at: Instant
) -> Happening | None:
    """What the topics of a group hear once its triggers are stored: those that are new or changed. None if none is."""
    known = before.trigger_configurations if before else ()
    fresh = [trigger for trigger in group.trigger_configurations if trigger not in known]
    topics = tuple(Topic(trigger=t.trigger_name or "", arn=t.trigger_target_arn or "") for t in fresh)
    if not topics:
        return None
    return Happening(
        event_id=event_id,
        type=HappeningType.TRIGGER_TEST,
        at=at,
        application_name=application_name,
        deployment_group_name=group.deployment_group_name,
        deployment_group_id=group.deployment_group_id,
        deployment_id="",
        status="TEST",
        topics=topics,
    )
