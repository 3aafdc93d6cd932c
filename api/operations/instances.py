"""Operations on on-premises instances: registration and the tags by which groups choose them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from api.forms import Answer, Given, filters_from, instance_info, some
from api.operations import finding
from api.paging import PAGE, seal, unseal
from api.site import Site
from domain.api_errors import (
    BatchLimitExceeded,
    IamSessionArnAlreadyRegistered,
    IamUserArnAlreadyRegistered,
    InstanceLimitExceeded,
    InvalidTagFilter,
)
from domain.errors import (
    CallerError,
    InstanceNameAlreadyRegistered,
    InstanceNameRequired,
    InstanceNotRegistered,
    InvalidTag,
)
from domain.fleet import ArnHolder, Instance, TargetKind
from workflows.admission import instance_arn
from workflows.resources import check_filters, check_iam_arns, check_instance, check_tags
from workflows.targeting import matches

MOST_AT_ONCE = 100


def register_on_premises_instance(site: Site, given: Given) -> None:
    """Register a host under a name; one that was deregistered may be taken again."""
    user, session = given.get("iamUserArn"), given.get("iamSessionArn")
    check_instance(given.get("instanceName") or "", {})
    check_iam_arns(user, session)
    name = given["instanceName"]
    present = site.store.instances.get(name)
    if present is not None and present.deregister_time is None:
        raise already_registered(name)
    arn: str = user or session or ""
    taken = IamUserArnAlreadyRegistered if user else IamSessionArnAlreadyRegistered
    _claim_arn(site, name, arn, taken)
    register(site, name, {}, iam_user_arn=user, iam_session_arn=session)
    try:
        _confirm_arn(site, name, arn, taken)
    except CallerError:
        _take_back(site, name, present, arn)
        raise


def register(
    site: Site,
    name: str,
    tags: Mapping[str, str],
    *,
    iam_user_arn: str | None = None,
    iam_session_arn: str | None = None,
) -> Instance:
    """Register a host whose form was checked; raises InstanceNameAlreadyRegistered."""
    made = Instance(
        instance_id=name,
        kind=TargetKind.ON_PREMISES,
        arn=instance_arn(site.region, site.account_id, name, site.new_suffix()),
        tags=tags,
        register_time=site.now(),
        iam_user_arn=iam_user_arn,
        iam_session_arn=iam_session_arn,
    )

    def again(present: Instance) -> Instance:
        if present.deregister_time is None:
            raise already_registered(name)
        return made

    if not site.store.instances.add(name, made) and site.store.instances.change(name, again) is None:
        raise already_registered(name)
    return made


def already_registered(name: str) -> InstanceNameAlreadyRegistered:
    """The refusal of a name that a registered instance has."""
    return InstanceNameAlreadyRegistered(f"An on-premises instance {name} is registered already.")


def _claim_arn(site: Site, name: str, arn: str, taken: type[CallerError]) -> None:
    """Note who was registered with an ARN last. What is noted counts only while that instance is registered with it."""

    def claim(holder: ArnHolder) -> ArnHolder:
        other = site.store.instances.get(holder.instance_name)
        if other is not None and other.deregister_time is None and arn in {other.iam_user_arn, other.iam_session_arn}:
            raise taken(f"The instance {other.instance_id} is registered with {arn} already.")
        return ArnHolder(instance_name=name)

    if not site.store.iam_arns.add(arn, ArnHolder(instance_name=name)):
        site.store.iam_arns.change(arn, claim)


def _confirm_arn(site: Site, name: str, arn: str, taken: type[CallerError]) -> None:
    """Of several that claimed an ARN before any was registered, the last may stay. Writing the note anew makes a claim
    that was judged on the old one be judged again, and that one finds the instance registered."""

    def confirm(holder: ArnHolder) -> ArnHolder:
        if holder.instance_name != name:
            raise taken(f"The instance {holder.instance_name} is being registered with {arn} at this moment.")
        return holder

    site.store.iam_arns.change(arn, confirm)


def _take_back(site: Site, name: str, before: Instance | None, arn: str) -> None:
    """Undo a registration: the record is again what it was, or that of one which left at once."""
    now = site.now()

    def undo(present: Instance) -> Instance:
        if arn not in {present.iam_user_arn, present.iam_session_arn}:
            return present
        return before or present.model_copy(update={"deregister_time": now})

    site.store.instances.change(name, undo)


def deregister_on_premises_instance(site: Site, given: Given) -> None:
    """Take a host out of all later deployments. Unknown names are no error; the record stays, to be looked at."""
    now = site.now()
    check_instance(given["instanceName"], {})
    site.store.instances.change(
        given["instanceName"],
        lambda present: present.model_copy(update={"deregister_time": present.deregister_time or now}),
    )


def get_on_premises_instance(site: Site, given: Given) -> Answer:
    """One instance, registered or deregistered."""
    check_instance(given["instanceName"], {})
    found = site.store.instances.get(given["instanceName"])
    if found is None:
        raise _not_registered([given["instanceName"]])
    return {"instanceInfo": instance_info(found)}


def batch_get_on_premises_instances(site: Site, given: Given) -> Answer:
    """Instances in the order of their names; those that are not there are left out."""
    names = _names(given, BatchLimitExceeded)
    return {"instanceInfos": [instance_info(found) for found in site.store.instances.many(names) if found]}


def _names(given: Given, too_many: type[CallerError]) -> Sequence[str]:
    names: Sequence[str] = given.get("instanceNames") or ()
    if not names:
        raise InstanceNameRequired
    if len(names) > MOST_AT_ONCE:
        raise too_many(f"At most {MOST_AT_ONCE} instances may be named at once.")
    for name in names:
        check_instance(name, {})
    return names


def _not_registered(names: Sequence[str]) -> InstanceNotRegistered:
    return InstanceNotRegistered(f"No on-premises instance is registered as {', '.join(names)}.")


def list_on_premises_instances(site: Site, given: Given) -> Answer:
    """The names of instances, registered and deregistered ones unless asked for one kind, that match any of the tag
    filters."""
    wanted = {"Registered": False, "Deregistered": True}.get(given.get("registrationStatus") or "")
    try:
        filters = filters_from(given.get("tagFilters"))
        check_filters(filters, (), InvalidTag)
    except (InvalidTag, ValidationError) as error:
        raise InvalidTagFilter(str(error) if isinstance(error, InvalidTag) else None) from None
    after = unseal(site.token_key, "ListOnPremisesInstances", given) or ""
    page: list[str] = []
    while len(page) < PAGE:
        names = site.store.instances.names(after=after, limit=finding.MANY)
        for name, found in zip(names, site.store.instances.many(names), strict=True):
            after = name
            if found and _fits(found, wanted, filters):
                page.append(name)
                if len(page) == PAGE:
                    break
        if len(names) < finding.MANY:
            break
    more = bool(site.store.instances.names(after=after, limit=1)) if len(page) == PAGE else False
    token = seal(site.token_key, "ListOnPremisesInstances", given, after) if more else None
    return {"instanceNames": page, "nextToken": token}


def _fits(instance: Instance, wanted: bool | None, filters: Any) -> bool:
    gone = instance.deregister_time is not None
    return (wanted is None or gone is wanted) and (not filters or matches(instance.tags, [filters]))


def add_tags_to_on_premises_instances(site: Site, given: Given) -> None:
    """Add tags, in the place of those with the same keys. Nothing is changed unless all of it can be."""
    tags = _tags(given)
    _tag(site, given, lambda present: {**present, **tags})


def remove_tags_from_on_premises_instances(site: Site, given: Given) -> None:
    """Remove tags of the same key and value; tags that are not there are no error."""
    tags = _tags(given)
    _tag(site, given, lambda present: {key: value for key, value in present.items() if tags.get(key) != value})


def _tags(given: Given) -> dict[str, str]:
    tags = {}
    for item in some(given.get("tags")):
        if item.get("Key") is None or item.get("Value") is None:
            raise InvalidTag("A tag of an on-premises instance needs a key and a value.")
        tags[item["Key"]] = item["Value"]
    check_tags(tags)
    return tags


def _tag(site: Site, given: Given, edit: Callable[[Mapping[str, str]], Mapping[str, str]]) -> None:
    names = _names(given, InstanceLimitExceeded)
    found = site.store.instances.many(names)
    missing = [
        name
        for name, instance in zip(names, found, strict=True)
        if instance is None or instance.deregister_time is not None
    ]
    if missing:
        raise _not_registered(missing)
    for instance in found:
        check_tags(edit(instance.tags if instance else {}))

    def tagged(present: Instance) -> Instance:
        tags = edit(present.tags)
        check_tags(tags)
        return present.model_copy(update={"tags": tags})

    for name in names:
        site.store.instances.change(name, tagged)
