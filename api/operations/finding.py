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
    found = site.store.shown([deployment_id])[0]
    if found is None or found.application_name is None:
        raise no_deployment(deployment_id)
    return found.deployment


def no_deployment(deployment_id: str) -> DeploymentDoesNotExist:
    """The refusal of an id that no deployment has."""
    return DeploymentDoesNotExist(f"The deployment {deployment_id} could not be found")


def groups(site: Site, of: Application) -> Iterator[DeploymentGroup]:
    """An application's groups, in name order, many to a round trip."""
    prefix = group_name(of.application_id, "")
    after = ""
    while names := site.store.groups.names(prefix=prefix, after=after, limit=MANY):
        yield from (found for found in site.store.groups.many_named(names) if found is not None)
        after = names[-1]


def applications(site: Site) -> Iterator[Application]:
    """All applications, in name order, many to a round trip."""
    after = ""
    while names := site.store.applications.names(after=after, limit=MANY):
        yield from (found for found in site.store.applications.many_named(names) if found is not None)
        after = names[-1]


def active(site: Site) -> Iterator[Deployment]:
    """The deployments that have not ended, in id order."""
    after = ""
    while ids := site.store.active(after=after, limit=MANY):
        yield from (found for found in site.store.deployments(ids) if found is not None)
        after = ids[-1]
