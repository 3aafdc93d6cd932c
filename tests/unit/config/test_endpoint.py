"""Where an installation is found: written for its owner alone, gone with its process, and silent about its secrets."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from config.endpoint import FILE, Endpoint, read_endpoint, remove_endpoint, write_endpoint

SECRETS = {
    "broker_url": "redis://:broker-secret@127.0.0.1:6379/0",
    "store_url": "redis://:store-secret@127.0.0.1:6379/0",
    "bundles_key": "key-secret",
    "bundles_token": "token-secret",
}


def endpoint(**more: object) -> Endpoint:
    values = {**SECRETS, "bundles_url": "http://127.0.0.1:8021", "pid": os.getpid(), **more}
    return Endpoint.model_validate(values)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_endpoint(tmp_path, endpoint(flower_url="http://127.0.0.1:5555"))
    assert read_endpoint(tmp_path) == endpoint(flower_url="http://127.0.0.1:5555")


def test_the_home_is_made(tmp_path: Path) -> None:
    write_endpoint(tmp_path / "a" / "b", endpoint())
    assert read_endpoint(tmp_path / "a" / "b")


def test_its_owner_alone_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_endpoint(tmp_path, endpoint())
    finally:
        os.umask(before)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_a_file_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE).touch(mode=0o644)
    write_endpoint(tmp_path, endpoint())
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / FILE]


def test_nothing_runs_where_nothing_was_written(tmp_path: Path) -> None:
    assert read_endpoint(tmp_path) is None
    remove_endpoint(tmp_path)


def test_nothing_runs_once_it_was_removed(tmp_path: Path) -> None:
    write_endpoint(tmp_path, endpoint())
    remove_endpoint(tmp_path)
    assert read_endpoint(tmp_path) is None


def test_nothing_runs_when_its_process_is_gone(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        process.wait()
    write_endpoint(tmp_path, endpoint(pid=process.pid))
    assert read_endpoint(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"pid": 1}', "\x00", '{"pid": "x"}'])
def test_a_file_that_is_none_is_passed_over(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    assert read_endpoint(tmp_path) is None


@pytest.mark.parametrize("pid", [0, -1])
def test_a_process_id_that_is_none_is_passed_over(pid: int, tmp_path: Path) -> None:
    """Signals to these go to whole groups, which always answer."""
    (tmp_path / FILE).write_text(endpoint(pid=1).model_dump_json().replace('"pid":1', f'"pid":{pid}'))
    assert read_endpoint(tmp_path) is None


def test_its_secrets_do_not_show(tmp_path: Path) -> None:
    assert "secret" not in repr(endpoint())
    assert "secret" not in str(endpoint())
    assert "secret" in endpoint().model_dump_json(), "the file has to hold them"
