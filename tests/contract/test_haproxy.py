"""What only HAProxy has: sticky clients, servers that nobody looks at, levels of its socket, answers of strangers."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from adapters.load_balancers import haproxy as module
from adapters.load_balancers.haproxy import HaproxyBalancer
from domain.errors import BalancerMissing, BalancerRefuses, WorldError
from tests.balancers import DOCUMENT, PATH, Proxied, get, haproxy, target_of
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
