"""Which hosts a deployment goes to, and in which order.

Source: AWS CodeDeploy user guide, "Tagging instances for deployment groups" and "Instance health".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from domain.deployments import Deployment
from domain.fleet import (
    ADDRESS_TAG,
    AGENT_TAG,
    ZONE_TAG,
    HostRecord,
    Instance,
    InstanceHealth,
    RevisionHealth,
    Target,
    TargetKind,
)
from domain.groups import DeploymentGroup, Selection, TagFilter, TagFilterType, TargetInstances
from domain.scaling import Transition
from workflows.names import host_queue


def choose(instances: Iterable[Instance], group: DeploymentGroup) -> list[Instance]:
    """The instances of the group, each once, by id: the union of its EC2 and on-premises selections and the members of
    its Auto Scaling groups."""
    chosen = {instance.instance_id: instance for instance in instances if _selected(instance, group)}
    return [chosen[name] for name in sorted(chosen)]


def only(instances: Iterable[Instance], group: DeploymentGroup, deployment: Deployment) -> list[Instance]:
    """The instances of the group that the deployment is for.

    Where it names some, those and no others, also while Auto Scaling launches or terminates them; else all but those
    that are being launched under a hook of the group, which get a deployment of their own.
    """
    if not deployment.only:
        return [instance for instance in choose(instances, group) if not _held(instance, group)]
    named = [instance for instance in instances if instance.instance_id in deployment.only]
    leaving = {instance.instance_id: instance for instance in named if _leaving(instance, group)}
    chosen = leaving | {instance.instance_id: instance for instance in choose(named, group)}
    return [chosen[name] for name in sorted(chosen)]


def _held(instance: Instance, group: DeploymentGroup) -> bool:
    hooked = {hook.auto_scaling_group for hook in group.hooks if hook.transition is Transition.LAUNCHING}
    return not hooked.isdisjoint(instance.launching)


def _leaving(instance: Instance, group: DeploymentGroup) -> bool:
    return not set(instance.leaving).isdisjoint(group.auto_scaling_groups)


def _selected(instance: Instance, group: DeploymentGroup) -> bool:
    if instance.deregister_time is not None:
        return False
    if not set(instance.auto_scaling_groups).isdisjoint(group.auto_scaling_groups):
        return True
    if instance.kind is TargetKind.EC2:
        return matches(instance.tags, filter_groups(group.ec2_tag_filters, group.ec2_tag_set))
    return matches(instance.tags, filter_groups(group.on_premises_instance_tag_filters, group.on_premises_tag_set))


def wants_ec2(group: DeploymentGroup, environments: Set[str]) -> bool:
    """Whether the group selects EC2 instances at all; the members of environments of the settings are none."""
    return bool(group.ec2_tag_filters or group.ec2_tag_set or set(group.auto_scaling_groups) - environments)


def filter_groups(
    one_group: Sequence[TagFilter], groups: Sequence[Sequence[TagFilter]]
) -> tuple[tuple[TagFilter, ...], ...]:
    """Both ways to write filters as one: groups of alternatives."""
    every = [tuple(one_group), *(tuple(group) for group in groups)]
    return tuple(group for group in every if group)


def matches(tags: Mapping[str, str], groups: Sequence[Sequence[TagFilter]]) -> bool:
    """Any filter of each group matches a tag; no groups match nothing."""
    return bool(groups) and all(any(_matches(tags, one) for one in group) for group in groups)


def _matches(tags: Mapping[str, str], condition: TagFilter) -> bool:
    match condition.type:
        case TagFilterType.KEY_ONLY:
            return condition.key in tags
        case TagFilterType.VALUE_ONLY:
            return any(_like(value, condition.value) for value in tags.values())
        case TagFilterType.KEY_AND_VALUE:
            return condition.key in tags and _like(tags[condition.key or ""], condition.value)


def _like(value: str, pattern: str | None) -> bool:
    """`*` stands for any run of characters; nothing else is special.

    Each part is looked for where the one before ended, so that no pattern takes more than one pass.
    """
    first, *rest = (pattern or "").split("*")
    if not rest:
        return value == first
    *middle, last = rest
    if not value.startswith(first):
        return False
    at = len(first)
    for part in middle:
        found = value.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(value) - len(last) >= at and value.endswith(last)


def revision_health(record: HostRecord, group: DeploymentGroup) -> RevisionHealth:
    """The host's revision against the group's.

    A host that failed while it had the group's revision lost it (Unknown) if that deployment succeeded as a whole, or
    once the group has gone on to another revision without it.
    """
    target, successful = group.target_revision, group.last_successful_deployment
    current = target is not None and record.revision == target.identity
    lost = record.lost_by is not None and not (
        current and (successful is None or record.lost_by != successful.deployment_id)
    )
    if record.revision is None or lost:
        return RevisionHealth.UNKNOWN
    return RevisionHealth.CURRENT if current else RevisionHealth.OLD


_ORDER = {RevisionHealth.UNKNOWN: 1, RevisionHealth.OLD: 2, RevisionHealth.CURRENT: 3}


def in_pick_order(
    instances: Sequence[Instance], records: Sequence[HostRecord], group: DeploymentGroup, deployment: Deployment
) -> list[Target]:
    """The targets in the order in which they are taken: Unhealthy, then by revision Unknown, Old, Current, ties by id.

    With updateOutdatedInstancesOnly, hosts that run the deployment's revision already are left out; an Unhealthy host
    never is, for nobody knows what it runs. `records` are what the group remembers of the instances, in their order.
    """
    ranked = sorted(
        (
            (instance, record)
            for instance, record in zip(instances, records, strict=True)
            if not (deployment.update_outdated_instances_only and _up_to_date(record, deployment))
        ),
        key=lambda each: (_rank(each[1], group), each[0].instance_id),
    )
    return targets_of(instance for instance, _ in ranked)


def _rank(record: HostRecord, group: DeploymentGroup) -> int:
    return 0 if record.health is InstanceHealth.UNHEALTHY else _ORDER[revision_health(record, group)]


def _up_to_date(record: HostRecord, deployment: Deployment) -> bool:
    return record.health is InstanceHealth.HEALTHY and record.revision == deployment.revision.identity


def queue_of(instance: Instance) -> str:
    """The queue that the instance's agent consumes: an EC2 instance may name its agent by a tag."""
    linked = instance.tags.get(AGENT_TAG) if instance.kind is TargetKind.EC2 else None
    return instance.queue or host_queue(linked or instance.instance_id)


