"""What only nginx has: a file that its owner writes too, a configuration that may be refused, and crashes between
writing and reading."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from adapters.load_balancers import nginx as module
from adapters.load_balancers.naming import Place
from adapters.load_balancers.nginx_upstream import lines_of, put_in, refuse_strays, taken_out
from adapters.load_balancers.nginx_workers import workers_of
from domain.errors import BalancerMissing, BalancerRefuses, WorldError
from domain.fleet import Target
from domain.ports import LoadBalancer
from tests.balancers import DOCUMENT, PATH, Backend, Proxied, nginx, target_of
from tests.services import require, wait_until


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Proxied]:
    with nginx(tmp_path) as running:
        yield running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upstreams" / "web.conf"


def is_in(balancer: LoadBalancer, host: Target) -> bool:
    return balancer.allow(host, waited=0).done


def take_out(balancer: LoadBalancer, rig: Proxied, number: int = 0) -> None:
    wait_until(lambda: balancer.block(rig.hosts[number], waited=0).done, "out of traffic", limit=10)


def test_what_the_owner_wrote_stays_and_what_was_added_goes(rig: Proxied, file: Path) -> None:
    balancer, written = rig.open(), file.read_text()
    take_out(balancer, rig)
    wait_until(lambda: balancer.allow(rig.hosts[0], waited=0).done, "in traffic")
    assert file.read_text() == written
    wait_until(lambda: balancer.allow(rig.stranger, waited=0).done, "in traffic")
    assert f"server {rig.stranger.address}; # web-9 added by Slipway\n}}" in file.read_text()
    wait_until(lambda: balancer.block(rig.stranger, waited=0).done, "out of traffic")
    assert file.read_text() == written


def test_a_host_at_another_address_than_its_line_is_refused_untouched(rig: Proxied, file: Path) -> None:
    written, moved = file.read_text(), target_of("web-1", "127.0.0.1:9")
    for step in (rig.open().block, rig.open().allow):
        with pytest.raises(
            BalancerRefuses, match=r"has web-1 at 127\.0\.0\.1:\d+, but the host is at 127\.0\.0\.1:9: co"
        ):
            step(moved, waited=0)
    assert file.read_text() == written
    for address in (None, "127.0.0.1", f"localhost:{rig.backends['web-1'].port}"):
        host, balancer = target_of("web-1", address), rig.open()
        # For hosts that nobody wrote down.
        balancer._port = 9  # type: ignore[attr-defined]
        wait_until(partial(is_in, balancer, host), "in traffic")
    # Of several lines of a host, one that leads there is enough.
    file.write_text(written.replace("least_conn;", "server 127.0.0.1:9 down; # web-1"))
    refuse_strays(lines_of(file.read_text(), "web-1", None), "web-1", ("127.0.0.1", 9))


def test_a_line_that_slipway_added_follows_its_host(rig: Proxied, file: Path) -> None:
    balancer, other = rig.open(), Backend("web-9b")
    with contextlib.closing(other):
        wait_until(lambda: balancer.allow(rig.stranger, waited=0).done, "in traffic")
        moved = target_of("web-9", f"127.0.0.1:{other.port}")
        wait_until(lambda: balancer.allow(moved, waited=0).done, "in traffic at its new address")
        wait_until(lambda: rig.asked() == {"web-1", "web-2", "web-9b"}, "requests at the new address alone")


def test_a_refused_configuration_is_taken_back_and_nothing_is_reloaded(
    rig: Proxied, file: Path, tmp_path: Path
) -> None:
    balancer, written, before = rig.open(), file.read_text(), workers_of(tmp_path / "nginx.pid")
    broken = file.with_name("broken.conf")
    broken.write_text("nonsense;\n")
    for _ in range(2):
        with pytest.raises(BalancerRefuses, match=r'is as it was before.*unknown directive "nonsense"'):
            balancer.block(rig.hosts[0], waited=0)
        assert file.read_text() == written
    assert workers_of(tmp_path / "nginx.pid") == before
    assert rig.asked() == {"web-1", "web-2"}
    broken.unlink()
    take_out(balancer, rig)
    assert rig.asked() == {"web-2"}


@pytest.mark.parametrize("crash", ["before the test", "before the reload", "after the reload"])
@pytest.mark.parametrize("healer", ["block it", "block the other", "allow it"])
def test_the_next_call_heals_a_crash(rig: Proxied, monkeypatch: pytest.MonkeyPatch, crash: str, healer: str) -> None:
    truly, runs = module._run, list[bool]()

    def crashing(command: list[str]) -> tuple[int, str]:
        runs.append("-t" in command)
        if crash == "before the test" or (crash == "before the reload" and not runs[-1]):
            raise KeyboardInterrupt
        answer = truly(command)
        if not runs[-1]:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(module, "_run", crashing)
    with pytest.raises(KeyboardInterrupt):
        rig.open().block(rig.hosts[0], waited=0)
    monkeypatch.setattr(module, "_run", truly)
    balancer = rig.open()
    if healer == "block it":
        take_out(balancer, rig)
        assert rig.asked() == {"web-2"}
    elif healer == "block the other":
        take_out(balancer, rig, 1)
        wait_until(lambda: balancer.allow(rig.hosts[1], waited=0).done, "in traffic")
        assert rig.asked() == {"web-2"}
    else:
        wait_until(lambda: balancer.allow(rig.hosts[0], waited=0).done, "in traffic")
        assert rig.asked() == {"web-1", "web-2"}


def test_a_state_that_cannot_be_read_is_made_anew(rig: Proxied, file: Path) -> None:
    take_out(rig.open(), rig)
    (state,) = file.parent.glob(".*slipway-state")
    for content in ("", "{", "[]", '{"out": {"web-1": 3}}', '{"out": {}, "before": [[1]]}', '{"odd": 1}'):
        state.write_text(content)
        take_out(rig.open(), rig)
        assert rig.asked() == {"web-2"}


def test_what_is_missing_says_how_to_mend_it(rig: Proxied, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    balancer = rig.open()
    balancer.check()  # type: ignore[attr-defined]
    with pytest.raises(BalancerRefuses, match="give the host 'web-7' the tag slipway:address=HOST:PORT"):
        balancer.allow(target_of("web-7"), waited=0)
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.1)
    with module._locked(file.with_name(".web.conf.slipway-lock")), pytest.raises(WorldError, match="another process"):
        balancer.block(rig.hosts[0], waited=0)
    file.write_text("upstream other { server 127.0.0.1:1; }\n")
    with pytest.raises(BalancerRefuses, match="a line of its own"):
        balancer.block(rig.hosts[0], waited=0)
    file.write_text("upstream other {\n    server 127.0.0.1:1;\n}\n")
    with pytest.raises(BalancerRefuses, match="must hold `upstream web"):
        balancer.allow(rig.hosts[0], waited=0)


def test_a_folder_that_is_not_there_is_found_beforehand(rig: Proxied, tmp_path: Path) -> None:
    lost = module.NginxBalancer(
        upstream_file=tmp_path / "nowhere" / "web.conf", upstream="web", pid_file=tmp_path / "nginx.pid"
    )
    with pytest.raises(BalancerMissing, match="may not write"):
        lost.check()


OWNERS = "upstream web {\n    server 10.0.0.1:80 weight=5;  # the old one\n    server www.internal; # web-2\n}\n"


OLD, NEW = ("10.0.0.1", 80), ("10.0.0.9", 80)


@pytest.mark.parametrize(
    ("host", "place", "found"),
    [
        ("web-1", ("10.0.0.1", 80), ["10.0.0.1:80"]),
        ("web-2", None, ["www.internal"]),
        ("web-2", ("10.0.0.7", None), ["www.internal"]),
        ("web-9", ("www.internal", 80), ["www.internal"]),
        ("web-9", ("10.0.0.1", 8080), []),
        ("web-9", ("0.0.0.1", None), []),
        ("the", None, ["10.0.0.1:80"]),
    ],
)
def test_lines_are_found_by_id_or_address(host: str, place: Place | None, found: list[str]) -> None:
    assert [line.address for line in lines_of(OWNERS, host, place)] == found


def test_an_address_without_a_port_is_not_enough_to_know_a_host() -> None:
    for host in ("10.0.0.1", "www.internal"):
        with pytest.raises(BalancerRefuses, match="none says that it is web-9: name the host behind"):
            lines_of(OWNERS, "web-9", (host, None))


def test_a_line_is_marked_and_unmarked() -> None:
    out = taken_out(OWNERS, "web-1", OLD)
    assert "    server 10.0.0.1:80 weight=5 down; # the old one\n" in out
    assert taken_out(out, "web-1", OLD) == out
    assert put_in(out, "web", "web-1", OLD) == OWNERS.replace(";  #", "; #")


def test_the_first_and_the_last_server_of_an_upstream() -> None:
    made = put_in("", "web", "web-1", OLD)
    assert "upstream web {\n    server 10.0.0.1:80; # web-1 added by Slipway\n}\n" in made
    out = taken_out(made, "web-1", OLD)
    assert "    server 10.0.0.1:80 down; # web-1 added by Slipway\n" in out
    assert "server 10.0.0.9:80; # web-1" in put_in(out, "web", "web-1", NEW)
    assert "server 10.0.0.1:80; # web-1" in put_in(out, "web", "web-1", ("10.0.0.9", None))
    assert "server [::1]:80; # web-2 added" in put_in(out, "web", "web-2", ("::1", 80))


def test_the_configuration_of_the_document_is_good(tmp_path: Path) -> None:
    binary, config = require(shutil.which("nginx", path=PATH), "nginx"), tmp_path / "nginx.conf"
    whole, upstream = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "slipway").mkdir()
    (tmp_path / "slipway" / "site.conf").write_text(upstream)
    config.write_text(f"pid {tmp_path}/pid;\n" + whole.replace("/etc/nginx", str(tmp_path)))
    checked = subprocess.run([binary, "-t", "-c", str(config)], capture_output=True, text=True, timeout=20, check=False)
    assert checked.returncode == 0, checked.stderr
    assert len(lines_of(upstream, "web-2", None)) == 1
