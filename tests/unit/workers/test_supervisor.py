"""The supervisor with real processes: what dies is started again, what is stopped is gone, and nothing outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.services import background, wait_until
from workers import supervisor
from workers.supervisor import Job, Supervisor

CHECKOUT = Path(__file__).resolve().parents[3]
STAY = "exec sleep 600"
DEAF = "trap '' TERM; echo deaf; while :; do sleep 0.05; done"


def job(name: str, script: str, **environment: str) -> Job:
    return Job(name, ("/bin/sh", "-c", script), {"PATH": os.environ["PATH"], **environment})


def runs(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path / "logs")
    yield made
    made.stop(limit=0.1)


@contextmanager
def watching(over: Supervisor) -> Iterator[None]:
    """Watched by a thread; it lives as long as the block, for its processes end with it."""
    end = threading.Event()
    thread = threading.Thread(target=over.watch, args=(end,), kwargs={"every": 0.02})
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def test_output_goes_to_a_log_of_each(running: Supervisor, tmp_path: Path) -> None:
    running.start(job("a", "echo out; echo err >&2; exec sleep 600"))
    log = tmp_path / "logs" / "a.log"
    wait_until(lambda: log.exists() and sorted(log.read_text().split()) == ["err", "out"], "both lines")


def test_a_job_gets_its_environment_and_no_other(running: Supervisor, tmp_path: Path) -> None:
    running.start(job("a", "env", SLIPWAY_HOME="/here"))
    log = tmp_path / "logs" / "a.log"
    wait_until(lambda: log.exists() and "SLIPWAY_HOME=/here" in log.read_text(), "the environment")
    assert "HOME=" not in log.read_text().replace("SLIPWAY_HOME=", "")


def test_what_dies_is_started_again(running: Supervisor) -> None:
    running.start(job("a", STAY))
    running.start(job("b", STAY))
    before = running.pids()
    with watching(running):
        os.kill(before["a"], signal.SIGKILL)
        wait_until(lambda: running.pids()["a"] != before["a"] and runs(running.pids()["a"]), "a new process")
        assert running.pids()["b"] == before["b"]
        running.stop()


def test_what_dies_again_and_again_rests(
    running: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    running.start(job("a", "echo started; exit 3"))
    log = tmp_path / "logs" / "a.log"
    with watching(running):
        wait_until(lambda: "it rests for a while" in caplog.text, "its rest")
        assert len(log.read_text().split()) == supervisor.MOST_RESTARTS + 1
        assert caplog.text.count("it rests for a while") == 1
        assert "ended with code 3" in caplog.text
        monkeypatch.setattr(supervisor, "RESTART_WINDOW", 0.0)
        wait_until(lambda: len(log.read_text().split()) > supervisor.MOST_RESTARTS + 1, "another start after the rest")


def test_stop_ends_everything(running: Supervisor) -> None:
    for name in "abc":
        running.start(job(name, STAY))
    pids = running.pids().values()
    running.stop()
    assert not [pid for pid in pids if runs(pid)]
    assert running.pids() == {}


def test_what_was_started_last_is_told_first(running: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        running.start(job(name, STAY))
    names = {pid: name for name, pid in running.pids().items()}
    told: list[str] = []
    send = subprocess.Popen.send_signal

    def told_then_sent(process: subprocess.Popen[bytes], number: int) -> None:
        told.append(names[process.pid])
        send(process, number)

    monkeypatch.setattr(subprocess.Popen, "send_signal", told_then_sent)
    running.stop()
    assert told == ["c", "b", "a"]


def test_what_does_not_listen_is_killed(running: Supervisor, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    running.start(job("a", DEAF))
    running.start(job("b", STAY))
    pids = running.pids().values()
    log = tmp_path / "logs" / "a.log"
    wait_until(lambda: log.exists() and "deaf" in log.read_text(), "a process that does not listen")
    running.stop(limit=0.2)
    assert not [pid for pid in pids if runs(pid)]
    assert "a did not end in time; killed" in caplog.text
    assert "b did not end" not in caplog.text


SUPERVISE = """
import os, pathlib, sys, threading
from workers.supervisor import Job, Supervisor
supervisor = Supervisor(pathlib.Path(sys.argv[1]))
for name in "ab":
    supervisor.start(Job(name, ("/bin/sh", "-c", "exec sleep 600"), dict(os.environ)))
print(*supervisor.pids().values(), flush=True)
supervisor.watch(threading.Event())
"""


def test_nothing_outlives_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", SUPERVISE, str(tmp_path / "logs")]
    with background(command, log, environment={"PYTHONPATH": str(CHECKOUT)}) as process:
        pids = [int(pid) for pid in wait_until(lambda: log.read_text().split(), "both jobs")]
        assert all(map(runs, pids))
        os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: not any(map(runs, pids)), "their end", limit=20)
