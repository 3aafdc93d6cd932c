"""CodeDeploy's state-change events of EventBridge, for deployments and for instances.

Source: AWS CodeDeploy user guide, "Monitoring deployments with Amazon CloudWatch Events".
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from adapters.publishers.origin import Origin
from domain.happenings import Happening, HappeningType

SOURCE = "aws.codedeploy"
DEPLOYMENT = "CodeDeploy Deployment State-change Notification"
INSTANCE = "CodeDeploy Instance State-change Notification"

STATES: Mapping[HappeningType, str] = {
    HappeningType.DEPLOYMENT_START: "START",
    HappeningType.DEPLOYMENT_QUEUED: "QUEUED",
    HappeningType.DEPLOYMENT_READY: "READY",
    HappeningType.DEPLOYMENT_SUCCESS: "SUCCESS",
    HappeningType.DEPLOYMENT_FAILURE: "FAILURE",
    HappeningType.DEPLOYMENT_STOP: "STOP",
    HappeningType.INSTANCE_START: "START",
    HappeningType.INSTANCE_READY: "READY",
    HappeningType.INSTANCE_SUCCESS: "SUCCESS",
    HappeningType.INSTANCE_FAILURE: "FAILURE",
}
"""What is told, and as which state; all else has no event there: the original has none for hosts that are skipped."""

_NAMESPACE = uuid.UUID("6f4e3ed0-7a3b-5f0e-9b5d-3c1b5f1d6a2e")


def eventbridge_event(happening: Happening, origin: Origin, *, source: str = SOURCE) -> dict[str, Any] | None:
    """The event, or None for what has none. Its id is worked out from the happening's, so it stays the same too."""
    state = STATES.get(happening.type)
    if state is None:
        return None
    application, group = origin.application_arn(happening), origin.group_arn(happening)
    host = {"instanceId": happening.instance_id} if happening.instance_id else {}
    return {
        "version": "0",
        "id": str(uuid.uuid5(_NAMESPACE, happening.event_id)),
        "detail-type": INSTANCE if host else DEPLOYMENT,
        "source": source,
        "account": origin.account_id,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(happening.at)),
        "region": origin.region,
        "resources": [happening.instance_arn, group, application] if host else [application, group],
        "detail": {
            **host,
            "instanceGroupId": happening.deployment_group_id,
            "region": origin.region,
            "application": happening.application_name,
            "deploymentId": happening.deployment_id,
            "state": state,
            "deploymentGroup": happening.deployment_group_name,
        },
    }