def targets_of(instances: Iterable[Instance]) -> list[Target]:
    """Instances as targets, in their order."""
    return [_target(instance) for instance in instances]


def _target(instance: Instance) -> Target:
    return Target(
        target_id=instance.instance_id,
        arn=instance.arn,
        queue=queue_of(instance),
        zone=instance.zone or instance.tags.get(ZONE_TAG) or None,
        address=instance.tags.get(ADDRESS_TAG) or instance.address,
    )


def in_both(serving: Iterable[Instance], green: Iterable[Instance]) -> list[str]:
    """Ids of the hosts that are in both environments, in order."""
    return sorted({host.instance_id for host in serving} & {host.instance_id for host in green})


def green_selection(wanted: TargetInstances) -> Selection:
    """The hosts of a green environment as a group selects them: tags mean EC2 and registered hosts alike."""
    return Selection(
        ec2_tag_filters=wanted.tag_filters,
        ec2_tag_set=wanted.ec2_tag_set,
        on_premises_instance_tag_filters=wanted.tag_filters,
        on_premises_tag_set=wanted.ec2_tag_set,
        auto_scaling_groups=wanted.auto_scaling_groups,
    )


def selection_of(group: DeploymentGroup) -> Selection:
    """How the group selects its hosts now."""
    return Selection.model_validate({name: getattr(group, name) for name in Selection.model_fields})


def selecting(group: DeploymentGroup, selection: Selection) -> DeploymentGroup:
    """The group with another selection of hosts."""
    given = {name: getattr(selection, name) for name in Selection.model_fields}
    return group.model_copy(update={name: value for name, value in given.items() if value is not None})


def unless_changed(group: DeploymentGroup, selection: Selection, *, since: Selection | None) -> Selection:
    """What of a selection is the group's own to give up: without the members that it has otherwise by now than it had
    them then."""
    if since is None:
        return selection
    changed = {name: None for name in Selection.model_fields if getattr(group, name) != getattr(since, name)}
    return selection.model_copy(update=changed)


def taken_over(selection: Selection, green: Iterable[Instance]) -> Selection:
    """A selection without the kinds of hosts that it found none of."""
    kinds = {instance.kind for instance in green}
    update: dict[str, object] = {}
    if TargetKind.EC2 not in kinds:
        update |= {"ec2_tag_filters": (), "ec2_tag_set": ()}
    if TargetKind.ON_PREMISES not in kinds:
        update |= {"on_premises_instance_tag_filters": (), "on_premises_tag_set": ()}
    return selection.model_copy(update=update)
