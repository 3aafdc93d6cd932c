"""Operations on deployment configurations."""

from __future__ import annotations

from typing import Any

from api.forms import Answer, Given, config_info, routing_info
from api.operations import finding
from api.paging import PAGE, page_of_names, seal, unseal
from api.site import Site
from domain.api_errors import (
    DeploymentConfigInUse,
    DeploymentConfigLimitExceeded,
    InvalidComputePlatform,
    InvalidOperation,
    InvalidTrafficRoutingConfiguration,
    InvalidZonalDeploymentConfiguration,
)
from domain.configs import PREDEFINED, ROUTING, DeploymentConfig
from domain.errors import CallerError, DeploymentConfigAlreadyExists, InvalidMinimumHealthyHostValue
from workflows.resources import check_config

BUILT_IN = sorted((*PREDEFINED, *ROUTING))


def create_deployment_config(site: Site, given: Given) -> Answer:
    """Make a custom configuration; its id."""
    if (given.get("computePlatform") or "Server") != "Server":
        raise InvalidComputePlatform
    if given.get("trafficRoutingConfig"):
        raise InvalidTrafficRoutingConfiguration
    name = given.get("deploymentConfigName") or ""
    made = DeploymentConfig.model_validate(
        {
            "deploymentConfigName": name,
            "deploymentConfigId": site.new_uuid(),
            "minimumHealthyHosts": _minimum(given.get("minimumHealthyHosts"), InvalidMinimumHealthyHostValue),
            "zonalConfig": _zones(given.get("zonalConfig")),
            "createTime": site.now(),
        }
    )
    check_config(made)
    if site.store.configs.get(name) is not None:
        raise _already_exists(name)
    if site.store.configs.count() >= site.quotas.custom_configs:
        raise DeploymentConfigLimitExceeded(f"At most {site.quotas.custom_configs} custom configurations are allowed.")
    if not site.store.configs.add(name, made):
        raise _already_exists(name)
    return {"deploymentConfigId": made.deployment_config_id}


def _minimum(given: Any, invalid: type[CallerError]) -> Any:
    if not given or given.get("type") is None or given.get("value") is None:
        raise invalid("The minimum healthy hosts need a type (HOST_COUNT or FLEET_PERCENT) and a value.")
    return given


def _zones(given: Any) -> Any:
    if given and "minimumHealthyHostsPerZone" in given:
        _minimum(given["minimumHealthyHostsPerZone"], InvalidZonalDeploymentConfiguration)
    return given


def _already_exists(name: str) -> DeploymentConfigAlreadyExists:
    return DeploymentConfigAlreadyExists(f"A deployment configuration {name} exists already; choose another name.")


def get_deployment_config(site: Site, given: Given) -> Answer:
    """One configuration, also a predefined one of another compute platform."""
    name = given["deploymentConfigName"]
    routing = ROUTING.get(name)
    info = routing_info(routing) if routing else config_info(finding.config(site, name))
    return {"deploymentConfigInfo": info}


def list_deployment_configs(site: Site, given: Given) -> Answer:
    """The names of the predefined configurations, then of the custom ones."""
    after = unseal(site.token_key, "ListDeploymentConfigs", given)
    first = [] if after else BUILT_IN
    page, last = page_of_names(site.store.configs.names(after=after or "", limit=PAGE + 1))
    token = last and seal(site.token_key, "ListDeploymentConfigs", given, last)
    return {"deploymentConfigsList": [*first, *page], "nextToken": token}


def delete_deployment_config(site: Site, given: Given) -> None:
    """Forget a custom configuration that nobody uses. Unknown names are no error."""
    name = given["deploymentConfigName"]
    if name in PREDEFINED or name in ROUTING:
        raise InvalidOperation(f"{name} is predefined and cannot be deleted.")
    if site.store.configs.get(name) is None:
        return
    user = _user_of(site, name)
    if user is not None:
        raise DeploymentConfigInUse(f"The deployment configuration {name} is in use by {user}.")
    site.store.configs.remove(name)


def _user_of(site: Site, name: str) -> str | None:
    for application in finding.applications(site):
        for group in finding.groups(site, application):
            if group.deployment_config_name == name:
                return f"the deployment group {application.application_name}/{group.deployment_group_name}"
    for deployment in finding.active(site):
        if deployment.deployment_config_name == name:
            return f"the deployment {deployment.deployment_id}"
    return None
