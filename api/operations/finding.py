"""What operations look up before they do anything: the application, the group, the deployment that a call names."""

from __future__ import annotations

from collections.abc import Iterator

from api.site import Site
from domain.applications import Application
from domain.configs import PREDEFINED, DeploymentConfig
from domain.deployments import Deployment
from domain.errors import (
    ApplicationDoesNotExist,
    DeploymentConfigDoesNotExist,
    DeploymentDoesNotExist,
    DeploymentGroupDoesNotExist,
)
from domain.groups import DeploymentGroup, group_name

MANY = 500
"""Names read in one round trip where all are needed."""


def application(site: Site, name: str) -> Application:
    """Raises ApplicationDoesNotExist."""
    found = site.store.applications.named(name)
    if found is None:
        raise ApplicationDoesNotExist(f"No application found for name: {name}")
    return found


def group(site: Site, of: Application, name: str) -> DeploymentGroup:
    """Raises DeploymentGroupDoesNotExist."""
    found = site.store.groups.named(group_name(of.application_id, name))
    if found is None:
        raise DeploymentGroupDoesNotExist(f"No Deployment Group found for name: {name}")
    return found


def config(site: Site, name: str) -> DeploymentConfig:
    """Raises DeploymentConfigDoesNotExist."""
    found = PREDEFINED.get(name) or site.store.configs.get(name)
    if found is None:
        raise DeploymentConfigDoesNotExist(f"No Deployment Configuration found for name: {name}")
    return found


def deployment(site: Site, deployment_id: str) -> Deployment:
    """Raises DeploymentDoesNotExist, also for one whose application was deleted: its deployments went with it."""
    found = site.store.deployment(deployment_id)
    if found is None or site.store.applications.get(found.application_id) is None:
        raise DeploymentDoesNotExist(f"The deployment {deployment_id} could not be found")
    return found


def group_names(site: Site, of: Application) -> Iterator[str]:
    """The names of an application's groups, in order."""
    prefix = group_name(of.application_id, "")
    after = ""
    while names := site.store.groups.names(prefix=prefix, after=after, limit=MANY):
        yield from (name.removeprefix(prefix) for name in names)
        after = names[-1]


def groups(site: Site, of: Application) -> Iterator[DeploymentGroup]:
    """An application's groups, in name order."""
    for name in group_names(site, of):
        found = site.store.groups.named(group_name(of.application_id, name))
        if found is not None:
            yield found
