"""Operations on deployments."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NoReturn

from pydantic import ValidationError

from api.forms import Answer, Given, deployment_info, location_from, stop_answer, target_instances_from
from api.operations import finding
from api.paging import PAGE, seal, unseal
from api.site import Site
from domain.api_errors import (
    BatchLimitExceeded,
    DeploymentIdRequired,
    DeploymentIsNotInReadyState,
    DeploymentNotStarted,
    InvalidDeploymentId,
    InvalidTimeRange,
    UnsupportedActionForDeploymentType,
)
from domain.deployments import CreateDeployment, Deployment, DeploymentStatus, WaitType
from domain.errors import (
    ApplicationNameRequired,
    DeploymentGroupNameRequired,
    InvalidInput,
)
from workflows.group_checks import check_alarms, check_processes
from workflows.resources import check_target_instances

MOST_AT_ONCE = 100
LOOKED_AT = 1000
"""Deployments that one call of ListDeployments reads, about, at most to find those of a status."""
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
    if not given.get("deploymentGroupName"):
        raise DeploymentGroupNameRequired
    members = {name: value for name, value in given.items() if value is not None}
    revision = location_from(given.get("revision"))
    green = target_instances_from(given.get("targetInstances"))
    check_target_instances(green)
    try:
        request = CreateDeployment.model_validate({**members, "revision": revision, "targetInstances": green})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise InvalidInput(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
    check_alarms(request.override_alarm_configuration, site.quotas)
    check_processes(request.ec2_deployment_options)
    return {"deploymentId": site.create_deployment(request)}


def get_deployment(site: Site, given: Given) -> Answer:
    """One deployment as it stands."""
    deployment_id = check_id(given.get("deploymentId"))
    infos = _infos(site, [deployment_id])
    if not infos:
        raise finding.no_deployment(deployment_id)
    return {"deploymentInfo": infos[0]}


def batch_get_deployments(site: Site, given: Given) -> Answer:
    """Deployments in the order of their ids; those that are not there are left out."""
    ids = given["deploymentIds"]
    if not ids:
        raise DeploymentIdRequired
    if len(ids) > MOST_AT_ONCE:
        raise BatchLimitExceeded(f"At most {MOST_AT_ONCE} deployments may be asked for at once.")
    return {"deploymentsInfo": _infos(site, [check_id(each) for each in ids])}


def _infos(site: Site, ids: Sequence[str]) -> list[Answer]:
    """What is told of deployments, under today's names; those of deleted applications are gone with them."""
    return [
        deployment_info(
            each.deployment,
            each.progress,
            application_name=each.application_name,
            group_name=each.group_name or each.deployment.deployment_group_name,
        )
        for each in site.store.shown(ids)
        if each is not None and each.application_name is not None
    ]


def list_deployments(site: Site, given: Given) -> Answer:
    """Ids of deployments, newest first. A page may hold fewer than there is room for, and still name a next one."""
    group_id = _group_asked_for(site, given)
    since, until = _time_range(given.get("createTimeRange") or {})
    statuses = frozenset(given.get("includeOnlyStatuses") or ())
    cursor = unseal(site.token_key, "ListDeployments", given)
    if given.get("externalId"):
        return {"deployments": []}
    asked = _Asked(group_id, since, until, statuses, (cursor[0], cursor[1]) if cursor else None)
    few = bool(statuses) and statuses <= RUNNING and site.store.active_count() <= LOOKED_AT
    found, after = _under_way_among(site, asked) if few else _recent(site, asked)
    token = seal(site.token_key, "ListDeployments", given, after) if after else None
    return {"deployments": found, "nextToken": token}


Place = tuple[float, str]
"""A deployment in the order of the list: when it was created, and its id."""


