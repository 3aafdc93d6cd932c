"""Operations on the tags of resources, by ARN. These tags select no deployment targets."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from api.forms import Answer, Given, some, tags_from, tags_of
from api.operations import finding
from api.paging import PAGE, seal, unseal
from api.site import Site
from api.wire.errors import invalid
from domain.api_errors import ArnNotSupported, InvalidArn, InvalidNextToken, ResourceArnRequired, TagRequired
from domain.applications import Application
from domain.errors import ApplicationDoesNotExist, DeploymentGroupDoesNotExist
from domain.groups import DeploymentGroup

ARN = re.compile(r"arn:aws(?:-cn|-us-gov)?:codedeploy:[a-z0-9-]+:(\d{12}):([a-z]+)[:/](.+)", re.ASCII | re.DOTALL)
Tags = Mapping[str, str]


def list_tags_for_resource(site: Site, given: Given) -> Answer:
    """The tags of an application or a deployment group, by key."""
    # Neither for a token nor for a resource that is not there has the operation a word of its own.
    try:
        after = unseal(site.token_key, "ListTagsForResource", given) or ""
    except InvalidNextToken as error:
        raise invalid(error.message) from None
    try:
        resource = _resource(site, given.get("ResourceArn"))
    except (ApplicationDoesNotExist, DeploymentGroupDoesNotExist) as error:
        raise InvalidArn(f"The ARN names nothing that there is: {error.message}") from None
    found = [tag for tag in tags_of(resource.tags) if tag["Key"] > after]
    token = seal(site.token_key, "ListTagsForResource", given, found[PAGE - 1]["Key"]) if len(found) > PAGE else None
    return {"Tags": found[:PAGE], "NextToken": token}


def tag_resource(site: Site, given: Given) -> None:
    """Add tags, in the place of those with the same keys."""
    resource = _resource(site, given.get("ResourceArn"))
    tags = tags_from(some(given.get("Tags")), most=site.quotas.resource_tags)

    def add(present: Tags) -> Tags:
        return tags_from(tags_of({**present, **tags}), most=site.quotas.resource_tags)

    add(resource.tags)
    _edit(site, resource, add)


def untag_resource(site: Site, given: Given) -> None:
    """Remove the tags of these keys; keys that are not there are no error."""
    resource = _resource(site, given.get("ResourceArn"))
    keys = frozenset(given.get("TagKeys") or ())
    if not keys:
        raise TagRequired
    _edit(site, resource, lambda present: {key: value for key, value in present.items() if key not in keys})


def _edit(site: Site, resource: Application | DeploymentGroup, edit: Callable[[Tags], Tags]) -> None:
    if isinstance(resource, Application):
        site.store.applications.change(
            resource.identity, lambda present: present.model_copy(update={"tags": edit(present.tags)})
        )
    else:
        site.store.groups.change(
            resource.identity, lambda present: present.model_copy(update={"tags": edit(present.tags)})
        )


def _resource(site: Site, arn: str | None) -> Application | DeploymentGroup:
    """What an ARN names: `…:application:NAME` or `…:deploymentgroup:APPLICATION/GROUP`."""
    if not arn:
        raise ResourceArnRequired
    found = ARN.fullmatch(arn)
    if found is None or found[1] != site.account_id:
        raise InvalidArn(f"{arn[:200]} is not the ARN of a resource of the account {site.account_id}.")
    kind, name = found[2], found[3]
    if kind == "application":
        return finding.application(site, name)
    if kind != "deploymentgroup":
        raise ArnNotSupported
    application, slash, group = name.partition("/")
    if not slash:
        raise InvalidArn("The ARN of a deployment group ends in :deploymentgroup:APPLICATION/GROUP.")
    return finding.group(site, finding.application(site, application), group)
