"""Operations on the targets of a deployment, under their name and under the deprecated one (instances)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from api.forms import Answer, Given, instance_summary, target_info
from api.operations import finding
from api.operations.deployments import check_id
from api.paging import PAGE, seal, unseal
from api.site import Site
from domain.api_errors import (
    BatchLimitExceeded,
    DeploymentNotStarted,
    DeploymentTargetIdRequired,
    DeploymentTargetListSizeExceeded,
    InstanceDoesNotExist,
    InstanceIdRequired,
    InvalidDeploymentInstanceType,
    InvalidInstanceStatus,
    InvalidInstanceType,
    InvalidTargetFilterName,
)
from domain.deployments import Deployment, TargetRecord, TargetStatus
from domain.errors import DeploymentTargetDoesNotExist
from workflows import reporting

MOST_AT_ONCE = 25
LOOKED_AT = 2000
"""Targets that one call reads at most to find those of a status."""
STATUSES = frozenset(status.value for status in TargetStatus)
LABELS = frozenset({"Blue", "Green"})
SUFFIX = re.compile(r"_[A-Za-z0-9]{10}\Z")
"""What the registration of an on-premises instance adds to its name in its ARN."""


def list_deployment_targets(site: Site, given: Given) -> Answer:
    """Ids of targets in the order in which they are taken; filtered pages may be short and still name a next one."""
    filters = given.get("targetFilters") or {}
    unknown = set(filters) - {"TargetStatus", "ServerInstanceLabel"}
    if unknown:
        raise InvalidTargetFilterName(f"{', '.join(sorted(unknown))} is no filter: TargetStatus, ServerInstanceLabel.")
    statuses, labels = filters.get("TargetStatus"), filters.get("ServerInstanceLabel")
    ids, token = _page(site, "ListDeploymentTargets", given, statuses or (), labels or ())
    return {"targetIds": ids, "nextToken": token}


def list_deployment_instances(site: Site, given: Given) -> Answer:
    """The deprecated twin of ListDeploymentTargets."""
    statuses, kinds = given.get("instanceStatusFilter") or (), given.get("instanceTypeFilter") or ()
    ids, token = _page(site, "ListDeploymentInstances", given, statuses, kinds)
    return {"instancesList": ids, "nextToken": token}


def _page(
    site: Site, operation: str, given: Given, statuses: Sequence[str], labels: Sequence[str]
) -> tuple[list[str], str | None]:
    deployment_id = check_id(given.get("deploymentId"))
    if not set(statuses) <= STATUSES:
        raise InvalidInstanceStatus
    if not set(labels) <= LABELS:
        raise InvalidInstanceType
    start = unseal(site.token_key, operation, given) or 0
    deployment = _started(site, deployment_id)
    if labels and not deployment.blue_green:
        raise InvalidDeploymentInstanceType
    ids: list[str] = []
    at = start
    for record in _records(site, deployment, first=start):
        at = record.index + 1
        if _fits(record, deployment, statuses, labels):
            ids.append(record.target.target_id)
        if len(ids) == PAGE:
            break
    # Nothing was read where nothing is kept any more: then there is no next page either.
    more = start < at < deployment.total
    return ids, seal(site.token_key, operation, given, at) if more else None


def _fits(record: TargetRecord, deployment: Deployment, statuses: Sequence[str], labels: Sequence[str]) -> bool:
    if labels and deployment.label(record.index) not in labels:
        return False
    return not statuses or reporting.target_view(record, deployment).status.value in statuses


def _records(site: Site, deployment: Deployment, *, first: int) -> Iterator[TargetRecord]:
    """Records from an index on, as many as one call looks at."""
    for at in range(first, min(first + LOOKED_AT, deployment.total), PAGE):
        yield from site.store.targets(deployment.deployment_id, first=at, count=PAGE)


def _started(site: Site, deployment_id: str) -> Deployment:
    found = finding.deployment(site, deployment_id)
    if not found.phases and not found.status.final:
        raise DeploymentNotStarted(f"The deployment {deployment_id} has not started yet, so it has no targets.")
    return found


def get_deployment_target(site: Site, given: Given) -> Answer:
    """One target and how far it has come."""
    deployment_id, target_id = check_id(given.get("deploymentId")), given.get("targetId")
    if not target_id:
        raise DeploymentTargetIdRequired
    deployment = _started(site, deployment_id)
    record = site.store.target(deployment_id, target_id)
    if record is None:
        raise _no_target(deployment_id, [target_id])
    return {"deploymentTarget": _target(record, deployment)}


def batch_get_deployment_targets(site: Site, given: Given) -> Answer:
    """Targets in the order of their ids; one that is not there fails the call."""
    deployment_id, ids = check_id(given.get("deploymentId")), given.get("targetIds")
    if not ids or not all(ids):
        raise DeploymentTargetIdRequired
    if len(ids) > MOST_AT_ONCE:
        raise DeploymentTargetListSizeExceeded(f"At most {MOST_AT_ONCE} targets may be asked for at once.")
    deployment = _started(site, deployment_id)
    records = site.store.targets_named(deployment_id, ids)
    missing = [target_id for target_id, record in zip(ids, records, strict=True) if record is None]
    if missing:
        raise _no_target(deployment_id, missing)
    return {"deploymentTargets": [_target(record, deployment) for record in records if record is not None]}


def _no_target(deployment_id: str, ids: Sequence[str]) -> DeploymentTargetDoesNotExist:
    return DeploymentTargetDoesNotExist(f"The deployment {deployment_id} has no target {', '.join(ids)}.")


def _target(record: TargetRecord, deployment: Deployment) -> Answer:
    return {"deploymentTargetType": "InstanceTarget", "instanceTarget": target_info(record, deployment)}


def get_deployment_instance(site: Site, given: Given) -> Answer:
    """The deprecated twin of GetDeploymentTarget; takes an instance's id or its ARN."""
    deployment_id, instance_id = check_id(given.get("deploymentId")), given.get("instanceId")
    if not instance_id:
        raise InstanceIdRequired
    deployment = finding.deployment(site, deployment_id)
    record = _by_id_or_arn(site, deployment_id, [instance_id])[instance_id]
    if record is None:
        raise InstanceDoesNotExist(f"The deployment {deployment_id} has no instance {instance_id}.")
    return {"instanceSummary": instance_summary(record, deployment)}


