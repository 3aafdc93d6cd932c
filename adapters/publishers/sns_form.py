"""CodeDeploy's SNS messages as they are really sent: the order of the keys, dates in Java's style, and objects within
as JSON text. The guide's sample of them differs.

Source: captured messages of deployments; the AWS CodeDeploy user guide, "JSON data formats for CodeDeploy triggers",
has the members of instances, which are encoded here as those of deployments are.
"""

from __future__ import annotations

import json
import time
from typing import Any

from adapters.publishers.origin import Origin
from domain.happenings import ROLLBACK, TERMINAL, Happening, HappeningType
from domain.values import Instant

LONGEST_SUBJECT = 99
"""SNS wants less than a hundred characters."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WORDS = {
    "Created": "CREATED",
    "Queued": "QUEUED",
    "InProgress": "IN_PROGRESS",
    "Baking": "IN_PROGRESS",
    "Ready": "READY",
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "Stopped": "ABORTED",
    "Skipped": "SKIPPED",
    "Pending": "PENDING",
}
_COUNTED = ("Succeeded", "Failed", "Skipped", "InProgress", "Pending")


def sns_subject(happening: Happening, origin: Origin, trigger: str) -> str:
    """The subject; a longer one than SNS takes is cut."""
    if happening.type is HappeningType.TRIGGER_TEST:
        text = f"TEST: AWS CodeDeploy trigger {trigger} in {origin.region} to {happening.application_name}"
    else:
        where = f"{happening.deployment_id} in {origin.region} to {happening.application_name}"
        host = f" on {happening.instance_id}" if happening.instance_id else ""
        text = f"{status_word(happening.status)}: AWS CodeDeploy {where}{host}"
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)[:LONGEST_SUBJECT]


def sns_message(happening: Happening, origin: Origin, trigger: str) -> str:
    """The message for one trigger."""
    about = {"region": origin.region, "accountId": origin.account_id, "eventTriggerName": trigger}
    if happening.type is HappeningType.TRIGGER_TEST:
        return _text({**about, **_test(happening)})
    return _text({**about, **(_instance(happening) if happening.instance_id else _deployment(happening))})


def status_word(status: str) -> str:
    """A status as these messages spell it."""
    return _WORDS.get(status, status.upper())


def java_date(at: Instant | None) -> str | None:
    """A moment as Java's Date prints it: `Thu Oct 13 15:50:45 UTC 2022`, whatever the locale of this process."""
    if at is None:
        return None
    t = time.gmtime(at)
    clock = f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}"
    return f"{_DAYS[t.tm_wday]} {_MONTHS[t.tm_mon - 1]} {t.tm_mday:02} {clock} UTC {t.tm_year}"


def _deployment(happening: Happening) -> dict[str, Any]:
    told: dict[str, Any] = {
        "applicationName": happening.application_name,
        "deploymentId": happening.deployment_id,
        "deploymentGroupName": happening.deployment_group_name,
        "createTime": java_date(happening.create_time),
        "completeTime": java_date(happening.complete_time),
    }
    if happening.type in TERMINAL and happening.overview is not None:
        counts = happening.overview.model_dump()
        told["deploymentOverview"] = _text({status: counts[status] for status in _COUNTED})
    told["status"] = status_word(happening.status)
    if happening.error_code is not None:
        error = {"ErrorCode": happening.error_code, "ErrorMessage": happening.error_message or ""}
        told["errorInformation"] = _text(error)
    if happening.error_code is not None or happening.creator == ROLLBACK or _rollback(happening):
        told["rollbackInformation"] = _text(_rollback(happening))
    return told


def _rollback(happening: Happening) -> dict[str, str]:
    members = {
        "RollbackDeploymentId": happening.rollback_deployment_id,
        "RollbackMessage": happening.rollback_message,
        "RollbackTriggeringDeploymentId": happening.rollback_triggering_deployment_id,
    }
    return {name: value for name, value in members.items() if value is not None}


def _instance(happening: Happening) -> dict[str, Any]:
    return {
        "deploymentId": happening.deployment_id,
        "instanceId": happening.instance_arn or happening.instance_id,
        "lastUpdatedAt": java_date(happening.at),
        "instanceStatus": status_word(happening.status),
        "lifecycleEvents": _text(
            [
                {
                    "LifecycleEvent": each.event.value,
                    "LifecycleEventStatus": each.status.value,
                    "StartTime": java_date(each.start_time),
                    "EndTime": java_date(each.end_time),
                }
                for each in happening.lifecycle_events
            ]
        ),
    }


def _test(happening: Happening) -> dict[str, Any]:
    return {
        "applicationName": happening.application_name,
        "deploymentGroupName": happening.deployment_group_name,
        "createTime": java_date(happening.at),
        "status": "TEST",
    }


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
