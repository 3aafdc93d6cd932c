"""Operations on applications."""

from __future__ import annotations

from api.forms import Answer, Given, application_info, tags_from
from api.operations import finding, hooks
from api.paging import PAGE, page_of_names, seal, unseal
from api.site import Site
from domain.api_errors import ApplicationLimitExceeded, BatchLimitExceeded, InvalidComputePlatform
from domain.applications import Application
from domain.errors import (
    ApplicationAlreadyExists,
    ApplicationDoesNotExist,
    ApplicationNameRequired,
    NameTaken,
)
from domain.groups import group_name
from workflows.resources import check_application_name

MOST_AT_ONCE = 100


def create_application(site: Site, given: Given) -> Answer:
    """Make an application; its id."""
    name = given.get("applicationName") or ""
    check_application_name(name)
    if (given.get("computePlatform") or "Server") != "Server":
        raise InvalidComputePlatform
    tags = tags_from(given.get("tags"), most=site.quotas.resource_tags)
    if site.store.applications.named(name) is not None:
        raise already_exists(name)
    if site.store.applications.count() >= site.quotas.applications:
        raise ApplicationLimitExceeded(f"At most {site.quotas.applications} applications are allowed.")
    made = Application(application_id=site.new_uuid(), application_name=name, create_time=site.now(), tags=tags)
    if not site.store.applications.add(made):
        raise already_exists(name)
    return {"applicationId": made.application_id}


def already_exists(name: str) -> ApplicationAlreadyExists:
    """The refusal of a name that another application has."""
    return ApplicationAlreadyExists(f"An application with the name {name} exists already; choose another name.")


def get_application(site: Site, given: Given) -> Answer:
    """One application."""
    return {"application": application_info(finding.application(site, given["applicationName"]))}


def batch_get_applications(site: Site, given: Given) -> Answer:
    """Applications in the order of their names; one that is not there fails the call."""
    names = given["applicationNames"]
    if not names:
        raise ApplicationNameRequired
    if len(names) > MOST_AT_ONCE:
        raise BatchLimitExceeded(f"At most {MOST_AT_ONCE} applications may be asked for at once.")
    for name in names:
        check_application_name(name)
    found = site.store.applications.many_named(names)
    missing = [name for name, application in zip(names, found, strict=True) if application is None]
    if missing:
        raise ApplicationDoesNotExist(f"No application found for name: {', '.join(missing)}")
    return {"applicationsInfo": [application_info(application) for application in found if application is not None]}


def list_applications(site: Site, given: Given) -> Answer:
    """The names of all applications, in order."""
    after = unseal(site.token_key, "ListApplications", given) or ""
    page, last = page_of_names(site.store.applications.names(after=after, limit=PAGE + 1))
    token = last and seal(site.token_key, "ListApplications", given, last)
    return {"applications": page, "nextToken": token}


def update_application(site: Site, given: Given) -> None:
    """Give an application another name; all that belongs to it follows."""
    name, new_name = given.get("applicationName") or "", given.get("newApplicationName")
    check_application_name(name)
    if new_name is not None:
        check_application_name(new_name)
    found = finding.application(site, name)
    wanted = new_name or name
    try:
        changed = site.store.applications.change(
            found.application_id, lambda present: present.model_copy(update={"application_name": wanted})
        )
    except NameTaken:
        raise already_exists(wanted) from None
    if changed is None:
        raise ApplicationDoesNotExist(f"No application found for name: {name}")


def delete_application(site: Site, given: Given) -> None:
    """Forget an application with its groups and revisions; hosts keep what they have. Unknown names are no error.

    The application goes last, so that a call that was cut off can be made again.
    """
    found = site.store.applications.named(given["applicationName"])
    if found is None:
        return
    for group in list(finding.groups(site, found)):
        gone = site.store.groups.remove(group.deployment_group_id)
        hooks.removed(site, gone.hooks if gone else ())
    prefix = group_name(found.application_id, "")
    while names := site.store.revisions.names(prefix=prefix, limit=finding.MANY):
        for name in names:
            site.store.revisions.remove(name)
    site.store.forget_deployments(found.application_id)
    site.store.applications.remove(found.application_id)