@dataclass(frozen=True)
class _Asked:
    """Which deployments a call lists."""

    group_id: str | None
    since: float | None
    until: float | None
    statuses: Collection[str]
    after: Place | None

    def fits(self, deployment: Deployment) -> bool:
        at = deployment.create_time
        return (
            (self.group_id is None or deployment.deployment_group_id == self.group_id)
            and (self.since is None or at >= self.since)
            and (self.until is None or at <= self.until)
            and (self.after is None or (at, deployment.deployment_id) < self.after)
            and (not self.statuses or deployment.status.value in self.statuses)
        )


def _under_way_among(site: Site, asked: _Asked) -> tuple[list[str], Place | None]:
    """A page of deployments that have not ended, read from their own index: those that ended are many more."""
    fits = sorted(
        (
            (each.create_time, each.deployment_id)
            for each in _known(site, list(finding.active(site)))
            if asked.fits(each)
        ),
        reverse=True,
    )
    page = fits[:PAGE]
    return [deployment_id for _, deployment_id in page], page[-1] if len(fits) > PAGE else None


def _recent(site: Site, asked: _Asked) -> tuple[list[str], Place | None]:
    """A page from the index by time: as many as fit of those that one call looks at."""
    page: list[str] = []
    after, looked_at = asked.after, 0
    while looked_at < LOOKED_AT:
        found = site.store.recent(
            group_id=asked.group_id, since=asked.since, until=asked.until, after=after, limit=PAGE + 1
        )
        # One more than is looked at: it tells whether there is a next page.
        wanted = _fitting(site, asked, [deployment_id for _, deployment_id in found[:PAGE]])
        for place in found[:PAGE]:
            after = place
            page += [place[1]] if place[1] in wanted else []
            if len(page) == PAGE:
                return page, after if place != found[-1] else None
        if len(found) <= PAGE:
            return page, None
        looked_at += PAGE
    return page, after


def _fitting(site: Site, asked: _Asked, ids: Sequence[str]) -> frozenset[str]:
    if not asked.statuses:
        # The index answered all that was asked: group, time, and that the application is there.
        return frozenset(ids)
    found = [each for each in site.store.deployments(ids) if each is not None]
    return frozenset(each.deployment_id for each in _known(site, found) if asked.fits(each))


def _known(site: Site, deployments: Sequence[Deployment]) -> list[Deployment]:
    """Those whose applications there are."""
    ids = list({each.application_id for each in deployments})
    there = {each.application_id for each in site.store.applications.many(ids) if each is not None}
    return [each for each in deployments if each.application_id in there]


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


def stop_deployment(site: Site, given: Given) -> Answer:
    """Ask a deployment to stop."""
    deployment_id = check_id(given.get("deploymentId"))
    finding.deployment(site, deployment_id)
    return stop_answer(site.stop_deployment(deployment_id))


def continue_deployment(site: Site, given: Given) -> None:
    """End a wait of a blue/green deployment: that for traffic to be shifted, or that before blue is terminated."""
    deployment_id = check_id(given.get("deploymentId"))
    finding.deployment(site, deployment_id)
    site.continue_deployment(deployment_id, WaitType(given.get("deploymentWaitType") or WaitType.READY_WAIT))


def skip_wait_time_for_instance_termination(site: Site, given: Given) -> None:
    """The deprecated twin of ContinueDeployment with TERMINATION_WAIT."""
    found = finding.deployment(site, check_id(given.get("deploymentId")))
    if not found.phases and not found.status.final:
        raise DeploymentNotStarted
    try:
        site.continue_deployment(found.deployment_id, WaitType.TERMINATION_WAIT)
    except DeploymentIsNotInReadyState as error:
        # This operation models no such error.
        raise DeploymentNotStarted(error.message) from None


def put_lifecycle_event_hook_execution_status(site: Site, given: Given) -> None:
    """For Lambda and ECS only."""
    _refuse_servers(finding.deployment(site, check_id(given.get("deploymentId"))))


def delete_resources_by_external_id(site: Site, given: Given) -> None:
    """For CloudFormation, which links nothing here."""


def _refuse_servers(found: Deployment) -> NoReturn:
    raise UnsupportedActionForDeploymentType(
        f"The deployment {found.deployment_id} is to servers, whose hooks are scripts."
    )
