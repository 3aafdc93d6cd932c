"""Operations on deployment groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from api.forms import Answer, Given, filters_from, group_info, tag_set_from, tags_from
from api.operations import finding, hooks
from api.paging import PAGE, page_of_names, seal, unseal
from api.site import Site
from domain.api_errors import (
    BatchLimitExceeded,
    DeploymentGroupLimitExceeded,
    InvalidAutoScalingGroup,
    InvalidECSService,
    InvalidTargetGroupPair,
    RoleRequired,
)
from domain.applications import Application
from domain.configs import ONE_AT_A_TIME, ROUTING
from domain.errors import (
    CallerError,
    DeploymentGroupAlreadyExists,
    DeploymentGroupDoesNotExist,
    DeploymentGroupNameRequired,
    InvalidEC2TagCombination,
    InvalidInput,
    InvalidOnPremisesTagCombination,
    NameTaken,
    WorldError,
)
from domain.groups import DeploymentGroup, group_name
from domain.scaling import ScalingHook
from workflows.resources import check_group, check_group_config
from workflows.scaling_hooks import without
from workflows.telling import triggers_stored

MOST_AT_ONCE = 100
_AS_GIVEN = (
    "deploymentConfigName",
    "serviceRoleArn",
    "autoScalingGroups",
    "triggerConfigurations",
    "alarmConfiguration",
    "autoRollbackConfiguration",
    "outdatedInstancesStrategy",
    "deploymentStyle",
    "blueGreenDeploymentConfiguration",
    "loadBalancerInfo",
    "ec2DeploymentOptions",
    "terminationHookEnabled",
)
"""Members that are kept in the form in which they are given."""
_HOOKED = frozenset({"autoScalingGroups", "terminationHookEnabled"})
"""Members that have the group's hooks put again, so that saving a group mends what was removed elsewhere."""
_PACED = frozenset({"deploymentConfigName", "deploymentStyle"})
"""Members that must fit each other, whichever of them is given."""


def create_deployment_group(site: Site, given: Given) -> Answer:
    """Make a deployment group; its id."""
    if not given.get("serviceRoleArn"):
        raise RoleRequired
    return {"deploymentGroupId": add_group(site, given, {}).deployment_group_id}


def add_group(site: Site, given: Given, ours: dict[str, Any]) -> DeploymentGroup:
    """Make a deployment group; `ours` are members that the API does not know."""
    if not given.get("deploymentGroupName"):
        raise DeploymentGroupNameRequired
    made = _made(
        {
            "applicationId": "",
            "deploymentGroupId": site.new_uuid(),
            "deploymentGroupName": given["deploymentGroupName"],
            "deploymentConfigName": ONE_AT_A_TIME,
            "createTime": site.now(),
            "tags": tags_from(given.get("tags"), most=site.quotas.resource_tags),
            **_changes(given),
            **ours,
        }
    )
    check_group(made, site.quotas)
    of = finding.application(site, given["applicationName"])
    _check_named(site, made.deployment_config_name, made.auto_scaling_groups)
    check_group_config(made, site.store.configs.get(made.deployment_config_name))
    made = made.model_copy(update={"application_id": of.application_id})
    name = made.deployment_group_name
    if site.store.groups.named(made.entry_name) is not None:
        raise _already_exists(of, name)
    if site.store.groups.count(prefix=group_name(of.application_id, "")) >= site.quotas.groups_per_application:
        most = site.quotas.groups_per_application
        raise DeploymentGroupLimitExceeded(f"An application may have at most {most} deployment groups.")
    made = made.model_copy(update={"hooks": hooks.planned(site, made, ())})
    with hooks.installed(site, made.hooks):
        if not site.store.groups.add(made):
            raise _already_exists(of, name)
    _test_triggers(site, of, made, None)
    return made


def _test_triggers(site: Site, of: Application, group: DeploymentGroup, before: DeploymentGroup | None) -> None:
    """Have topics hear of their triggers. A word that cannot be kept now is no reason to fail the call: the group is
    stored."""
    told = triggers_stored(
        group, before, application_name=of.application_name, event_id=f"test:{site.new_uuid()}", at=site.now()
    )
    if told is not None:
        with suppress(WorldError):
            site.store.tell([told])


def update_deployment_group(site: Site, given: Given) -> Answer:
    """Replace what is given, keep what is not; an empty list clears. Deployments that run keep what they began with."""
    return {"hooksNotCleanedUp": update_group(site, given, {})[1]}


def update_group(site: Site, given: Given, ours: dict[str, Any]) -> tuple[DeploymentGroup, list[Answer]]:
    """Change a deployment group, and the hooks that could not be removed; `ours` are members that the API does not
    know."""
    changes = {**_changes(given), **ours}
    of = finding.application(site, given["applicationName"])
    name = given["currentDeploymentGroupName"]
    found = finding.group(site, of, name)
    if given.get("newDeploymentGroupName"):
        changes["deploymentGroupName"] = given["newDeploymentGroupName"]

    def edit(present: DeploymentGroup) -> DeploymentGroup:
        edited = _made({**present.model_dump(), **changes})
        check_group(edited, site.quotas)
        # A group that was kept before this was looked at may change otherwise.
        if not _PACED.isdisjoint(changes):
            check_group_config(edited, site.store.configs.get(edited.deployment_config_name))
        # Another call may have given it hooks meanwhile, and they keep their names.
        return edited.model_copy(update={"hooks": hooks.planned(site, edited, (*present.hooks, *wanted))})

    wanted: tuple[ScalingHook, ...] = ()
    wanted = edit(found).hooks
    # What the group has already was checked when it was given; if it is gone since, other members may still change.
    _check_named(site, changes.get("deploymentConfigName"), changes.get("autoScalingGroups", ()))
    again = not _HOOKED.isdisjoint(changes)
    with hooks.installed(site, wanted if again else without(wanted, found.hooks), before=found.hooks):
        changed = _changed(site, of, found, edit)
    _test_triggers(site, of, changed, found)
    return changed, hooks.removed(site, (*found.hooks, *wanted), kept=changed.hooks)


