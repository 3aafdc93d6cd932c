"""What every load balancer promises: no request in flight is cut, none reaches a host that is out, none reaches one
that is not found healthy yet, and whatever is asked may be asked again, by anyone, at any moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest

from domain.errors import BalancerRefuses, WorldError
from domain.fleet import Target
from domain.ports import LoadBalancer
from domain.traffic import Standing
from tests.aws import FakeAws, fake_aws
from tests.balancers import (
    DRAIN_SECONDS,
    InMemory,
    Proxied,
    Rig,
    classic,
    get,
    haproxy,
    nginx,
    target_group,
    target_of,
    webhook,
)
from tests.services import wait_until

REAL = {"haproxy": haproxy, "nginx": nginx}
AWS = {"target group": target_group, "classic": classic}
Step = Callable[..., Standing]
LATER = DRAIN_SECONDS + 1

ODD_NAMES = (
    *("web-1; disable server web/web-2", "web-1\nshutdown sessions server web/web-2", "web/web-2", "", "a b", "*"),
    *("web-2; }", "{id}", "web-1\x00", "wéb-1", "../../web-1", "$(reboot)", "x" * 3000),
)
ODD_ADDRESSES = (
    *("127.0.0.1:80; } include /etc/passwd", "127.0.0.1", "a b:80", "127.0.0.1:80\nx", ":80", "127.0.0.1:0", "[::1]"),
    *("127.0.0.1:99999", "127.0.0.1:80#", "${host}:80", "unix:/tmp/x", "http://127.0.0.1:80", "127.0.0.1:８０"),
    *("[::1:80", "::1:80:", "-a:80", "127.0.0.1:+80"),
)


@pytest.fixture(scope="module")
def aws() -> Iterator[tuple[FakeAws, Sequence[str]]]:
    """An account with three instances for all tests; each makes balancers of its own."""
    with fake_aws() as account:
        yield account, account.run(3)


@pytest.fixture(params=["memory", "webhook", *REAL, *AWS])
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """Each balancer with two hosts in service."""
    if request.param in REAL:
        with REAL[request.param](tmp_path) as real:
            yield real
    elif request.param in AWS:
        account, ids = request.getfixturevalue("aws")
        with AWS[request.param](account, ids, monkeypatch) as simulated:
            yield simulated
    elif request.param == "webhook":
        with webhook() as remote:
            yield remote
    else:
        yield InMemory()


@pytest.fixture(params=REAL)
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Proxied]:
    """Those that real requests pass through."""
    with REAL[request.param](tmp_path) as rig:
        yield rig


def take_out(balancer: LoadBalancer, host: Target, *, waited: float = 0.0) -> None:
    wait_until(lambda: balancer.block(host, waited=waited).done, f"{host.target_id} out of traffic", limit=20)


def bring_back(balancer: LoadBalancer, host: Target) -> None:
    wait_until(lambda: balancer.allow(host, waited=0).done, f"{host.target_id} in traffic", limit=20)


def both(rig: Rig) -> set[str]:
    return {host.target_id for host in rig.hosts}


def test_a_host_leaves_once_and_comes_back(rig: Rig) -> None:
    balancer, (first, second) = rig.open(), rig.hosts
    for _ in range(2):
        take_out(balancer, first)
        assert rig.asked() == {second.target_id}
        bring_back(balancer, first)
        assert rig.asked() == both(rig)


def test_a_request_in_flight_is_waited_for_and_not_cut(rig: Rig) -> None:
    balancer, (first, second) = rig.open(), rig.hosts
    end = rig.begin(first)
    leaving = [balancer.block(first, waited=0) for _ in range(3)]
    wait_until(lambda: rig.asked() == {second.target_id}, "no new request to the host")
    leaving += [balancer.block(first, waited=DRAIN_SECONDS - 1) for _ in range(3)]
    assert not any(standing.done for standing in leaving)
    assert leaving[-1].detail
    assert end()
    take_out(balancer, first)
    assert rig.asked() == {second.target_id}


def test_a_host_that_leaves_may_turn_back(rig: Rig) -> None:
    balancer, (first, _) = rig.open(), rig.hosts
    end = rig.begin(first)
    assert not balancer.block(first, waited=0).done
    bring_back(balancer, first)
    assert rig.asked() == both(rig)
    assert end()


def test_an_unhealthy_host_gets_nothing(rig: Rig) -> None:
    balancer, (first, second) = rig.open(), rig.hosts
    take_out(balancer, first)
    rig.ail(first)
    before = rig.looks(first)
    while rig.looks(first) < before + 5:
        assert not balancer.allow(first, waited=0).done
        assert rig.asked() == {second.target_id}
    assert balancer.allow(first, waited=0).detail
    rig.heal(first)
    bring_back(balancer, first)
    assert rig.asked() == both(rig)


def test_what_is_done_stays_done(rig: Rig) -> None:
    balancer, (first, second) = rig.open(), rig.hosts
    bring_back(balancer, first)
    assert rig.asked() == both(rig)
    take_out(balancer, first)
    assert all(rig.open().block(first, waited=waited).done for waited in (0, LATER, 0))
    assert rig.asked() == {second.target_id}
    bring_back(balancer, first)
    assert all(rig.open().allow(first, waited=waited).done for waited in (0, LATER, 0))
    assert rig.asked() == both(rig)


def test_draining_has_a_limit(rig: Rig) -> None:
    balancer, (first, second) = rig.open(), rig.hosts
    end = rig.begin(first)
    assert not balancer.block(first, waited=0).done
    if rig.limits_draining:
        take_out(balancer, first, waited=LATER)
        assert rig.asked() == {second.target_id}
    else:
        assert not balancer.block(first, waited=LATER).done
    end()


def test_all_hosts_may_leave(rig: Rig) -> None:
    balancer = rig.open()
    for host in rig.hosts:
        take_out(balancer, host)
    bring_back(balancer, rig.hosts[1])
    assert rig.asked() == {rig.hosts[1].target_id}


def test_an_unknown_host_is_out_already_and_can_join(rig: Rig) -> None:
    balancer = rig.open()
    take_out(balancer, rig.stranger)
    assert rig.asked() == both(rig)
    bring_back(balancer, rig.stranger)
    assert rig.asked() == both(rig) | {rig.stranger.target_id}
    take_out(balancer, rig.stranger)
    assert rig.asked() == both(rig)


def test_a_balancer_that_is_away_may_come_back(rig: Rig) -> None:
    rig.go_away()
    for step in (rig.open().block, rig.open().allow):
        with pytest.raises(WorldError):
            step(rig.hosts[0], waited=0)


def test_several_processes_at_once(rig: Rig) -> None:
    problems: list[Exception] = []

    def together(step: Callable[[LoadBalancer, Target], None]) -> None:
        def work(host: Target) -> None:
            try:
                step(rig.open(), host)
            except Exception as error:
                problems.append(error)

        threads = [threading.Thread(target=work, args=(host,)) for host in (*rig.hosts, *rig.hosts)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    together(take_out)
    together(bring_back)
    assert not problems
    assert rig.asked() == both(rig)


def test_a_name_is_never_more_than_a_name(rig: Rig) -> None:
    balancer = rig.open()
    for name in ODD_NAMES:
        if rig.takes_odd_names:
            assert balancer.block(target_of(name), waited=0).done
            continue
        # Out of service as any unknown host, or refused; never in service.
        blocked = answer_of(balancer.block, target_of(name, "127.0.0.1:1"))
        allowed = answer_of(balancer.allow, target_of(name, "127.0.0.1:1"))
        assert isinstance(blocked, BalancerRefuses) or blocked.done
        assert isinstance(allowed, BalancerRefuses), name
        assert len(allowed.message) < 600
    assert rig.asked() == both(rig)


def test_an_address_is_never_more_than_an_address(real: Proxied) -> None:
    balancer = real.open()
    for address in ODD_ADDRESSES:
        with pytest.raises(BalancerRefuses):
            balancer.allow(target_of("web-7", address), waited=0)
    assert real.asked() == both(real)


def test_a_host_that_joined_may_leave_for_good_and_another_get_its_address(real: Proxied) -> None:
    balancer, application = real.open(), real.stranger.target_id
    for name in ("web-9", "web-9", "vm-1", "vm-2"):
        host = target_of(name, real.stranger.address)
        bring_back(balancer, host)
        assert real.asked() == both(real) | {application}
        take_out(balancer, host)
        assert real.asked() == both(real)


def test_a_host_that_joined_is_moved_by_several_processes_at_once(real: Proxied) -> None:
    for step in (bring_back, take_out) * 2:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: step(real.open(), real.stranger), range(4)))  # noqa: B023
        assert real.asked() == both(real) | ({real.stranger.target_id} if step is bring_back else set())


def test_a_host_is_never_taken_for_what_listens_at_its_former_address(real: Proxied) -> None:
    first = real.hosts[0]
    for step in (real.open().block, real.open().allow):
        with pytest.raises(BalancerRefuses, match=r"but the host is at 127\.0\.0\.1:9: correct the server's line"):
            step(target_of(first.target_id, "127.0.0.1:9"), waited=0)
    assert real.asked() == both(real)
    bring_back(real.open(), real.stranger)
    assert not real.open().allow(target_of(real.stranger.target_id, "127.0.0.1:9"), waited=0).done


def answer_of(step: Step, host: Target) -> Standing | BalancerRefuses:
    try:
        return step(host, waited=0)
    except BalancerRefuses as error:
        return error


def test_no_request_is_lost_while_hosts_leave_and_return(real: Proxied) -> None:
    stop, problems, out = threading.Event(), list[str](), set[str]()

    def ask() -> None:
        while not stop.is_set():
            banned = frozenset(out)
            try:
                if (answered := get(real.port, "/")) in banned & out:
                    problems.append(f"{answered} was asked while it was out")
            except (OSError, HTTPException, AssertionError) as error:
                problems.append(repr(error))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        balancer = real.open()
        for host in real.hosts * 2:
            take_out(balancer, host)
            out.add(host.target_id)
            real.asked()
            out.clear()
            bring_back(balancer, host)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not problems
