"""Several fleets as one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from domain.errors import CannotBegin, WorldError
from domain.fleet import Fate, Instance, Target, TargetKind
from domain.groups import DeploymentGroup
from domain.ports import Fleet

logger = logging.getLogger(__name__)


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

    def gone(self, targets: Sequence[Target]) -> Mapping[str, Fate]:
        """What each knows of its own; one that does not answer does not keep the others from it."""
        found: dict[str, Fate] = {}
        for fleet in self._fleets:
            try:
                found |= fleet.gone(targets)
            except (WorldError, CannotBegin) as error:
                logger.warning("whether hosts are no more cannot be told just now: %s", error.message)
        return found
