"""Several fleets as one."""

from __future__ import annotations

from collections.abc import Sequence

from domain.fleet import Instance, TargetKind
from domain.groups import DeploymentGroup
from domain.ports import Fleet


class UnitedFleet:
    """What all of its fleets know; if one of them does not answer, nothing is known."""

    def __init__(self, *fleets: Fleet) -> None:
        self._fleets = fleets

    @property
    def kinds(self) -> frozenset[TargetKind]:
        """Where any of them looks."""
        return frozenset[TargetKind]().union(*(fleet.kinds for fleet in self._fleets))

    @property
    def environments(self) -> frozenset[str]:
        """The names that any of them takes for an environment."""
        return frozenset[str]().union(*(fleet.environments for fleet in self._fleets))

    def instances(self, group: DeploymentGroup) -> Sequence[Instance]:
        """The hosts of each."""
        return [instance for fleet in self._fleets for instance in fleet.instances(group)]
