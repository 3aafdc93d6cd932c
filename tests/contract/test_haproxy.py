"""What only HAProxy has: sticky clients, servers that nobody looks at, levels of its socket, answers of strangers."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from adapters.load_balancers import haproxy as module
from adapters.load_balancers.haproxy import HaproxyBalancer
from domain.errors import BalancerMissing, BalancerRefuses, WorldError
from domain.fleet import Target
from domain.ports import LoadBalancer
from domain.traffic import Standing
from tests.balancers import DOCUMENT, DRAIN_SECONDS, PATH, Backend, Proxied, get, haproxy, target_of
from tests.services import require, wait_until


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Proxied]:
    with haproxy(tmp_path) as running:
        yield running


def balancer_at(address: str, backend: str = "web", **settings: object) -> HaproxyBalancer:
    return HaproxyBalancer(address=address, backend=backend, **settings)  # type: ignore[arg-type]


def test_sticky_clients_go_elsewhere_too(rig: Proxied) -> None:
    balancer, (first, second) = rig.open(), rig.hosts
    assert {get(rig.port, "/", cookie="host=web-1") for _ in range(4)} == {"web-1"}
    wait_until(lambda: balancer.block(first, waited=0).done, "out of traffic")
    assert {get(rig.port, "/", cookie="host=web-1") for _ in range(4)} == {"web-2"}
    rig.ail(first)
    before = rig.looks(first)
    while rig.looks(first) < before + 3:
        assert not balancer.allow(first, waited=0).done
        assert get(rig.port, "/", cookie="host=web-1") == second.target_id


def test_it_speaks_tcp_and_may_call_hosts_otherwise(rig: Proxied) -> None:
    balancer = balancer_at(rig.control, server="web-{id}", servers={"odd": "web-2"})
    wait_until(lambda: balancer.block(target_of("1"), waited=0).done, "out of traffic")
    assert rig.asked() == {"web-2"}
    wait_until(lambda: balancer.block(target_of("odd"), waited=0).done, "out of traffic")
    wait_until(lambda: balancer.allow(target_of("1"), waited=0).done, "in traffic")
    assert rig.asked() == {"web-1"}


def test_a_host_that_is_there_under_another_name_is_not_taken_for_unknown(rig: Proxied) -> None:
    for address in (rig.hosts[1].address, "127.0.0.1"):
        for step in (rig.open().block, rig.open().allow):
            with pytest.raises(BalancerRefuses, match=r"as web-[12], not as www-2: map the host"):
                step(target_of("www-2", address), waited=0)


def out(balancer: LoadBalancer, host: Target) -> Standing:
    wait_until(lambda: balancer.block(host, waited=0).done, f"{host.target_id} out of traffic")
    return balancer.block(host, waited=0)


def into(balancer: LoadBalancer, host: Target) -> None:
    wait_until(lambda: balancer.allow(host, waited=0).done, f"{host.target_id} in traffic")


def listed(rig: Proxied) -> dict[str, str]:
    """The addresses of the servers."""
    states = module._exchange(rig.control, "show servers state web").splitlines()[2:]
    return {row[3]: f"{row[4]}:{row[18]}" for row in map(str.split, states)}


def test_while_it_drains_a_client_that_is_bound_to_it_is_still_served(rig: Proxied) -> None:
    """Going to `maint` at once would send clients elsewhere whose sessions are there."""
    balancer, first = rig.open(), rig.hosts[0]
    end = rig.begin(first)
    for _ in range(3):
        assert balancer.block(first, waited=0).detail == "draining, 1 requests left"
        assert get(rig.port, "/", cookie="host=web-1") == "web-1"
    assert end()
    assert out(balancer, first).detail == "in maintenance"
    assert get(rig.port, "/", cookie="host=web-1") == "web-2"


def test_a_server_that_slipway_added_goes_when_its_host_leaves_and_others_stay(rig: Proxied) -> None:
    balancer = rig.open()
    configured = listed(rig)
    for _ in range(2):
        into(balancer, rig.stranger)
        assert listed(rig) == {**configured, "web-9": rig.stranger.address}
        assert rig.asked() == {"web-1", "web-2", "web-9"}
        for host in (rig.stranger, *rig.hosts):
            out(balancer, host)
        assert listed(rig) == configured
        for host in rig.hosts:
            into(balancer, host)


def test_what_could_not_be_added_again_and_what_is_given_up_on_stays(rig: Proxied) -> None:
    balancer = rig.open()
    into(balancer, rig.stranger)
    for address in (None, "localhost:80", "127.0.0.1"):
        out(balancer, target_of("web-9", address))
        assert "web-9" in listed(rig)
        into(balancer, target_of("web-9", address))
    end = rig.begin(rig.stranger)
    wait_until(lambda: balancer.block(rig.stranger, waited=DRAIN_SECONDS).done, "given up")
    assert balancer.block(rig.stranger, waited=DRAIN_SECONDS).detail == "in maintenance, gave up on 1"
    with pytest.raises(WorldError, match="web-9 of web has 1 requests left at"):
        balancer.allow(target_of("web-10", rig.stranger.address), waited=0)
    assert end()
    wait_until(lambda: balancer.block(rig.stranger, waited=0).detail == "removed", "the end of the request")


def test_who_is_removed_meanwhile_is_out(rig: Proxied, monkeypatch: pytest.MonkeyPatch) -> None:
    balancer = rig.open()
    into(balancer, rig.stranger)
    truly = module._exchange

    def another_was_quicker(address: str, command: str) -> str:
        if "state maint" in command:
            truly(address, command)
            assert truly(address, "del server web/web-9") == "Server deleted."
        return truly(address, command)

    monkeypatch.setattr(module, "_exchange", another_was_quicker)
    assert balancer.block(rig.stranger, waited=0).done
    assert "web-9" not in listed(rig)


def test_a_new_host_may_have_the_address_of_one_that_is_gone(rig: Proxied) -> None:
    """Pools give the addresses of retired machines to new ones."""
    balancer, (first, _) = rig.open(), rig.hosts
    for number in range(3):
        into(balancer, target_of(f"vm-{number}", rig.stranger.address))
        # As it was left before its end, by a crash or for an idle connection.
        module._exchange(rig.control, f"set server web/vm-{number} state maint")
        assert balancer.block(target_of("vm-9", rig.stranger.address), waited=0).done
        assert {name for name in listed(rig) if name.startswith("vm-")} == {f"vm-{number}"}
    out(balancer, first)
    into(balancer, target_of("vm-3", first.address))
    assert "web-1" in listed(rig)
    assert rig.asked() == {"web-1", "web-2"}
    with pytest.raises(BalancerRefuses, match=r"as vm-3, not as vm-4.*or put that server into maintenance"):
        balancer.allow(target_of("vm-4", first.address), waited=0)


def test_a_host_at_another_address_than_its_configured_server_is_refused_untouched(rig: Proxied) -> None:
    balancer, configured = rig.open(), listed(rig)
    for address, word in (("127.0.0.1:9", "127.0.0.1:9"), ("127.0.0.2", "127.0.0.2"), ("[::1]:80", r"\[::1\]:80")):
        for step in (balancer.block, balancer.allow):
            with pytest.raises(
                BalancerRefuses, match=rf"has web-1 at 127\.0\.0\.1:\d+, but the host is at {word}: correct"
            ):
                step(target_of("web-1", address), waited=0)
    assert listed(rig) == configured
    assert rig.asked() == {"web-1", "web-2"}


def test_the_same_place_may_be_written_otherwise(rig: Proxied) -> None:
    one, two = (rig.backends[name].port for name in ("web-1", "web-2"))
    told = {
        ("web", "web-1"): (f"localhost:{one}", "127.0.0.1", f"[::ffff:127.0.0.1]:{one}", None),
        # In the configuration this is `localhost`: a name may have any address, behind a translation too,
        ("named", "byname"): (f"127.0.0.1:{two}", "127.0.0.2", f"[::1]:{two}", "another.name"),
        # and this has no port, but that of the client's connection.
        ("named", "noport"): (f"127.0.0.1:{two}", "127.0.0.1", "another.name:80"),
    }
    for (backend, name), addresses in told.items():
        balancer = balancer_at(rig.control, backend, default_port=9)
        for address in addresses:
            out(balancer, target_of(name, address))
            into(balancer, target_of(name, address))
    with pytest.raises(BalancerRefuses, match="has byname at"):
        balancer_at(rig.control, "named").block(target_of("byname", "127.0.0.1:9"), waited=0)


def test_a_server_that_slipway_added_follows_its_host_and_is_found_healthy_there(rig: Proxied) -> None:
    balancer, other = rig.open(), Backend("web-9b")
    moved = target_of("web-9", f"127.0.0.1:{other.port}")
    with closing(other):
        into(balancer, rig.stranger)
        other.well = False
        while other.looks < 5:
            assert not balancer.allow(moved, waited=0).done
            assert rig.asked() == {"web-1", "web-2"}
        other.well = True
        into(balancer, moved)
        assert rig.asked() == {"web-1", "web-2", "web-9b"}
        assert listed(rig)["web-9"] == moved.address
        with pytest.raises(BalancerRefuses, match="as web-1, not as web-9"):
            balancer.allow(target_of("web-9", rig.hosts[0].address), waited=0)


def test_numbers_that_are_taken_are_passed_over() -> None:
    first = module._free_number("web-9", ())
    assert first in module.OURS
    assert module._free_number("web-9", {first}) == first + 1
    assert module._free_number("web-9", set(module.OURS) - {module.OURS[0]}) == module.OURS[0]


@pytest.mark.parametrize(("name", "why"), [("blind", "has no health check"), ("follows", "tracks web/web-1")])
def test_a_server_that_nobody_looks_at_is_refused_before_anything_is_touched(rig: Proxied, name: str, why: str) -> None:
    for step in ("block", "allow"):
        with pytest.raises(BalancerRefuses, match=why):
            getattr(balancer_at(rig.control, "odd"), step)(target_of(name), waited=0)


def test_what_is_missing_says_how_to_mend_it(rig: Proxied) -> None:
    with pytest.raises(BalancerMissing, match="has no backend nowhere"):
        balancer_at(rig.control, "nowhere").check()
    with pytest.raises(BalancerRefuses, match="has no backend nowhere"):
        balancer_at(rig.control, "nowhere").block(rig.hosts[0], waited=0)
    with pytest.raises(BalancerRefuses, match="declare it with `server web-8 HOST:PORT check`"):
        rig.open().allow(target_of("web-8"), waited=0)
    with pytest.raises(BalancerRefuses, match="does not look up the names"):
        rig.open().allow(target_of("web-8", "web-8.internal:80"), waited=0)
    balancer_at(rig.control).check()


def test_a_socket_that_may_only_look_is_named(tmp_path: Path) -> None:
    with haproxy(tmp_path, level="user") as rig, pytest.raises(BalancerRefuses, match="level admin"):
        rig.open().block(rig.hosts[0], waited=0)
    assert rig.hosts


@pytest.mark.parametrize(
    "says",
    [b"", b"<html>", b"1\n# be_id srv_name\n1 x\n", None, b"x" * 65536],
    ids=["nothing", "another protocol", "another form", "silence", "no end"],
)
def test_no_answer_takes_for_ever_or_all_memory(monkeypatch: pytest.MonkeyPatch, says: bytes | None) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.3)
    monkeypatch.setattr(module, "MOST_BYTES", 1_000_000)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=speak, args=(server, says), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(WorldError):
            balancer_at(f"127.0.0.1:{server.getsockname()[1]}").block(target_of("web-1"), waited=0)
        assert time.monotonic() - began < 10
        server.shutdown(socket.SHUT_RDWR)


def speak(server: socket.socket, says: bytes | None) -> None:
    """Answer each connection with the words; large ones again and again, None with silence."""
    with ExitStack() as held:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            if says is None:
                held.enter_context(connection)
                continue
            with connection, suppress(OSError):
                connection.recv(1000)
                connection.sendall(says)
                while len(says) > 1000:
                    connection.sendall(says)


def test_the_configuration_of_the_document_is_good(tmp_path: Path) -> None:
    binary, config = require(shutil.which("haproxy", path=PATH), "haproxy"), tmp_path / "haproxy.cfg"
    (block,) = re.findall(r"```haproxy\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    config.write_text(block)
    checked = subprocess.run([binary, "-c", "-f", str(config)], capture_output=True, text=True, timeout=20, check=False)
    assert checked.returncode == 0, checked.stderr
