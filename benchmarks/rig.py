"""What benchmarks run on: a private Redis below a temporary folder, and processes that end with the run."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, TypeVar

from workers.embedded import EmbeddedRedis
from workers.supervisor import die_with_parent

T = TypeVar("T")
CHECKOUT = Path(__file__).resolve().parent.parent
PATIENCE = 5.0
"""Seconds that processes have to end by themselves; nothing they hold is worth more."""


class Result(NamedTuple):
    """One figure against its goal; a goal is a bound from above unless `at_least`."""

    name: str
    figure: float
    goal: float | None = None
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """Whether the goal was met in this run."""
        if self.goal is None:
            return ""
        met = self.figure >= self.goal if self.at_least else self.figure <= self.goal
        return "met" if met else "missed"


class Rig:
    """A folder, a Redis and the processes started on it."""

    def __init__(self, where: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="slipway-bench-", dir=where)
        self.home = Path(self._folder.name)
        self.redis = EmbeddedRedis(self.home / "redis")
        self.environment: dict[str, str] = {}
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Rig:
        clean_up_on_sigterm()
        url = self.redis.start()
        self.environment = {
            "SLIPWAY_HOME": str(self.home),
            "SLIPWAY_STORE__URL": url,
            "SLIPWAY_BUNDLES__KEY": "benchmark-key",
            "SLIPWAY_BUNDLES__TOKEN": "benchmark-token",
            "SLIPWAY_LOG_LEVEL": "WARNING",
        }
        self.enter_environment()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_processes()
        self.redis.stop()
        self._folder.cleanup()

    def enter_environment(self) -> None:
        """Have this process see the rig's settings as the spawned ones do."""
        os.environ.update(self.environment)

    def spawn(self, *module_and_arguments: str, **extra: str) -> subprocess.Popen[bytes]:
        """Start `python -m …` with the rig's environment; its output goes to a log in the folder."""
        name = "-".join(module_and_arguments[:2]).replace("/", "_")
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *module_and_arguments],
                env={**os.environ, **self.environment, **extra},
                cwd=CHECKOUT,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A worker that is asked politely waits for its Redis, which ends with us as well.
                preexec_fn=partial(die_with_parent, signal.SIGKILL),
            )
        self._processes.append(process)
        return process

    def end_processes(self) -> None:
        """End what was started."""
        for process in self._processes:
            process.terminate()
        deadline = time.monotonic() + PATIENCE
        for process in self._processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()


def clean_up_on_sigterm() -> None:
    """Have SIGTERM end this process as Ctrl-C does: with its processes ended and its folders removed."""

    def leave(_number: int, _frame: object) -> None:
        say("ended by SIGTERM, with what is left unmeasured")
        raise SystemExit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, leave)


def wait_until(ready: Callable[[], T | None], what: str, *, limit: float = 120.0, every: float = 0.01) -> T:
    """The first true answer of `ready()`; raises TimeoutError naming what was waited for."""
    deadline = time.monotonic() + limit
    while not (answer := ready()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {limit:.0f} seconds")
        time.sleep(every)
    return answer


@contextmanager
def timed(into: list[float]) -> Iterator[None]:
    """Append the seconds that the block took."""
    began = time.perf_counter()
    yield
    into.append(time.perf_counter() - began)


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def say(*parts: object) -> None:
    """Print a line at once."""
    print(*parts, flush=True)
