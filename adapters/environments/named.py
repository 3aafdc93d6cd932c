"""Environments by name: those of the settings, Auto Scaling groups, and whoever terminates single hosts."""

from __future__ import annotations

from collections.abc import Mapping

from domain.errors import AutoScalingGroupMissing
from domain.ports import Environment


class NamedEnvironments:
    """`mapped` are those of the settings; with AWS off there is nobody for other names."""

    def __init__(self, mapped: Mapping[str, Environment], *, single: Environment, scaling: Environment | None) -> None:
        self._mapped = mapped
        self._single = single
        self._scaling = scaling

    def named(self, source: str) -> Environment:
        """Whoever makes and retires the hosts of that name; asks nobody. Raises AutoScalingGroupMissing."""
        if not source:
            return self._single
        if source in self._mapped:
            return self._mapped[source]
        if self._scaling is None:
            raise AutoScalingGroupMissing(
                f"{source} is no environment of the settings, and AWS is off (aws.enabled), so it cannot be an Auto "
                "Scaling group either. Give it an entry under environments, or turn AWS on."
            )
        return self._scaling
