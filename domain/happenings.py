"""What is told to the outside: deployment and instance events, each with an id that stays the same when told again.

Source: AWS CodeDeploy user guide, "Monitoring deployments with SNS event notifications".
"""

from __future__ import annotations

from enum import StrEnum

from domain.deployments import Overview
from domain.lifecycle import Event
from domain.reports import EventStatus
from domain.values import Instant, Value

ROLLBACK = "codeDeployRollback"
"""The creator of a deployment that is a rollback."""


class HappeningType(StrEnum):
    """The event types a trigger can subscribe to, and three that only we have."""

    DEPLOYMENT_START = "DeploymentStart"
    DEPLOYMENT_SUCCESS = "DeploymentSuccess"
    DEPLOYMENT_FAILURE = "DeploymentFailure"
    DEPLOYMENT_STOP = "DeploymentStop"
    DEPLOYMENT_ROLLBACK = "DeploymentRollback"
    DEPLOYMENT_READY = "DeploymentReady"
    INSTANCE_START = "InstanceStart"
    INSTANCE_SUCCESS = "InstanceSuccess"
    INSTANCE_FAILURE = "InstanceFailure"
    INSTANCE_READY = "InstanceReady"

    DEPLOYMENT_QUEUED = "DeploymentQueued"
    """Ours: it waits until its group is free. Told beside its start."""
    INSTANCE_SKIPPED = "InstanceSkipped"
    """Ours: it was begun with and nothing was done on it, for it is no more or a stop came first. No failure."""
    TRIGGER_TEST = "TriggerTest"
    """Ours: triggers were stored, and each of their topics is to hear that it can be reached."""

    @property
    def routing_key(self) -> str:
        """`deployment.success`, `instance.failure` …: the key on the topic exchange."""
        for noun in ("Deployment", "Instance", "Trigger"):
            if self.value.startswith(noun):
                return f"{noun.lower()}.{self.value.removeprefix(noun).lower()}"
        raise AssertionError(self)


TERMINAL: frozenset[HappeningType] = frozenset(
    {HappeningType.DEPLOYMENT_SUCCESS, HappeningType.DEPLOYMENT_FAILURE, HappeningType.DEPLOYMENT_STOP}
)
"""A deployment tells exactly one of these."""


TRIGGER_EVENTS: frozenset[HappeningType] = frozenset(HappeningType) - {
    HappeningType.DEPLOYMENT_QUEUED,
    HappeningType.INSTANCE_SKIPPED,
    HappeningType.TRIGGER_TEST,
}
"""What a trigger of a deployment group can subscribe to."""


class Topic(Value):
    """A trigger that hears of a happening: its name and its SNS topic, as its group had them when the deployment was
    created."""

    trigger: str
    arn: str


class EventTold(Value):
    """How a lifecycle event of an instance ended."""

    event: Event
    status: EventStatus
    start_time: Instant | None = None
    end_time: Instant | None = None


class Happening(Value):
    """Something that happened, as told outside: at least once, with the same `event_id` each time. Members that were
    not always there have defaults, for what is kept may be of an earlier version."""

    event_id: str
    type: HappeningType
    at: Instant
    application_name: str
    deployment_group_name: str
    deployment_group_id: str
    deployment_id: str
    status: str
    instance_id: str | None = None
    instance_arn: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    failed_event: str | None = None
    creator: str = "user"
    create_time: Instant | None = None
    """Of the deployment, as all that follows but the events."""
    complete_time: Instant | None = None
    overview: Overview | None = None
    """Targets by status; only of a deployment that has ended."""
    rollback_deployment_id: str | None = None
    """The deployment that rolls it back."""
    rollback_triggering_deployment_id: str | None = None
    """The deployment that it rolls back."""
    rollback_message: str | None = None
    lifecycle_events: tuple[EventTold, ...] = ()
    """Of an instance that is done."""
    topics: tuple[Topic, ...] = ()
    """Who is to hear of it by SNS."""

    @property
    def kinds(self) -> frozenset[HappeningType]:
        """All that it counts as, for who subscribed to what: every change of a rollback is a DeploymentRollback too."""
        rollback = self.creator == ROLLBACK and self.instance_id is None and self.type in TRIGGER_EVENTS
        return frozenset({self.type, HappeningType.DEPLOYMENT_ROLLBACK} if rollback else {self.type})
