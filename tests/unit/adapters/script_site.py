"""A bundle of scripts, a way to run them as an agent does, and sight of every process that comes from them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from adapters.host.script_log import ScriptLog
from adapters.host.scripts import ScriptLimits, run_scripts
from domain.appspec import Script
from domain.hooks import Trace
from domain.lifecycle import Event
from domain.reports import Diagnostics


def wait_until(condition: Callable[[], object], *, limit: float = 30.0) -> None:
    """Return once the condition holds; fail after the limit in seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """The process is there and has not ended."""
    return _state(pid) not in {"", "Z", "X"}


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


class ScriptSite:
    """One host's folder. Every process of its scripts, and no other, carries a variable that only this site has."""

    def __init__(self, folder: Path) -> None:
        self.archive = folder / "archive"
        self.archive.mkdir()
        self.work = folder / "work"
        self.work.mkdir()
        self.log_path = folder / "logs" / "scripts.log"
        self.lines: list[str] = []
        self.traces: list[Trace] = []
        self.stop = threading.Event()
        self.on_line: Callable[[str], None] = lambda line: self.lines.append(line)
        self.environment: Mapping[str, str] = {
            "PATH": os.environ["PATH"],
            "WORK": str(self.work),
            "SCRIPT_SITE": uuid.uuid4().hex,
        }

    def script(self, name: str, body: str | bytes, *, mode: int = 0o755) -> str:
        """Put a script into the bundle; text gets a shell's first line. Its location."""
        path = self.archive / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body if isinstance(body, bytes) else f"#!/bin/sh\n{body}\n".encode())
        path.chmod(mode)
        return name

    def run(
        self,
        *scripts: Script | str,
        limits: ScriptLimits | None = None,
        log_limit: int = 1 << 24,
        environment: Mapping[str, str] | None = None,
    ) -> Diagnostics | None:
        """Run scripts, given by location or in full."""
        return run_scripts(
            [Script(location=each) if isinstance(each, str) else each for each in scripts],
            event=Event.AFTER_INSTALL,
            archive=self.archive,
            environment={**self.environment, **(environment or {})},
            log=ScriptLog(self.log_path, limit=log_limit),
            on_line=lambda line: self.on_line(line),
            limits=limits or ScriptLimits(grace=20.0),
            stop=self.stop,
            working_directory=self.work,
            note=self.traces.append,
        )

    def fail(
        self, *scripts: Script | str, limits: ScriptLimits | None = None, environment: Mapping[str, str] | None = None
    ) -> Diagnostics:
        """Run scripts of which one fails; what is said of it."""
        trouble = self.run(*scripts, limits=limits, environment=environment)
        assert trouble is not None
        return trouble

    def output(self, stream: str = "stdout") -> list[str]:
        """The lines that came of a stream."""
        return [line.removeprefix(f"[{stream}]") for line in self.lines if line.startswith(f"[{stream}]")]

    def noted_pid(self, name: str) -> int:
        """The process id that a script wrote into its working directory."""
        path = self.work / name
        wait_until(lambda: path.exists() and path.read_text().endswith("\n"))
        return int(path.read_text())

    def running(self) -> list[int]:
        """The processes of this site's scripts that have not ended."""
        mine = f"SCRIPT_SITE={self.environment['SCRIPT_SITE']}".encode()
        return [pid for pid in _pids() if mine in _environ(pid) and is_alive(pid)]

    def kill_all(self) -> None:
        """Leave nothing behind."""
        for pid in self.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.running())


def _pids() -> Iterator[int]:
    return (int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal())


def _environ(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
