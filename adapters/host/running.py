"""Runs one command to its end: reads its output as it comes, bounds its time, and leaves nothing to wait for.

One selector watches both streams and the process; no thread and no polling. It knows nothing of AppSpecs or logs.

Streams left open. A process that the command leaves running (a service, say) may keep the write end of our pipes. Its
output is awaited for `drain` seconds and no longer. Then the read end goes to a `cat > /dev/null` of its own session,
which ends with the last writer: the service never gets SIGPIPE, never blocks on a full pipe, does not fill the disk,
and does not depend on this process, which may be restarted. Files instead of pipes would need none of that, but
`echo … > /dev/stderr` truncates a file, and a service's output would grow there unseen for ever.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType

from adapters.host.processes import Family
from workflows.hooks import MARKER

STREAMS = ("stdout", "stderr")
_CHUNK = 65536
_STOP_TICK = 0.1
"""Seconds between looks at the stop event, which no selector can watch."""
_LONG = 3600.0
_SCAN_TICK = 0.05
_KILL_WAIT = 5.0
"""Seconds that killed processes get to go; one stuck in the kernel is not waited for."""
_BUSY_WAIT = 2.0
_DRAIN_ON = "exec 3<&0 </dev/null; cat <&3 >/dev/null 2>&1 &"


class Cause(Enum):
    """Why a command ended."""

    EXITED = "exited"
    TIMED_OUT = "timed out"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Bounds:
    """Seconds: how long a command may run, from SIGTERM to SIGKILL, and that open streams are waited for."""

    timeout: float
    grace: float
    drain: float


@dataclass(frozen=True)
class Ended:
    """How a command ended. `returncode` is negative for a signal, None for a process that could not be ended."""

    cause: Cause
    returncode: int | None
    all_gone: bool
    """Only told after a timeout or stop: nothing it had started is left."""
    left_open: tuple[str, ...]


def run_command(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    working_directory: Path,
    bounds: Bounds,
    stop: threading.Event | None,
    on_output: Callable[[str, bytes], None],
    stream_owner: int | None = None,
) -> Ended:
    """Run the command with stdin closed, in a session of its own; `on_output` gets a stream's name and its bytes.

    `stream_owner` is the user id the streams are given to, so that a command that changes its user can open
    /dev/stderr. Raises OSError or ValueError where the command cannot be started.
    """
    marker = uuid.uuid4().hex
    pipes = {name: os.pipe() for name in STREAMS}
    try:
        if stream_owner is not None:
            for _, writer in pipes.values():
                os.fchown(writer, stream_owner, -1)
        child = _start(command, {**environment, MARKER: marker}, working_directory, pipes)
    except BaseException:
        for reader, _ in pipes.values():
            os.close(reader)
        raise
    finally:
        for _, writer in pipes.values():
            os.close(writer)
    readers = {name: reader for name, (reader, _) in pipes.items()}
    with _Running(child, Family(child.pid, f"{MARKER}={marker}"), readers, on_output) as running:
        return running.follow(bounds, stop)


def _start(
    command: Sequence[str], environment: Mapping[str, str], cwd: Path, pipes: Mapping[str, tuple[int, int]]
) -> subprocess.Popen[bytes]:
    give_up = time.monotonic() + _BUSY_WAIT
    while True:
        try:
            return subprocess.Popen(  # noqa: S603 - a list, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=pipes["stdout"][1],
                stderr=pipes["stderr"][1],
                cwd=cwd,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            # Another thread's fork holds what this process had open for writing, the fresh script included, until its
            # exec: "text file busy" is over in a moment.
            if error.errno != errno.ETXTBSY or time.monotonic() > give_up:
                raise
            time.sleep(0.005)


class _Running:
    """A started command, followed until it has ended and its streams are read."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        family: Family,
        readers: Mapping[str, int],
        on_output: Callable[[str, bytes], None],
    ) -> None:
        self._child = child
        self._family = family
        self._open = dict(readers)
        self._on_output = on_output
        self._exited = False
        self._next_scan = 0.0
        self._selector = selectors.DefaultSelector()
        for name, fd in readers.items():
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ, name)
        self._pidfd = _open_pidfd(child.pid)
        if self._pidfd is not None:
            self._selector.register(self._pidfd, selectors.EVENT_READ, None)

    def __enter__(self) -> _Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._kill()
        for fd in (*self._open.values(), *(() if self._pidfd is None else (self._pidfd,))):
            os.close(fd)
        self._selector.close()
        if self._has_exited():
            self._child.wait()

    def follow(self, bounds: Bounds, stop: threading.Event | None) -> Ended:
        """See the command to its end, ending it when its time is over or `stop` is set."""
        cause = self._await_exit(bounds.timeout, stop)
        all_gone = cause is Cause.EXITED or self._end(bounds.grace)
        self._pump(lambda: not self._open, bounds.drain, tick=_LONG)
        left_open = tuple(self._open)
        self._hand_over()
        returncode = self._child.wait() if self._has_exited() else None
        return Ended(cause, returncode, all_gone, left_open)

    def _await_exit(self, timeout: float, stop: threading.Event | None) -> Cause:
        def over() -> bool:
            return self._has_exited() or (stop is not None and stop.is_set())

        in_time = self._pump(over, timeout, tick=_LONG if stop is None else _STOP_TICK)
        if self._has_exited():
            return Cause.EXITED
        return Cause.STOPPED if in_time else Cause.TIMED_OUT

    def _end(self, grace: float) -> bool:
        self._family.signal(signal.SIGTERM)
        # A stopped process acts on SIGTERM only once it goes on.
        self._family.signal(signal.SIGCONT)
        return self._pump(self._all_gone, grace, tick=_SCAN_TICK) or self._kill()

    def _kill(self) -> bool:
        give_up = time.monotonic() + _KILL_WAIT
        while time.monotonic() < give_up:
            self._family.signal(signal.SIGKILL)
            if self._pump(self._all_gone, 4 * _SCAN_TICK, tick=_SCAN_TICK):
                return True
        return False

    def _all_gone(self) -> bool:
        if not self._has_exited() or time.monotonic() < self._next_scan:
            return False
        self._next_scan = time.monotonic() + _SCAN_TICK
        return self._family.gone()

    def _pump(self, done: Callable[[], bool], seconds: float, *, tick: float) -> bool:
        """Read what comes until `done`; False when the seconds are over first."""
        deadline = time.monotonic() + seconds
        tick = tick if self._pidfd is not None else min(tick, 0.02)
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self._selector.select(min(left, tick)):
                self._take(key)
        return True

    def _take(self, key: selectors.SelectorKey) -> None:
        if key.data is None:
            self._exited = True
            self._selector.unregister(key.fd)
            return
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(key.fd, _CHUNK)
            if not chunk:
                self._selector.unregister(key.fd)
                os.close(self._open.pop(key.data))
            else:
                self._on_output(key.data, chunk)

    def _has_exited(self) -> bool:
        """Whether the process has ended; it is not reaped yet, so that its id stays its own."""
        if not self._exited and self._pidfd is None:
            with contextlib.suppress(ChildProcessError):
                flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
                self._exited = os.waitid(os.P_PID, self._child.pid, flags) is not None
        return self._exited

    def _hand_over(self) -> None:
        for name, fd in list(self._open.items()):
            self._selector.unregister(fd)
            # A `cat` needs a pipe that blocks.
            os.set_blocking(fd, True)
            with contextlib.suppress(OSError):
                subprocess.run(  # noqa: S603
                    ["/bin/sh", "-c", _DRAIN_ON], stdin=fd, cwd="/", env={"PATH": os.defpath}, start_new_session=True
                )
                os.close(fd)
            # Where no process could be started the end stays open: better a leak than a service killed by SIGPIPE.
            del self._open[name]


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
