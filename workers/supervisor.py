"""Keeps the processes of an embedded installation running: starts them, restarts what dies, ends them together."""

from __future__ import annotations

import ctypes
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
MOST_RESTARTS = 5
"""Restarts of one process within RESTART_WINDOW seconds; then it rests until the first of them is as long ago."""
RESTART_WINDOW = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """One process: its name, its command line (no secrets: anyone can read it) and its environment."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


@dataclass(slots=True)
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    starts: list[float] = field(default_factory=list)
    resting: bool = False


class Supervisor:
    """Runs jobs with their output in `<logs>/<name>.log`."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, _Running] = {}
        self._stopped = False
        self._lock = threading.Lock()
        """Held while something is started again, so that nothing is once it was told to stop."""

    def start(self, job: Job) -> None:
        """Start a job."""
        self._logs.mkdir(parents=True, exist_ok=True)
        self._running[job.name] = _Running(job, self._spawn(job), [time.monotonic()])

    def pids(self) -> dict[str, int]:
        """The process id of each job."""
        return {name: running.process.pid for name, running in self._running.items()}

    def watch(self, end: threading.Event, *, every: float = 0.5) -> None:
        """Restart what dies until `end` is set."""
        while not end.wait(every):
            with self._lock:
                dead = [
                    each for each in self._running.values() if not self._stopped and each.process.poll() is not None
                ]
                for running in dead:
                    self._revive(running)

    def stop(self, *, limit: float = 10.0) -> None:
        """End every process: SIGTERM in reverse order of start, SIGKILL for those that outlive the limit."""
        with self._lock:
            self._stopped = True
        running = [r for r in reversed(self._running.values()) if r.process.poll() is None]
        for each in running:
            each.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + limit
        for each in running:
            try:
                each.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("%s did not end in time; killed", each.job.name)
                each.process.kill()
                each.process.wait()
        self._running.clear()

    def _revive(self, running: _Running) -> None:
        now = time.monotonic()
        running.starts = [at for at in running.starts if now - at < RESTART_WINDOW]
        if len(running.starts) > MOST_RESTARTS:
            if not running.resting:
                logger.error("%s ends again and again; it rests for a while, its log says why", running.job.name)
            running.resting = True
            return
        running.resting = False
        logger.warning("%s ended with code %s; starting it again", running.job.name, running.process.returncode)
        running.starts.append(now)
        running.process = self._spawn(running.job)

    def _spawn(self, job: Job) -> subprocess.Popen[bytes]:
        with self._log(job.name) as log:
            return subprocess.Popen(  # noqa: S603  (our own command lines)
                list(job.command),
                env=dict(job.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,
            )

    def _log(self, name: str) -> IO[bytes]:
        return (self._logs / f"{name}.log").open("ab")


def die_with_parent(by: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel end this process when its parent ends (Linux; elsewhere the supervisor's stop has to do)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, by)
