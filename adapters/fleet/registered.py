"""On-premises instances as the store has them registered."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from domain.fleet import Instance, TargetKind
from domain.groups import DeploymentGroup
from domain.ports import Shelf

PAGE = 500


class RegisteredFleet:
    """Every registered on-premises instance that was not deregistered."""

    kinds = frozenset({TargetKind.ON_PREMISES})

    def __init__(self, shelf: Shelf[Instance], *, environments: Collection[str] = ()) -> None:
        self._shelf = shelf
        self.environments = frozenset(environments)
        """Names among a group's Auto Scaling groups whose members are registered."""

    def instances(self, group: DeploymentGroup) -> Sequence[Instance]:
        """All of them, in name order, if the group selects any."""
        filters = group.on_premises_instance_tag_filters or group.on_premises_tag_set
        member = not self.environments.isdisjoint(group.auto_scaling_groups)
        return self.everyone() if filters or member else ()

    def everyone(self) -> Sequence[Instance]:
        """All of them, in name order."""
        found: list[Instance] = []
        after = ""
        while names := self._shelf.names(after=after, limit=PAGE):
            found.extend(instance for instance in self._shelf.many(names) if instance and not instance.deregister_time)
            after = names[-1]
        return found
