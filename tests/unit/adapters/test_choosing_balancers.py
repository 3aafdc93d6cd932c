"""Which balancer a name leads to."""

from __future__ import annotations

import pytest

from adapters.load_balancers.choosing import ChosenLoadBalancers
from adapters.load_balancers.memory import MemoryLoadBalancer, MemoryLoadBalancers
from domain.errors import BalancerMissing
from domain.fleet import Target
from domain.group_options import LoadBalancerInfo, NamedBalancer
from domain.traffic import Standing


class Noted:
    """A balancer that says where it is, and what was looked at."""

    looked: list[str]

    def __init__(self, where: str) -> None:
        self.where, self.looked = where, []

    def block(self, target: Target, *, waited: float) -> Standing:  # noqa: ARG002
        return Standing(done=True, detail=self.where)

    def allow(self, target: Target, *, waited: float) -> Standing:  # noqa: ARG002
        return Standing(done=True, detail=self.where)

    def check(self) -> None:
        self.looked.append(self.where)
        if self.where.endswith("gone"):
            raise BalancerMissing(f"There is no {self.where}.")


def info(*, elbs: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> LoadBalancerInfo:
    return LoadBalancerInfo(
        elb_info_list=tuple(NamedBalancer(name=name) for name in elbs),
        target_group_info_list=tuple(NamedBalancer(name=name) for name in groups) or None,
    )


def with_aws(**local: Noted) -> ChosenLoadBalancers:
    return ChosenLoadBalancers(
        local, classic=lambda name: Noted(f"classic {name}"), target_group=lambda name: Noted(f"group {name}")
    )


def test_names_of_the_settings_win_in_both_lists_and_others_are_awss() -> None:
    chosen = with_aws(web=Noted("here"), site=Noted("there")).of(
        info(elbs=("web", "old"), groups=("site", "new", "old"))
    )
    host = Target(target_id="web-1", arn="", queue="")
    assert {name: balancer.block(host, waited=0).detail for name, balancer in chosen.items()} == {
        "web": "here",
        "load balancer old": "classic old",
        "site": "there",
        "target group new": "group new",
        "target group old": "group old",
    }
    assert not with_aws().of(LoadBalancerInfo())


@pytest.mark.parametrize("asked", [info(elbs=("web", "gone")), info(groups=("gone",)), info(elbs=("",))])
def test_without_aws_a_name_that_leads_nowhere_says_what_to_do(asked: LoadBalancerInfo) -> None:
    chosen = ChosenLoadBalancers({"web": Noted("here")})
    for look in (chosen.of, chosen.check):
        with pytest.raises(BalancerMissing, match="load_balancers, or turn AWS on with SLIPWAY_AWS__ENABLED"):
            look(asked)


def test_only_a_check_looks_and_it_looks_at_each() -> None:
    here = Noted("here")
    chosen = with_aws(web=here)
    chosen.of(info(elbs=("web", "gone")))
    assert not here.looked
    with pytest.raises(BalancerMissing, match="There is no classic gone"):
        chosen.check(info(elbs=("web", "gone")))
    assert here.looked == ["here"]


def test_those_in_memory_are_found_by_name() -> None:
    balancer = MemoryLoadBalancer("web-1")
    balancers = MemoryLoadBalancers({"web": balancer})
    assert balancers.of(info(elbs=("web",))) == balancers.of(info(groups=("web",))) == {"web": balancer}
    for look in (balancers.of, balancers.check):
        with pytest.raises(BalancerMissing, match="no load balancer site"):
            look(info(groups=("web", "site")))
