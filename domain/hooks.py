"""What is known of hook scripts: how they are called, how their output reads in the log, what is said of a failed one.

Values in, values out: it starts nothing and reads neither disk nor environment.
"""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from domain.appspec import Script
from domain.lifecycle import Event
from domain.values import Value

TAIL_CHARACTERS = 4096
"""How much of the log a failed event's diagnostics carry."""

PIECE_BYTES = 8192
"""Longer lines are cut into pieces of this size, so that a line can travel and be kept in memory."""

MARKER = "SLIPWAY_HOOK_ID"
"""The variable by which a script's stray descendants are known."""


class Trace(Value):
    """By what a script that runs is found again, also by whoever did not start it. The process is known once it was
    started: its id, its start in clock ticks since the boot (0 where it cannot be seen), and which boot."""

    marker: str
    pid: int | None = None
    started: int = 0
    boot: str = ""


FOREIGN_LINES = "has Windows line breaks (CRLF); save it with Unix line breaks (LF)"


class Account(NamedTuple):
    """A user of this host that a script is to run as."""

    name: str
    user_id: int
    shell: str = "/bin/sh"


_REFUSING_SHELLS = ("nologin", "false")


def command_line(path: str, *, runas: Account | None = None, sudo: bool = False) -> list[str]:
    """The argument list that runs the script at `path`: never text for a shell, but for the one word `su -c` takes."""
    command = [path] if runas is None else _as_user(path, runas)
    return ["sudo", *command] if sudo else command


def _as_user(path: str, user: Account) -> list[str]:
    # Service accounts have a login shell that only refuses: without another one `su -c` could never run as them.
    refusing = user.shell.rpartition("/")[2] in _REFUSING_SHELLS
    return ["su", *(("-s", "/bin/sh") if refusing else ()), user.name, "-c", shlex.quote(path)]


class Interpreter(NamedTuple):
    """What the `#!` line of a script asks for."""

    program: str
    argument: str = ""


def read_interpreter(head: bytes) -> Interpreter | None:
    """The interpreter named by the first bytes of a script; None where there is no `#!` line."""
    if not head.startswith(b"#!"):
        return None
    line = head[2:].partition(b"\n")[0].replace(b"\t", b" ").decode("utf-8", "surrogateescape")
    program, _, argument = line.strip(" ").partition(" ")
    return Interpreter(program, argument.strip(" "))


def interpreter_complaint(interpreter: Interpreter) -> str | None:
    """Why the `#!` line cannot work as it is written; None where it may."""
    program, argument = interpreter
    if not program.strip("\r"):
        return "its first line names no interpreter after #!"
    if program.endswith("\r") or (program.endswith("/env") and argument.endswith("\r")):
        return f"it {FOREIGN_LINES}"
    return None


def missing_interpreter(interpreter: Interpreter) -> str:
    """Why a script cannot be started whose interpreter is not there."""
    return f"its first line asks for {show(interpreter.program)}, which is not on this host; install it or name another"


def show(text: str) -> str:
    """The text on one line, safe to store and to print: control characters and broken Unicode are escaped."""
    plain = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in plain)


def readable(entry: bytes) -> str:
    """A log entry as text: bytes that are not UTF-8 are escaped, a final carriage return is dropped."""
    return entry.removesuffix(b"\r").decode("utf-8", "backslashreplace")


def event_entry(event: Event) -> bytes:
    """What the log says when an event begins."""
    return f"LifecycleEvent - {event.value}".encode()


def script_entry(script: Script) -> bytes:
    """What the log says when a script begins."""
    return f"Script - {show(script.location)}".encode()


def output_entry(stream: str, line: bytes) -> bytes:
    """What the log says for a line of `stdout` or `stderr`."""
    return b"[%s]%s" % (stream.encode(), line)


def cut_pieces(line: bytes, size: int = PIECE_BYTES) -> Iterator[bytes]:
    """The line in pieces of at most `size` bytes, not cut within a UTF-8 character where there is one."""
    while len(line) > size:
        end = next((e for e in range(size, max(size - 4, 0), -1) if line[e] & 0xC0 != 0x80), size)
        yield line[:end]
        line = line[end:]
    yield line


def cut_tail(entries: Sequence[str], limit: int = TAIL_CHARACTERS) -> str:
    """The newest entries, one a line, that fit in `limit` characters; of an overlong newest one its end."""
    kept: list[str] = []
    room = limit
    for entry in reversed(entries):
        if len(entry) > room:
            break
        kept.append(entry)
        room -= len(entry) + 1
    if not kept and entries:
        return entries[-1][-limit:]
    return "\n".join(reversed(kept))


def name_signal(number: int) -> str:
    """A signal as people know it: `SIGKILL`, or its number where it has no name."""
    names: Iterable[str] = (s.name for s in signal.Signals if s.value == number)
    return next(iter(names), f"signal {number}")


def title(script: Script) -> str:
    """How messages call a script: its location and, where it is not the agent's own, the user it runs as."""
    return f"script {show(script.location)}" + ("" if script.runas is None else f" run as user {show(script.runas)}")


def exit_message(script: Script, returncode: int) -> str:
    """What is said of a script that did not succeed; ends with the exit code, or names the signal that killed it."""
    if returncode < 0:
        return f"{title(script)} was killed by {name_signal(-returncode)}"
    return f"{title(script)} failed with exit code {returncode}"


def timeout_message(script: Script, *, all_ended: bool, of_event: int | None = None) -> str:
    """What is said of a script that took too long, by its own limit or by that `of_event` as a whole."""
    rest = "it was ended with all it had started" if all_ended else "not all it had started could be ended"
    limit = f"its timeout of {script.timeout} seconds"
    if of_event is not None:
        limit = f"the {of_event} seconds that one lifecycle event may take in this deployment group"
    return f"{title(script)} did not end within {limit}; {rest}"


def no_time_message(script: Script, of_event: int) -> str:
    """What is said of a script that was not begun, for those before it used up the time of the event."""
    return (
        f"{title(script)} was not begun: the scripts before it took all of the {of_event} seconds that one lifecycle "
        "event may take in this deployment group"
    )


def stopped_message(script: Script) -> str:
    """What is said of a script that was ended, or not begun, because the deployment was stopped."""
    return f"{title(script)} did not complete: it was stopped with the deployment"


def missing_message(script: Script, path: str, why: str = "there is no such file in the bundle") -> str:
    """What is said of a script that is not there; `path` is the absolute one."""
    return f"{title(script)} is missing at {show(path)}: {why}"


def warning_entry(text: str) -> bytes:
    """What the log says of something that does not fail the event."""
    return f"[warning]{text}".encode()


def left_open_entry(stream: str) -> bytes:
    """What the log says when a process that the script left behind keeps one of its streams open."""
    return warning_entry(
        f"a process the script left running keeps its {stream} open; what it writes there from now on is "
        f"discarded (start it with its output redirected to a file to keep it)"
    )
