"""Single instances: how each is terminated, and what stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.environments.instances import SingleInstances
from domain.errors import CannotBegin, WorldError
from tests.aws import FakeAws, fake_aws
from tests.environment_sites import Tap, a_retirement, an_order, running, tapped


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeAws]:
    with fake_aws() as found:
        yield found


@pytest.fixture
def tap(fake: FakeAws) -> Tap:
    return tapped(fake)


def retire(tap: Tap, hosts: list[str], *, terminate: bool = True) -> bool:
    return SingleInstances(tap.aws).retire(a_retirement(an_order(""), hosts, terminate=terminate))


def test_members_of_a_group_are_ended_by_it_and_others_by_ec2(fake: FakeAws, tap: Tap) -> None:
    members = fake.auto_scaling_group("single", 3)
    others = fake.run(2)
    assert retire(tap, [members[0], *others])
    assert sorted(tap.names) == ["TerminateInstanceInAutoScalingGroup", "TerminateInstances"]
    assert not running(fake) & {members[0], *others}
    assert running(fake) >= set(members[1:])
    group = fake.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["single"])
    assert group["AutoScalingGroups"][0]["DesiredCapacity"] == 2
    tap.calls.clear()
    assert retire(tap, [members[0], *others])
    assert tap.names == []


def test_nothing_is_ended_that_is_to_be_kept(fake: FakeAws, tap: Tap) -> None:
    hosts = fake.run(1)
    assert retire(tap, hosts, terminate=False)
    assert running(fake) >= set(hosts)
    assert tap.names == []


def test_instances_that_are_long_gone_are_no_error(tap: Tap) -> None:
    assert retire(tap, ["i-0123456789abcdef0"])


def test_one_protected_instance_keeps_no_other(fake: FakeAws, tap: Tap) -> None:
    kept, *others = fake.run(3)
    fake.client("ec2").modify_instance_attribute(InstanceId=kept, DisableApiTermination={"Value": True})
    with pytest.raises(CannotBegin, match=rf"AWS does not terminate {kept} \(OperationNotPermitted"):
        retire(tap, [kept, *others])
    assert running(fake) & {kept, *others} == {kept}


def test_hosts_of_ones_own_are_named_once_the_others_are_gone(fake: FakeAws, tap: Tap) -> None:
    hosts = fake.run(1)
    with pytest.raises(CannotBegin, match="end them yourself: web-1, web-2"):
        retire(tap, [*hosts, "web-1", "web-2"])
    assert not running(fake) & set(hosts)


def test_many_are_ended_page_by_page(fake: FakeAws, tap: Tap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.environments.instances.PAGE", 2)
    hosts = fake.run(5)
    assert retire(tap, hosts)
    assert tap.names == ["TerminateInstances"] * 3
    assert not running(fake) & set(hosts)


def test_an_aws_that_is_away_is_the_worlds_fault(tap: Tap) -> None:
    def away(_name: str) -> None:
        raise WorldError

    tap.before = away
    (host,) = FakeAws(tap.aws.client("ec2").meta.endpoint_url).run(1)
    with pytest.raises(WorldError):
        retire(tap, [host])