def _changed(
    site: Site, of: Application, found: DeploymentGroup, edit: Callable[[DeploymentGroup], DeploymentGroup]
) -> DeploymentGroup:
    try:
        changed = site.store.groups.change(found.deployment_group_id, edit)
    except NameTaken:
        raise _already_exists(of, edit(found).deployment_group_name) from None
    if changed is None:
        raise DeploymentGroupDoesNotExist(f"No Deployment Group found for name: {found.deployment_group_name}")
    return changed


def _changes(given: Given) -> dict[str, Any]:
    """The group's members that were given, as it keeps them. Either form of a selection drops the other."""
    _check_platform(given)
    changes = {member: given[member] for member in _AS_GIVEN if given.get(member) is not None}
    changes |= _selection(given, "ec2TagFilters", "ec2TagSet", InvalidEC2TagCombination)
    changes |= _selection(given, "onPremisesInstanceTagFilters", "onPremisesTagSet", InvalidOnPremisesTagCombination)
    return changes


def _selection(given: Given, plain: str, grouped: str, both: type[CallerError]) -> dict[str, Any]:
    """Targets in either form, where one was given; an empty form chooses nothing, and may come beside the other."""
    if given.get(plain) is None and given.get(grouped) is None:
        return {}
    chosen = {plain: filters_from(given.get(plain)), grouped: tag_set_from(given.get(grouped), f"{grouped}List")}
    if all(chosen.values()):
        raise both
    return chosen


def _check_platform(given: Given) -> None:
    if given.get("ecsServices"):
        raise InvalidECSService
    if (given.get("loadBalancerInfo") or {}).get("targetGroupPairInfoList"):
        raise InvalidTargetGroupPair


def _made(members: dict[str, Any]) -> DeploymentGroup:
    try:
        return DeploymentGroup.model_validate(members)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise InvalidInput(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None


def _check_named(site: Site, config: str | None, auto_scaling_groups: Sequence[str]) -> None:
    """Whether what a group is to name is there."""
    if config in ROUTING:
        raise InvalidInput(f"{config} is not a configuration for servers.")
    if config is not None:
        finding.config(site, config)
    missing = site.missing_auto_scaling_groups(auto_scaling_groups) if auto_scaling_groups else ()
    if missing:
        raise InvalidAutoScalingGroup(f"There is no Auto Scaling group {', '.join(missing)}.")


def _already_exists(of: Application, name: str) -> DeploymentGroupAlreadyExists:
    return DeploymentGroupAlreadyExists(f"The application {of.application_name} has a deployment group {name} already.")


def get_deployment_group(site: Site, given: Given) -> Answer:
    """One group."""
    of = finding.application(site, given["applicationName"])
    found = finding.group(site, of, given["deploymentGroupName"])
    return {"deploymentGroupInfo": group_info(found, of.application_name)}


def batch_get_deployment_groups(site: Site, given: Given) -> Answer:
    """Groups in the order of their names; those that are not there are told in `errorMessage`."""
    names = given["deploymentGroupNames"]
    if not names:
        raise DeploymentGroupNameRequired
    if len(names) > MOST_AT_ONCE:
        raise BatchLimitExceeded(f"At most {MOST_AT_ONCE} deployment groups may be asked for at once.")
    of = finding.application(site, given["applicationName"])
    found = site.store.groups.many_named([group_name(of.application_id, name) for name in names])
    missing = [name for name, group in zip(names, found, strict=True) if group is None]
    return {
        "deploymentGroupsInfo": [group_info(group, of.application_name) for group in found if group],
        "errorMessage": f"No Deployment Group found for name: {', '.join(missing)}" if missing else None,
    }


def list_deployment_groups(site: Site, given: Given) -> Answer:
    """The names of an application's groups, in order."""
    after = unseal(site.token_key, "ListDeploymentGroups", given)
    of = finding.application(site, given["applicationName"])
    prefix = group_name(of.application_id, "")
    names = site.store.groups.names(prefix=prefix, after=prefix + after if after else "", limit=PAGE + 1)
    page, last = page_of_names([name.removeprefix(prefix) for name in names])
    token = last and seal(site.token_key, "ListDeploymentGroups", given, last)
    return {"applicationName": of.application_name, "deploymentGroups": page, "nextToken": token}


def delete_deployment_group(site: Site, given: Given) -> Answer:
    """Forget a group. Unknown names are no error."""
    of = site.store.applications.named(given["applicationName"])
    name = group_name(of.application_id, given["deploymentGroupName"]) if of else ""
    found = site.store.groups.named(name) if of else None
    gone = site.store.groups.remove(found.deployment_group_id) if found else None
    return {"hooksNotCleanedUp": hooks.removed(site, gone.hooks) if gone else []}
