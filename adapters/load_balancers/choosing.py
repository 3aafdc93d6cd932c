"""Which balancers stand in front of a group: its names lead to those of the settings, and to AWS's otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from domain.errors import BalancerMissing
from domain.group_options import LoadBalancerInfo
from domain.ports import LoadBalancer


class Checked(LoadBalancer, Protocol):
    """A balancer that can be looked at without moving a host."""

    def check(self) -> None:
        """Raises BalancerMissing or another CannotBegin where it is not there, WorldError where it does not answer."""


Make = Callable[[str], Checked]


class ChosenLoadBalancers:
    """`local`: balancers of the settings by name. `classic` and `target_group` make AWS's; None with AWS off."""

    def __init__(
        self, local: Mapping[str, Checked], *, classic: Make | None = None, target_group: Make | None = None
    ) -> None:
        self._local, self._classic, self._target_group = dict(local), classic, target_group

    def of(self, info: LoadBalancerInfo) -> Mapping[str, LoadBalancer]:
        """All that are named. A name of the settings means the same in both lists of a group."""
        return dict(self._chosen(info))

    def check(self, info: LoadBalancerInfo) -> None:
        """Look at each."""
        for _, balancer in self._chosen(info):
            balancer.check()

    def _chosen(self, info: LoadBalancerInfo) -> Iterator[tuple[str, Checked]]:
        for kind, named, make in (
            ("load balancer", info.elb_info_list, self._classic),
            ("target group", info.target_group_info_list, self._target_group),
        ):
            for each in named or ():
                name = each.name or ""
                if local := self._local.get(name):
                    yield name, local
                elif make and name:
                    yield f"{kind} {name}", make(name)
                else:
                    raise BalancerMissing(
                        f"Nothing says which {kind} {name!r} is: give the name an entry in the setting load_balancers, "
                        "or turn AWS on with SLIPWAY_AWS__ENABLED=true."
                    )
