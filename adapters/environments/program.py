"""Runs a program of the user's on this machine: bytes on its stdin, bytes from its stdout, its time and output bounded.

Whatever it started ends with it at the time limit, and when this process dies. It knows nothing of hosts.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapters.host.running import Bounds, Cause, Ended, NotStarted, run_command

MOST_OUTPUT = 1024 * 1024
"""Bytes of stdout; a program that writes more is ended."""
TAIL = 2000
"""Characters of stderr that are kept for people."""
GRACE, DRAIN = 5.0, 1.0
SHORTEST_SECRET = 4
"""Shorter values of the environment are not looked for in what the program says: they are in every text."""

_BASE = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_GUARDED = '({ read -r _ || kill -KILL 0; } <"/dev/fd/$1" >/dev/null 2>&1 &); shift; exec "$@"'
"""Beside the program a guard waits at a pipe whose other end this process alone holds: a line sends it home, the end of
the pipe means that this process is gone, and it kills the group that the program leads. It is nobody's child, so that
no program waits for it."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is run: its command line (no secrets: anyone can read it), its environment, and for how long at most."""

    command: Sequence[str]
    seconds: float
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Output:
    """What came of a run: nothing is wrong, or `problem` says what it did, with the end of its stderr."""

    stdout: bytes
    problem: str = ""


class _TooMuch(Exception):
    """It wrote more than anyone would read."""


class _Heard:
    """What a program wrote, as far as anyone wants it."""

    def __init__(self) -> None:
        self.stdout = bytearray()
        self.stderr: deque[int] = deque(maxlen=4 * TAIL)

    def __call__(self, stream: str, chunk: bytes) -> None:
        if stream == "stderr":
            self.stderr.extend(chunk)
            return
        self.stdout += chunk
        if len(self.stdout) > MOST_OUTPUT:
            raise _TooMuch


def run_program(program: Program, given: bytes, *, stop: threading.Event) -> Output:
    """Run it to its end, or until `stop` is set."""
    heard = _Heard()
    with contextlib.ExitStack() as stack:
        stdin = stack.enter_context(tempfile.TemporaryFile())
        stdin.write(given)
        stdin.seek(0)
        end, lifeline = os.pipe()
        stack.callback(os.close, end)
        # Told to go home before the pipe is closed, or it would kill what the program means to leave running.
        stack.callback(os.close, lifeline)
        stack.callback(os.write, lifeline, b"\n")
        try:
            ended = run_command(
                ["/bin/sh", "-c", _GUARDED, "guard", str(end), *program.command],
                environment={**_BASE, "HOME": str(Path.home()), **program.environment},
                working_directory=Path("/"),
                bounds=Bounds(timeout=program.seconds, grace=GRACE, drain=DRAIN),
                stop=stop,
                on_output=heard,
                stdin=stdin.fileno(),
                pass_fds=[end],
            )
        except NotStarted as error:
            return Output(b"", f"cannot be started: {error}")
        except _TooMuch:
            return Output(b"", _told(program, heard, f"wrote more than {MOST_OUTPUT} bytes and was ended"))
    return Output(bytes(heard.stdout), _told(program, heard, _problem(program, ended)))


def _told(program: Program, heard: _Heard, did: str) -> str:
    """What it did wrong, if anything, with the end of what it said."""
    tail = _masked(bytes(heard.stderr).decode(errors="replace"), program.environment.values())
    said = "".join(letter if letter.isprintable() else " " for letter in tail[-TAIL:]).strip()
    return f"{did}; it said: {said}" if did and said else did


def _problem(program: Program, ended: Ended) -> str:
    if ended.cause is Cause.TIMED_OUT:
        return f"did not end within {program.seconds:g} seconds and was ended"
    if ended.cause is Cause.STOPPED:
        return "was ended, for it is not needed any more"
    code = ended.returncode
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}" if code else ""


def _masked(text: str, secrets: Iterable[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text
