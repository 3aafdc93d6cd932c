"""Runs one command to its end: reads its output as it comes, bounds its time, and leaves nothing to wait for.

One selector watches both streams and the process; no thread, no polling. It knows nothing of AppSpecs or logs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType

from adapters.host.processes import SCAN_TICK, Family, boot, started_at
from adapters.host.streams import Streams
from domain.hooks import MARKER, Trace

_STOP_TICK = 0.1
"""Seconds between looks at the stop event, which no selector can watch."""
_NO_PIDFD_TICK = 0.02
_LONG = 3600.0
_BUSY_WAIT = 2.0


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
    """After a timeout or stop: nothing the command had started is left."""
    left_open: tuple[str, ...]
    """The streams that a process left behind keeps open; what it writes is discarded."""


class NotStarted(Exception):
    """The command could not be started; the cause is an OSError, or a ValueError for what no process can be given."""

    def __init__(self, why: OSError | ValueError) -> None:
        super().__init__(str(why))
        self.why = why


def new_marker() -> str:
    """What one command and all that comes of it are known by."""
    return uuid.uuid4().hex


def started(trace: Trace, pid: int) -> Trace:
    """The trace of a command whose process is known, and not reaped yet."""
    return trace.model_copy(update={"pid": pid, "started": started_at(pid, ended=True), "boot": boot()})


def end_leftover(trace: Trace, *, grace: float) -> bool:
    """End a command that outlived its caller, with all that came of it; False where something stays. Of one that has
    ended by itself, what it left running is let be. `grace`: seconds to SIGKILL."""
    seen = bool(trace.started)
    if seen and (trace.boot != boot() or started_at(trace.pid or 0) != trace.started):
        return True
    gone = Family(trace.pid if seen else None, f"{MARKER}={trace.marker}", child=False).end(grace)
    return gone and (seen or not _is_others(trace))


def _is_others(trace: Trace) -> bool:
    """Whether a process that nobody may look at, where /proc hides those of others, is there still."""
    if trace.pid is None or trace.boot != boot():
        return False
    try:
        os.kill(trace.pid, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        pass
    return False


def run_command(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    working_directory: Path,
    bounds: Bounds,
    stop: threading.Event | None,
    on_output: Callable[[str, bytes], None],
    stream_owner: int | None = None,
    stdin: int = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
    marker: str | None = None,
    on_start: Callable[[int], None] = lambda _: None,
) -> Ended:
    """Run the command in a session of its own; `on_output` gets a stream's name and its bytes.

    `stream_owner` is the user id the streams are given to, for a command that changes its user. `stdin` is empty unless
    a file is given; `pass_fds` stay open in the command. `marker` is what all that comes of it is known
    by in its environment; no two commands have the same. `on_start` gets its process id. Raises NotStarted.
    """
    marker = marker or new_marker()
    with contextlib.ExitStack() as stack:
        try:
            selector = stack.enter_context(selectors.DefaultSelector())
            streams = stack.enter_context(contextlib.closing(Streams(selector, on_output)))
            if stream_owner is not None:
                streams.give_to(stream_owner)
            child = _start(
                command, {**environment, MARKER: marker}, working_directory, streams, stdin=stdin, pass_fds=pass_fds
            )
        except (OSError, ValueError) as error:
            raise NotStarted(error) from error
        streams.close_writers()
        family = Family(child.pid, f"{MARKER}={marker}")
        running = stack.enter_context(_Running(child, family, streams, selector, bounds))
        on_start(child.pid)
        return running.follow(stop)


def _start(
    command: Sequence[str],
    environment: Mapping[str, str],
    cwd: Path,
    streams: Streams,
    *,
    stdin: int,
    pass_fds: Sequence[int],
) -> subprocess.Popen[bytes]:
    give_up = time.monotonic() + _BUSY_WAIT
    while True:
        try:
            return subprocess.Popen(  # noqa: S603 - a list, no shell
                command,
                stdin=stdin,
                stdout=streams.writer("stdout"),
                stderr=streams.writer("stderr"),
                cwd=cwd,
                env=environment,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        except OSError as error:
            # Until its exec, another thread's fork holds all that this process had open for writing, the fresh script
            # included: "text file busy" is over in a moment.
            if error.errno != errno.ETXTBSY or time.monotonic() > give_up:
                raise
            time.sleep(0.005)


class _Running:
    """A started command, followed until it has ended and its streams are read."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        family: Family,
        streams: Streams,
        selector: selectors.BaseSelector,
        bounds: Bounds,
    ) -> None:
        self._child = child
        self._family = family
        self._streams = streams
        self._selector = selector
        self._bounds = bounds
        self._exited = False
        self._next_scan = 0.0
        self._pidfd = _open_pidfd(child.pid)
        if self._pidfd is not None:
            selector.register(self._pidfd, selectors.EVENT_READ, self._note_exit)

    def __enter__(self) -> _Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._streams.mute()
            self._end()
            self._reap()
        if self._pidfd is not None:
            os.close(self._pidfd)

    def follow(self, stop: threading.Event | None) -> Ended:
        """See the command to its end, ending it when its time is over or `stop` is set."""
        cause = self._await_exit(stop)
        all_gone = cause is Cause.EXITED or self._end()
        self._pump(lambda: not self._streams.open, self._bounds.drain, tick=_LONG)
        return Ended(cause, self._reap(), all_gone, self._streams.hand_over())

    def _await_exit(self, stop: threading.Event | None) -> Cause:
        def over() -> bool:
            return self._has_exited() or (stop is not None and stop.is_set())

        in_time = self._pump(over, self._bounds.timeout, tick=_LONG if stop is None else _STOP_TICK)
        if self._has_exited():
            return Cause.EXITED
        return Cause.STOPPED if in_time else Cause.TIMED_OUT

    def _end(self) -> bool:
        return self._family.end(self._bounds.grace, lambda seconds: self._pump(self._all_gone, seconds, tick=SCAN_TICK))

    def _all_gone(self) -> bool:
        if not self._has_exited() or time.monotonic() < self._next_scan:
            return False
        self._next_scan = time.monotonic() + SCAN_TICK
        return self._family.gone()

    def _pump(self, done: Callable[[], bool], seconds: float, *, tick: float) -> bool:
        """Read what comes until `done`; False when the seconds are over first."""
        deadline = time.monotonic() + seconds
        tick = tick if self._pidfd is not None else min(tick, _NO_PIDFD_TICK)
        while not done():
            left = deadline - time.monotonic()
            # Who was suspended finds the time over and what came meanwhile unread: one more look, without waiting.
            for key, _ in self._selector.select(min(max(left, 0.0), tick)):
                key.data()
            if left <= 0:
                return done()
        return True

    def _note_exit(self) -> None:
        self._exited = True
        if self._pidfd is not None:
            self._selector.unregister(self._pidfd)

    def _has_exited(self) -> bool:
        """Whether the process has ended; it is not reaped yet, so that its id stays its own."""
        if not self._exited and self._pidfd is None:
            with contextlib.suppress(ChildProcessError):
                flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
                self._exited = os.waitid(os.P_PID, self._child.pid, flags) is not None
        return self._exited

    def _reap(self) -> int | None:
        return self._child.wait() if self._has_exited() else None


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
