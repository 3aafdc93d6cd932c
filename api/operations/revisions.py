"""Operations on revisions that are registered with an application."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from api.forms import Answer, Given, location_from, location_of, revision_info
from api.operations import finding
from api.paging import PAGE, seal, unseal
from api.site import Site
from domain.api_errors import (
    BatchLimitExceeded,
    BucketNameFilterRequired,
    InvalidBucketNameFilter,
    RevisionDoesNotExist,
)
from domain.applications import Application
from domain.errors import DescriptionTooLong, RevisionRequired
from domain.revisions import Revision, RevisionLocation, revision_name
from workflows.admission import LONGEST_DESCRIPTION, check_revision
from workflows.reserved_buckets import told

MOST_AT_ONCE = 25
SORTED_BY: dict[str, Callable[[Revision], float]] = {
    "registerTime": lambda revision: revision.register_time,
    "firstUsedTime": lambda revision: revision.first_used_time or 0.0,
    "lastUsedTime": lambda revision: revision.last_used_time or 0.0,
}


def register_application_revision(site: Site, given: Given) -> None:
    """Register a revision, or give a registered one another description; without one it keeps what it has."""
    location = _location(given.get("revision"))
    description = given.get("description")
    if description and len(description) > LONGEST_DESCRIPTION:
        raise DescriptionTooLong
    of = finding.application(site, given["applicationName"])
    name = revision_name(of.application_id, location)
    fresh = Revision(location=location, description=description, register_time=site.now())
    if not site.store.revisions.add(name, fresh) and description is not None:
        site.store.revisions.change(name, lambda known: known.model_copy(update={"description": description}))


def get_application_revision(site: Site, given: Given) -> Answer:
    """One revision and what is known of it."""
    location = _location(given.get("revision"))
    of = finding.application(site, given["applicationName"])
    found = site.store.revisions.get(revision_name(of.application_id, location))
    if found is None:
        raise RevisionDoesNotExist("No application revision found for the given location.")
    return {
        "applicationName": of.application_name,
        "revision": location_of(found.location),
        "revisionInfo": revision_info(found, _targeting(site, of).get(found.location.identity, [])),
    }


def batch_get_application_revisions(site: Site, given: Given) -> Answer:
    """Revisions in the order asked for; those that are not there are told in `errorMessage`."""
    asked = given["revisions"]
    if not asked:
        raise RevisionRequired
    if len(asked) > MOST_AT_ONCE:
        raise BatchLimitExceeded(f"At most {MOST_AT_ONCE} revisions may be asked for at once.")
    locations = [_location(each) for each in asked]
    of = finding.application(site, given["applicationName"])
    found = site.store.revisions.many([revision_name(of.application_id, each) for each in locations])
    groups = _targeting(site, of)
    missing = [each.identity for each, held in zip(locations, found, strict=True) if held is None]
    return {
        "applicationName": of.application_name,
        "errorMessage": f"No application revision found for: {', '.join(missing)}" if missing else None,
        "revisions": [
            {
                "revisionLocation": location_of(held.location),
                "genericRevisionInfo": revision_info(held, groups.get(held.location.identity, [])),
            }
            for held in found
            if held is not None
        ],
    }


def list_application_revisions(site: Site, given: Given) -> Answer:
    """The locations of an application's revisions, filtered and sorted as asked."""
    bucket, prefix = given.get("s3Bucket"), given.get("s3KeyPrefix")
    if bucket == "":
        raise InvalidBucketNameFilter
    if prefix and not bucket:
        raise BucketNameFilterRequired
    after = unseal(site.token_key, "ListApplicationRevisions", given)
    of = finding.application(site, given["applicationName"])
    targets = _targeting(site, of)
    wanted = {"include": True, "exclude": False}.get(given.get("deployed") or "ignore")
    fits = [
        revision
        for revision in _all(site, of)
        if _lies_in(revision.location, bucket, prefix or "")
        and (wanted is None or (revision.location.identity in targets) is wanted)
    ]
    page, more = _page(fits, given, after)
    return {
        "revisions": [location_of(revision.location) for revision in page],
        "nextToken": more and seal(site.token_key, "ListApplicationRevisions", given, more),
    }


def _page(found: Sequence[Revision], given: Given, after: Any) -> tuple[Sequence[Revision], Any]:
    """The page after a place in the order asked for, and the place to go on from: what comes or goes meanwhile moves
    no other revision to another page."""
    # Without a key to sort by, the order is that of registration: AWS promises none.
    key = SORTED_BY[given.get("sortBy") or "registerTime"]
    falling = given.get("sortOrder") == "descending"

    def place(revision: Revision) -> list[Any]:
        return [key(revision), revision.location.identity]

    ordered = sorted(found, key=place, reverse=falling)
    rest = [each for each in ordered if after is None or (place(each) < after if falling else place(each) > after)]
    return rest[:PAGE], place(rest[PAGE - 1]) if len(rest) > PAGE else None


def _location(given: Any) -> RevisionLocation:
    location = location_from(given)
    if location is None:
        raise RevisionRequired
    check_revision(location)
    return location


def _lies_in(location: RevisionLocation, bucket: str | None, prefix: str) -> bool:
    s3 = told(location).s3_location
    return bucket is None or (s3 is not None and s3.bucket == bucket and s3.key.startswith(prefix))


def _all(site: Site, of: Application) -> Iterator[Revision]:
    prefix, after = f"{of.application_id}/", ""
    while names := site.store.revisions.names(prefix=prefix, after=after, limit=finding.MANY):
        yield from (revision for revision in site.store.revisions.many(names) if revision is not None)
        after = names[-1]


def _targeting(site: Site, of: Application) -> dict[str, list[str]]:
    """The names of the groups whose target revision it is, by the revision's identity."""
    found: dict[str, list[str]] = {}
    for group in finding.groups(site, of):
        if group.target_revision is not None:
            found.setdefault(group.target_revision.identity, []).append(group.deployment_group_name)
    return found