def batch_get_deployment_instances(site: Site, given: Given) -> Answer:
    """The deprecated twin of BatchGetDeploymentTargets; those that are not there are told in `errorMessage`."""
    deployment_id, ids = check_id(given.get("deploymentId")), given.get("instanceIds")
    if not ids or not all(ids):
        raise InstanceIdRequired
    if len(ids) > MOST_AT_ONCE:
        raise BatchLimitExceeded(f"At most {MOST_AT_ONCE} instances may be asked for at once.")
    deployment = finding.deployment(site, deployment_id)
    found = _by_id_or_arn(site, deployment_id, ids)
    missing = [instance_id for instance_id, record in found.items() if record is None]
    return {
        "instancesSummary": [instance_summary(record, deployment) for record in found.values() if record],
        "errorMessage": f"The deployment has no instance {', '.join(missing)}." if missing else None,
    }


def _by_id_or_arn(site: Site, deployment_id: str, asked: Sequence[str]) -> Mapping[str, TargetRecord | None]:
    records = site.store.targets_named(deployment_id, [_id_in(each) for each in asked])
    return {
        each: record if record is not None and each in {record.target.target_id, record.target.arn} else None
        for each, record in zip(asked, records, strict=True)
    }


def _id_in(text: str) -> str:
    """The instance id in an ARN: what follows the slash, without the suffix that an on-premises registration adds."""
    if not text.startswith("arn:"):
        return text
    return SUFFIX.sub("", text.rpartition("/")[2]) if ":codedeploy:" in text else text.rpartition("/")[2]
