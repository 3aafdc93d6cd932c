"""What is told to the outside: deployment and instance events, each with an id that stays the same when told again.

Source: AWS CodeDeploy user guide, "Monitoring deployments with SNS event notifications".
"""

from __future__ import annotations

from enum import StrEnum

from domain.values import Instant, Value


class HappeningType(StrEnum):
    """The event types a trigger can subscribe to."""

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

    @property
    def routing_key(self) -> str:
        """`deployment.success`, `instance.failure` …: the key on the topic exchange."""
        for noun in ("Deployment", "Instance"):
            if self.value.startswith(noun):
                return f"{noun.lower()}.{self.value.removeprefix(noun).lower()}"
        raise AssertionError(self)


TERMINAL: frozenset[HappeningType] = frozenset(
    {HappeningType.DEPLOYMENT_SUCCESS, HappeningType.DEPLOYMENT_FAILURE, HappeningType.DEPLOYMENT_STOP}
)
"""A deployment tells exactly one of these."""


class Happening(Value):
    """Something that happened, as told outside: at least once, with the same `event_id` each time."""

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
