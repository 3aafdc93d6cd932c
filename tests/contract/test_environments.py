"""Environments: what whoever makes and retires hosts promises, the shipped double included."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from adapters.environments.memory import MemoryEnvironments
from domain.environments import GreenOrder, Provisioned
from domain.errors import CannotBegin, CannotProvision, WorldError
from domain.ports import Environments
from tests.aws import FakeAws, fake_aws
from tests.environment_sites import Site, a_host, a_retirement, an_order, in_memory, in_the_cloud, outside
from tests.services import wait_until

Opened = Callable[[Path], contextlib.AbstractContextManager[Site]]


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeAws]:
    with fake_aws() as found:
        yield found


@pytest.fixture(params=["memory", "auto_scaling", "command"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """An environment with two blue hosts."""
    kinds: Mapping[str, Callable[[], Opened]] = {
        "memory": lambda: in_memory,
        "auto_scaling": lambda: in_the_cloud(request.getfixturevalue("fake")),
        "command": lambda: outside,
    }
    with kinds[request.param]()(tmp_path) as found:
        yield found


def made(environments: Environments, order: GreenOrder) -> Provisioned:
    return wait_until(lambda: environments.named(order.source).provision(order), "an environment", limit=20)


def done(step: Callable[[], bool]) -> None:
    wait_until(step, "the end of it", limit=20)


def ids(green: Provisioned) -> set[str]:
    return {host.instance_id for host in green.hosts}


def test_green_is_as_large_as_blue_and_shares_no_host_with_it(site: Site) -> None:
    green = made(site.environments, an_order(site.source))
    assert len(ids(green)) == len(green.hosts) == 2
    assert not ids(green) & site.blue
    assert site.alive() == ids(green) | site.blue


def test_the_same_order_is_the_same_environment_whoever_asks(site: Site) -> None:
    order = an_order(site.source)
    green = made(site.environments, order)
    assert made(site.another, order) == green == made(site.environments, order)
    assert site.alive() == ids(green) | site.blue


def test_two_that_ask_at_once_get_the_same(site: Site) -> None:
    order = an_order(site.source)
    first, second = site.environments.named(site.source), site.another.named(site.source)
    found = wait_until(lambda: (first.provision(order), second.provision(order))[1], "an environment", limit=20)
    assert made(site.environments, order) == found
    assert site.alive() == ids(found) | site.blue


def test_another_deployment_gets_an_environment_of_its_own(site: Site) -> None:
    one = made(site.environments, an_order(site.source))
    other = made(site.environments, an_order(site.source))
    assert not ids(one) & ids(other)
    assert len(ids(other)) == 2


def test_blue_gives_way_and_is_terminated(site: Site) -> None:
    order = an_order(site.source)
    green = made(site.environments, order)
    retirement = a_retirement(order.model_copy(update={"green": green.name}), sorted(site.blue))
    done(lambda: site.environments.named(site.source).retire(retirement))
    assert site.alive() == ids(green)
    done(lambda: site.another.named(site.source).retire(retirement))
    assert site.alive() == ids(green)


def test_blue_gives_way_and_stays_where_it_is(site: Site) -> None:
    order = an_order(site.source)
    green = made(site.environments, order)
    named = order.model_copy(update={"green": green.name})
    done(lambda: site.environments.named(site.source).retire(a_retirement(named, sorted(site.blue), terminate=False)))
    assert site.alive() == ids(green) | site.blue


def test_what_took_blues_place_is_blue_for_the_next(site: Site) -> None:
    order = an_order(site.source)
    green = made(site.environments, order)
    named = order.model_copy(update={"green": green.name})
    done(lambda: site.environments.named(site.source).retire(a_retirement(named, sorted(site.blue))))
    following = made(site.environments, an_order(green.name))
    assert len(following.hosts) == 2
    assert not ids(following) & ids(green)


def test_what_is_abandoned_goes_and_blue_stays(site: Site) -> None:
    order = an_order(site.source)
    made(site.environments, order)
    done(lambda: site.environments.named(site.source).abandon(order))
    assert site.alive() == site.blue
    assert site.another.named(site.source).abandon(order)


def test_nothing_is_abandoned_before_it_was_asked_for(site: Site) -> None:
    order = an_order(site.source)
    done(lambda: site.environments.named(site.source).abandon(order))
    assert site.alive() == site.blue


def test_what_is_abandoned_while_it_is_made_goes_too(site: Site) -> None:
    order = an_order(site.source)
    site.environments.named(site.source).provision(order)
    done(lambda: site.another.named(site.source).abandon(order))
    wait_until(lambda: site.alive() == site.blue, "blue alone")


def test_a_name_that_nobody_has_is_refused(site: Site) -> None:
    with pytest.raises(CannotBegin, match="nowhere"):
        site.environments.named("nowhere").provision(an_order("nowhere"))


def test_nothing_can_be_made_of_no_name(site: Site) -> None:
    order = an_order("")
    with pytest.raises(CannotProvision):
        wait_until(lambda: site.environments.named("").provision(order), "an answer", limit=20)


def test_hosts_of_ones_own_are_not_terminated(site: Site) -> None:
    retirement = a_retirement(an_order(""), ["web-1"])
    with pytest.raises(CannotBegin, match="yourself"):
        done(lambda: site.environments.named("").retire(retirement))
    done(lambda: site.environments.named("").abandon(retirement.order))
    assert site.alive() == site.blue


def test_the_double_takes_as_many_steps_as_it_is_told() -> None:
    double = MemoryEnvironments({"blue": [a_host("web-1", "blue")]}, steps=2)
    order = an_order("blue")
    steps = [double.named("blue").provision(order) for _ in range(3)]
    assert [step is None for step in steps] == [True, True, False]
    retirement = a_retirement(order, ["web-1"])
    assert [double.named("blue").retire(retirement) for _ in range(3)] == [False, False, True]
    assert double.terminated == {"web-1"}


def test_the_double_fails_and_is_away_when_it_is_told() -> None:
    double = MemoryEnvironments({"blue": [a_host("web-1", "blue")]})
    order = an_order("blue")
    double.refusal = "There is no room."
    with pytest.raises(CannotProvision, match="There is no room"):
        double.named("blue").provision(order)
    double.away = True
    for call in (double.named("blue").provision, double.named("blue").abandon):
        with pytest.raises(WorldError):
            call(order)
    with pytest.raises(WorldError):
        double.named("blue").retire(a_retirement(order, ["web-1"]))
    double.away, double.refusal = False, ""
    assert double.named("blue").provision(order)
