"""Operations on deployments."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from pydantic import ValidationError

from api.forms import Answer, Given, deployment_info, location_from, stop_answer
from api.operations import finding
from api.paging import PAGE, seal, unseal
from api.site import Site
from domain.api_errors import (
    BatchLimitExceeded,
    DeploymentIdRequired,
    DeploymentNotStarted,
    InvalidDeploymentId,
    InvalidTimeRange,
    UnsupportedActionForDeploymentType,
)
from domain.deployments import CreateDeployment, Deployment, DeploymentStatus
from domain.errors import (
    ApplicationNameRequired,
    DeploymentAlreadyCompleted,
    DeploymentGroupNameRequired,
    DeploymentLimitExceeded,
    InvalidInput,
)
from workflows.group_checks import check_alarms, check_processes

MOST_AT_ONCE = 100
LOOKED_AT = 1000
"""Deployments that one call of ListDeployments reads at most to find those of a status."""
DEPLOYMENT_ID = re.compile(r"d-[A-Z0-9]{9}")
RUNNING = frozenset(status.value for status in DeploymentStatus if not status.final)


def check_id(deployment_id: str | None) -> str:
    """Raises DeploymentIdRequired or InvalidDeploymentId."""
    if not deployment_id:
        raise DeploymentIdRequired
    if not DEPLOYMENT_ID.fullmatch(deployment_id):
        raise InvalidDeploymentId(f"{deployment_id} is not a deployment id: d- and nine capital letters or digits.")
    return deployment_id


def create_deployment(site: Site, given: Given) -> Answer:
    """Admit a deployment; its id. What is wrong with its targets shows later, in its errorInformation."""
    members = {name: value for name, value in given.items() if value is not None}
    revision = location_from(given.get("revision"))
    try:
        request = CreateDeployment.model_validate({**members, "revision": revision})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise InvalidInput(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
    check_alarms(request.override_alarm_configuration, site.quotas)
    check_processes(request.ec2_deployment_options)
    if site.store.active_count() >= site.quotas.running_deployments:
        raise DeploymentLimitExceeded(
            f"At most {site.quotas.running_deployments} deployments may be under way; wait until some end."
        )
    return {"deploymentId": site.create_deployment(request)}


def get_deployment(site: Site, given: Given) -> Answer:
    """One deployment as it stands."""
    found = finding.deployment(site, check_id(given.get("deploymentId")))
    return {"deploymentInfo": _infos(site, [found])[0]}


def batch_get_deployments(site: Site, given: Given) -> Answer:
    """Deployments in the order of their ids; those that are not there are left out."""
    ids = given["deploymentIds"]
    if not ids:
        raise DeploymentIdRequired
    if len(ids) > MOST_AT_ONCE:
        raise BatchLimitExceeded(f"At most {MOST_AT_ONCE} deployments may be asked for at once.")
    found = site.store.deployments([check_id(each) for each in ids])
    return {"deploymentsInfo": _infos(site, [deployment for deployment in found if deployment is not None])}


def _infos(site: Site, deployments: Sequence[Deployment]) -> list[Answer]:
    """What is told of deployments, under today's names; those of deleted applications are gone with them."""
    applications = site.store.applications.many([each.application_id for each in deployments])
    groups = site.store.groups.many([each.deployment_group_id for each in deployments])
    return [
        deployment_info(
            each,
            site.store.progress(each.deployment_id, each.phase),
            application_name=application.application_name,
            group_name=group.deployment_group_name if group else each.deployment_group_name,
        )
        for each, application, group in zip(deployments, applications, groups, strict=True)
        if application is not None
    ]


def list_deployments(site: Site, given: Given) -> Answer:
    """Ids of deployments, newest first. A page may hold fewer than there is room for, and still name a next one."""
    group_id = _group_asked_for(site, given)
    since, until = _time_range(given.get("createTimeRange") or {})
    statuses = frozenset(given.get("includeOnlyStatuses") or ())
    cursor = unseal(site.token_key, "ListDeployments", given)
    if given.get("externalId"):
        return {"deployments": []}
    wanted = _wanted(site, statuses)
    page: list[str] = []
    after = (cursor[0], cursor[1]) if cursor else None
    for _ in range(LOOKED_AT // PAGE):
        found = site.store.recent(group_id=group_id, since=since, until=until, after=after, limit=PAGE - len(page) + 1)
        room = PAGE - len(page)
        page += wanted([deployment_id for _, deployment_id in found[:room]])
        if len(found) <= room:
            return {"deployments": page}
        after = found[room - 1]
        if len(page) >= PAGE:
            break
    return {"deployments": page, "nextToken": seal(site.token_key, "ListDeployments", given, after)}


def _group_asked_for(site: Site, given: Given) -> str | None:
    application, group = given.get("applicationName"), given.get("deploymentGroupName")
    if group and not application:
        raise ApplicationNameRequired
    if application and not group:
        raise DeploymentGroupNameRequired
    if not application:
        return None
    return finding.group(site, finding.application(site, application), str(group)).deployment_group_id


def _time_range(given: Given) -> tuple[float | None, float | None]:
    since, until = given.get("start"), given.get("end")
    if since is not None and until is not None and since > until:
        raise InvalidTimeRange
    return since, until


def _wanted(site: Site, statuses: Collection[str]) -> Callable[[Sequence[str]], list[str]]:
    """Keeps the deployments of these statuses (any, if none are named) whose applications there are."""

    def keep(ids: Sequence[str]) -> list[str]:
        found = [each for each in site.store.deployments(ids) if each is not None]
        known = site.store.applications.many([each.application_id for each in found])
        return [
            each.deployment_id
            for each, application in zip(found, known, strict=True)
            if application is not None and (not statuses or each.status.value in statuses)
        ]

    return keep


def stop_deployment(site: Site, given: Given) -> Answer:
    """Ask a deployment to stop."""
    deployment_id = check_id(given.get("deploymentId"))
    finding.deployment(site, deployment_id)
    return stop_answer(site.stop_deployment(deployment_id))


def continue_deployment(site: Site, given: Given) -> None:
    """Go on with a blue/green deployment that waits. Deployments in place never do."""
    _refuse_in_place(_under_way(site, given))


def skip_wait_time_for_instance_termination(site: Site, given: Given) -> None:
    """The deprecated twin of ContinueDeployment with TERMINATION_WAIT."""
    found = _under_way(site, given)
    if not found.phases:
        raise DeploymentNotStarted
    _refuse_in_place(found)


def put_lifecycle_event_hook_execution_status(site: Site, given: Given) -> None:
    """For Lambda and ECS only."""
    _refuse_in_place(finding.deployment(site, check_id(given.get("deploymentId"))))


def delete_resources_by_external_id(site: Site, given: Given) -> None:
    """For CloudFormation, which links nothing here."""


def _under_way(site: Site, given: Given) -> Deployment:
    found = finding.deployment(site, check_id(given.get("deploymentId")))
    if found.status.final:
        raise DeploymentAlreadyCompleted(f"The deployment {found.deployment_id} has ended already: {found.status}.")
    return found


def _refuse_in_place(found: Deployment) -> Any:
    raise UnsupportedActionForDeploymentType(f"The deployment {found.deployment_id} is in place; nothing in it waits.")
