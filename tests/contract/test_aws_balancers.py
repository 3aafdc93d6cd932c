"""What only balancers of AWS have: names that lead nowhere, hosts that are no instances, groups without a listener."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup

from adapters.load_balancers.classic import ClassicBalancer
from adapters.load_balancers.known_arns import SECONDS, KnownArns
from adapters.load_balancers.target_groups import SETTLES_SECONDS, TargetGroupBalancer
from domain.errors import BalancerMissing, BalancerRefuses, MissingRights, WorldError
from tests.aws import FakeAws, fake_aws
from tests.balancers import classic, make_group, target_group, target_of


@pytest.fixture(scope="module")
def account() -> Iterator[tuple[FakeAws, Sequence[str]]]:
    with fake_aws() as aws:
        yield aws, aws.run(3)


@pytest.mark.parametrize("make", [TargetGroupBalancer, ClassicBalancer])
def test_a_name_that_leads_nowhere(account: tuple[FakeAws, Sequence[str]], make: Callable[..., Any]) -> None:
    aws, (instance, *_) = account
    for name in ("nowhere", "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/b", "a b;\n"):
        with pytest.raises(BalancerMissing, match="There is no"):
            make(aws.access, name).check()
        with pytest.raises(BalancerRefuses, match="There is no"):
            make(aws.access, name).block(target_of(instance), waited=0)


@pytest.mark.parametrize("kind", [target_group, classic])
def test_a_host_that_is_no_instance_is_refused(
    account: tuple[FakeAws, Sequence[str]], monkeypatch: pytest.MonkeyPatch, kind: Callable[..., Any]
) -> None:
    with kind(*account, monkeypatch) as rig:
        for step in (rig.open().block, rig.open().allow):
            with pytest.raises(BalancerRefuses, match="is no EC2 instance"):
                step(target_of("web-1", "10.0.0.1:80"), waited=0)


def test_a_group_of_another_type_takes_no_instances(account: tuple[FakeAws, Sequence[str]]) -> None:
    aws, (instance, *_) = account
    name = f"ips-{uuid.uuid4().hex[:8]}"
    make_group(aws, name, "ip")
    with pytest.raises(BalancerMissing, match="takes ip targets"):
        TargetGroupBalancer(aws.access, name).check()
    with pytest.raises(BalancerRefuses, match="takes ip targets"):
        TargetGroupBalancer(aws.access, name).allow(target_of(instance), waited=0)


def test_a_group_that_no_listener_leads_to(
    account: tuple[FakeAws, Sequence[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto calls every registered target healthy; AWS says of such a group that its targets are not in use."""
    with target_group(*account, monkeypatch) as rig:
        truly = FakeTargetGroup.health_for

        def unused(group: FakeTargetGroup, target: dict[str, Any], ec2: Any) -> FakeHealthStatus:
            found = truly(group, target, ec2)
            if found.status == "healthy":
                found.status, found.reason = "unused", "Target.NotInUse"
            return found

        monkeypatch.setattr(FakeTargetGroup, "health_for", unused)
        balancer, host = rig.open(), rig.hosts[0]
        standing = balancer.allow(host, waited=0)
        assert not standing.done
        assert "Target.NotInUse" in standing.detail
        with pytest.raises(BalancerRefuses, match="no listener of a load balancer leads to the group"):
            balancer.allow(host, waited=SETTLES_SECONDS + 1)
        # It is registered, although `unused`: it has to leave nevertheless.
        assert balancer.block(host, waited=0).done
        assert rig.registered() == {rig.hosts[1].target_id}


def test_a_group_is_looked_up_once_in_a_while_and_again_after_an_error(account: tuple[FakeAws, Sequence[str]]) -> None:
    aws, (instance, *_) = account
    name, known, clock, ours = f"known-{uuid.uuid4().hex[:8]}", KnownArns(now=lambda: clock[0]), [0.0], aws.access
    made, client, host, asked = make_group(aws, name), ours.client("elbv2"), target_of(instance), list[str]()

    def ask(*, model: Any, **_: object) -> None:
        asked.append(model.name)

    def look_ups() -> int:
        count = asked.count("DescribeTargetGroups")
        asked.clear()
        return count

    client.meta.events.register("before-call.elastic-load-balancing-v2", ask)
    try:
        # A balancer is made for every look.
        TargetGroupBalancer(ours, name, known).check()
        for _ in range(3):
            TargetGroupBalancer(ours, name, known).allow(host, waited=0)
        assert look_ups() == 1
        clock[0] += SECONDS
        TargetGroupBalancer(ours, name, known).allow(host, waited=0)
        assert look_ups() == 1
        # Made anew under its name.
        aws.client("elbv2").delete_target_group(TargetGroupArn=made)
        make_group(aws, name)
        with pytest.raises(WorldError):
            TargetGroupBalancer(ours, name, known).allow(host, waited=0)
        assert TargetGroupBalancer(ours, name, known).allow(host, waited=0).done
        assert look_ups() == 1
    finally:
        client.meta.events.unregister("before-call.elastic-load-balancing-v2", ask)


def test_no_more_is_known_than_may_be() -> None:
    known = KnownArns(most=2)
    for name in ("a", "b", "a", "c"):
        known.keep(name, f"arn:{name}")
    assert [known.get(name) for name in ("a", "b", "c")] == ["arn:a", None, "arn:c"]


@pytest.mark.parametrize("kind", [target_group, classic])
def test_a_sick_host_leaves_for_good(
    account: tuple[FakeAws, Sequence[str]], monkeypatch: pytest.MonkeyPatch, kind: Callable[..., Any]
) -> None:
    with kind(*account, monkeypatch) as rig:
        rig.ail(rig.hosts[0])
        assert rig.open().block(rig.hosts[0], waited=0).done
        assert rig.hosts[0].target_id not in rig.registered()


@pytest.mark.parametrize("kind", [target_group, classic])
def test_missing_rights_fail_the_step(
    account: tuple[FakeAws, Sequence[str]], monkeypatch: pytest.MonkeyPatch, kind: Callable[..., Any]
) -> None:
    with kind(*account, monkeypatch) as rig:
        balancer = rig.open()

        def refused(*_: object) -> None:
            raise MissingRights("AWS refuses the call elasticloadbalancing:Anything")

        monkeypatch.setattr(balancer, "_move", refused)
        with pytest.raises(BalancerRefuses, match="AWS refuses the call"):
            balancer.block(rig.hosts[0], waited=0)
