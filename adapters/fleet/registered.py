"""On-premises instances as the store has them registered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from domain.fleet import Fate, Instance, Target, TargetKind
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

    def gone(self, targets: Sequence[Target]) -> Mapping[str, Fate]:
        """Those of its kind that are registered no more."""
        names = [target.target_id for target in targets if target.kind is TargetKind.ON_PREMISES]
        found: dict[str, Fate] = {}
        for at in range(0, len(names), PAGE):
            page = names[at : at + PAGE]
            for name, instance in zip(page, self._shelf.many(page), strict=True):
                if instance is None or instance.deregister_time is not None:
                    found[name] = Fate.DEREGISTERED
        return found
