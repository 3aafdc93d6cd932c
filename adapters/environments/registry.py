"""The hosts of environments outside AWS, as on-premises instances of the store: who is green, and who is a member."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adapters.environments.answers import MadeHost, host_of
from adapters.fleet.registered import RegisteredFleet
from domain.fleet import Instance, TargetKind
from domain.ports import Shelf


class Taken(Exception):
    """Another host has the id."""


@dataclass(frozen=True, slots=True)
class Registry:
    """`arn_of` makes a new ARN of a name, `queue_of` is the queue of an agent."""

    instances: Shelf[Instance]
    arn_of: Callable[[str], str]
    queue_of: Callable[[str], str]
    now: Callable[[], float]

    def members(self, group: str) -> list[Instance]:
        """The registered hosts that are in the group."""
        everyone = RegisteredFleet(self.instances).everyone()
        return [host for host in everyone if group in host.auto_scaling_groups]

    def is_taken(self, name: str, group: str) -> bool:
        """Whether a registered host that is not in the group has the name."""
        present = self.instances.get(name)
        return present is not None and _belongs_elsewhere(present, group)

    def register(self, host: MadeHost, group: str) -> Instance:
        """Keep a host as a member of the group; harmless when repeated. Raises Taken."""
        made = Instance(
            instance_id=host.id,
            kind=TargetKind.ON_PREMISES,
            arn=self.arn_of(host.id),
            tags=host.all_tags,
            zone=host.zone,
            address=host_of(host.address),
            queue=self.queue_of(host.agent) if host.agent else None,
            auto_scaling_groups=(group,),
            register_time=self.now(),
        )

        def again(present: Instance) -> Instance:
            if _belongs_elsewhere(present, group):
                raise Taken(host.id)
            if present.deregister_time is not None:
                return made
            return made.model_copy(update={"arn": present.arn, "register_time": present.register_time})

        if self.instances.add(host.id, made):
            return made
        kept = self.instances.change(host.id, again)
        if kept is None:
            raise Taken(host.id)
        return kept

    def put(self, name: str, groups: tuple[str, ...]) -> None:
        """Make a host a member of these groups and no others."""
        self.instances.change(name, lambda host: host.model_copy(update={"auto_scaling_groups": groups}))

    def deregister(self, name: str) -> None:
        """Take a host out of all later deployments."""
        now = self.now()

        def gone(host: Instance) -> Instance:
            update = {"deregister_time": host.deregister_time or now, "auto_scaling_groups": ()}
            return host.model_copy(update=update)

        self.instances.change(name, gone)


def _belongs_elsewhere(present: Instance, group: str) -> bool:
    return present.deregister_time is None and group not in present.auto_scaling_groups
