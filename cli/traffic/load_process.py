"""A load in a process of its own, which ends with its parent, and the counts that it keeps."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import TracebackType

from cli.traffic.counts import Counts, read_counts
from cli.traffic.load import PATIENCE
from domain.errors import SlipwayError
from workers.supervisor import die_with_parent

START = 10.0
"""Seconds until the first counts must be there."""


class LoadBroke(SlipwayError):
    """The process that sends requests ended by itself."""


class LoadProcess:
    """Requests to a port of this machine at a fixed rate, for as long as the block lasts. Its files are in `folder`."""

    def __init__(self, folder: Path, port: int, *, rate: float = 500.0, fresh: float = 0.2) -> None:
        self._counts = folder / "load.json"
        self._log = folder / "load.log"
        self._command = [sys.executable, "-m", "cli.traffic.load", str(port), str(self._counts)]
        self._command += ["--rate", str(rate), "--fresh", str(fresh)]
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> LoadProcess:
        self._counts.unlink(missing_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  (our own command line)
                self._command,
                cwd=Path(__file__).resolve().parents[2],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=partial(die_with_parent, signal.SIGKILL),
            )
        deadline = time.monotonic() + START
        while not self._counts.exists():
            self._check()
            if time.monotonic() > deadline:
                raise LoadBroke(f"the load did not begin within {START:.0f} seconds")
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def counts(self) -> Counts:
        """How it stands, a tenth of a second ago at most; raises LoadBroke if it has ended by itself."""
        self._check()
        return read_counts(self._counts.read_text())

    def end(self) -> Counts:
        """Send nothing more, wait for the last answers, and say what became of all."""
        self._check()
        self._process.terminate()
        self._process.wait(PATIENCE + START)
        counts = read_counts(self._counts.read_text())
        if not counts.ended:
            raise LoadBroke(f"the load ended badly: {self._log.read_text()[-1000:]}")
        return counts

    def _check(self) -> None:
        if self._process.poll() is not None:
            raise LoadBroke(f"the load ended by itself: {self._log.read_text()[-1000:]}")
