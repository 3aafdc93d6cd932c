"""Runs the scripts of one lifecycle event on this host, one after another, and says what went wrong.

It knows the bundle's files, this host's users and how a script is started; it changes nothing of the process it runs
in, so that several events can run in threads of one agent.
Source: AWS CodeDeploy user guide, "AppSpec 'hooks' section".
"""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import stat
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.host.running import Bounds, Cause, Ended, NotStarted, new_marker, run_command, started
from adapters.host.script_log import LineCutter, ScriptLog, Transcript
from adapters.host.streams import NAMES
from domain import hooks
from domain.appspec import Script
from domain.errors import HostError
from domain.hooks import Account, Trace
from domain.lifecycle import Event
from domain.reports import Diagnostics, ErrorCode


@dataclass(frozen=True)
class ScriptLimits:
    """Seconds from SIGTERM to SIGKILL for a script to end, that streams it left open are waited for, and that all
    scripts of the event may take together."""

    grace: float = 10.0
    drain: float = 0.5
    event: int = 3600


class ScriptTrouble(HostError):
    """A script of the revision could not be run, or failed."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class _Site:
    """What all scripts of an event share."""

    archive: Path
    environment: Mapping[str, str]
    transcript: Transcript
    limits: ScriptLimits
    stop: threading.Event | None
    working_directory: Path
    note: Callable[[Trace], None]
    deadline: float
    """By the monotonic clock; the event's time is over then."""


def run_scripts(
    scripts: Sequence[Script],
    *,
    event: Event,
    archive: Path,
    environment: Mapping[str, str],
    log: ScriptLog,
    on_line: Callable[[str], None],
    limits: ScriptLimits,
    stop: threading.Event | None = None,
    working_directory: Path,
    note: Callable[[Trace], None] = lambda _: None,
) -> Diagnostics | None:
    """Run the event's scripts from the unpacked bundle at `archive`; None on success, else the first failure.

    `on_line` gets each entry of the log as soon as it is complete, from this thread. `note` is given the trace of each
    script before it starts and once it has: `running.end_leftover` ends it by that should this process die. Setting
    `stop` ends the script that runs, with all it started. A process that a script leaves behind lives on after the
    script succeeded or failed, not after it timed out or was stopped.
    """
    if not scripts:
        return None
    transcript = Transcript(log, on_line)
    deadline = time.monotonic() + limits.event
    site = _Site(archive, environment, transcript, limits, stop, working_directory, note, deadline)
    try:
        transcript.add(hooks.event_entry(event))
        for script in scripts:
            try:
                _run(script, site)
            except ScriptTrouble as trouble:
                return Diagnostics(
                    error_code=ErrorCode(trouble.code),
                    script_name=hooks.show(script.location),
                    message=trouble.message,
                    log_tail=transcript.tail(),
                )
        return None
    finally:
        transcript.close()


def _run(script: Script, site: _Site) -> None:
    site.transcript.add(hooks.script_entry(script))
    if site.stop is not None and site.stop.is_set():
        raise ScriptTrouble(ErrorCode.SCRIPT_FAILED, hooks.stopped_message(script))
    if time.monotonic() >= site.deadline:
        raise ScriptTrouble(ErrorCode.SCRIPT_TIMED_OUT, hooks.no_time_message(script, site.limits.event))
    path = _find(script, site.archive)
    _make_executable(script, path, site.transcript)
    user = _choose_user(script)
    direct = _read_command(script, path, site)
    command = hooks.command_line(path, runas=user, sudo=_needs_sudo(script, user, site.environment))
    if command == [path]:
        command = direct
    ended = _execute(script, command, site, user)
    _judge(script, ended, site)


def _find(script: Script, archive: Path) -> str:
    """The absolute path of the script, which is a file inside the bundle."""
    path = f"{os.path.abspath(archive)}/{script.location.lstrip('/')}"
    try:
        real, top = os.path.realpath(path), os.path.realpath(archive)
        if not real.startswith(top.rstrip("/") + "/"):
            why = "it leads out of the bundle; a script must be a file of the revision"
        elif stat.S_ISREG(os.stat(real).st_mode):
            return path
        else:
            why = "it is not a regular file"
    except (FileNotFoundError, NotADirectoryError):
        why = "there is no such file in the bundle"
    except ValueError:
        why = "no file can have such a name"
    except OSError as error:
        why = f"it cannot be reached ({error.strerror})"
    raise ScriptTrouble(ErrorCode.SCRIPT_MISSING, hooks.missing_message(script, path, why))


def _make_executable(script: Script, path: str, transcript: Transcript) -> None:
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & 0o111 and os.access(path, os.X_OK):
        return
    transcript.add(
        hooks.warning_entry(f"{hooks.title(script)} is not executable ({mode:04o}); adding the execute bits")
    )
    try:
        os.chmod(path, mode | (0o111 & ~_read_umask()))
    except OSError as error:
        raise ScriptTrouble(
            ErrorCode.SCRIPT_NOT_EXECUTABLE,
            f"{hooks.title(script)} is not executable and cannot be made so ({error.strerror}); "
            f"set its execute bit in the revision",
        ) from error


def _read_umask() -> int:
    """The umask as it is: the system call can only read it by changing it for every thread."""
    try:
        with open("/proc/self/status", "rb") as status:
            return next(int(line.split()[1], 8) for line in status if line.startswith(b"Umask:"))
    except (OSError, StopIteration):
        return 0o022


def _choose_user(script: Script) -> Account | None:
    """The account to change to; None where the script runs as the agent's own user."""
    if script.runas is None:
        return None
    try:
        entry = pwd.getpwnam(script.runas)
    except (KeyError, ValueError) as error:
        raise ScriptTrouble(
            ErrorCode.SCRIPT_FAILED,
            f"{hooks.title(script)} could not be started: this host has no such user; create it or mend runas",
        ) from error
    return None if entry.pw_uid == os.geteuid() else Account(entry.pw_name, entry.pw_uid, entry.pw_shell)


def _needs_sudo(script: Script, user: Account | None, environment: Mapping[str, str]) -> bool:
    if not script.sudo or (script.runas is not None and user is None):
        return False
    # Root needs no sudo, and many images have none.
    return os.geteuid() != 0 or shutil.which("sudo", path=environment.get("PATH")) is not None


def _read_command(script: Script, path: str, site: _Site) -> list[str]:
    """The command for a script by its first bytes; a text without `#!` goes to sh, as a shell would have it."""
    try:
        with open(path, "rb", buffering=0) as file:
            head = file.read(512)
    except OSError:
        return [path]
    interpreter = hooks.read_interpreter(head)
    if b"\r\n" in head:
        site.transcript.add(hooks.warning_entry(f"{hooks.title(script)} {hooks.FOREIGN_LINES}"))
    if interpreter is None:
        return [path] if head.startswith(b"\x7fELF") else ["/bin/sh", path]
    complaint = hooks.interpreter_complaint(interpreter)
    if complaint is None and _is_missing(site.working_directory / interpreter.program):
        complaint = hooks.missing_interpreter(interpreter)
    if complaint is not None:
        raise _not_started(script, complaint)
    return [path]


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return True
    except OSError:
        # Not for this user to see; whoever runs the script may.
        return False
    return False


def _not_started(script: Script, why: str) -> ScriptTrouble:
    return ScriptTrouble(ErrorCode.SCRIPT_FAILED, f"{hooks.title(script)} could not be started: {why}")


def _execute(script: Script, command: Sequence[str], site: _Site, user: Account | None) -> Ended:
    cutters = {name: LineCutter(lambda line: list(hooks.cut_pieces(line))) for name in NAMES}

    def take(stream: str, chunk: bytes) -> None:
        lines = cutters[stream].feed(chunk)
        if lines:
            site.transcript.add(*(hooks.output_entry(stream, line) for line in lines))

    trace = Trace(marker=new_marker())
    site.note(trace)
    try:
        ended = run_command(
            command,
            environment=site.environment,
            working_directory=site.working_directory,
            bounds=Bounds(
                max(0.0, min(script.timeout, site.deadline - time.monotonic())), site.limits.grace, site.limits.drain
            ),
            stop=site.stop,
            on_output=take,
            stream_owner=user.user_id if user is not None and os.geteuid() == 0 else None,
            marker=trace.marker,
            on_start=lambda pid: site.note(started(trace, pid)),
        )
    except NotStarted as error:
        raise _not_started(script, _explain(error.why, command, site)) from error
    for stream, cutter in cutters.items():
        site.transcript.add(*(hooks.output_entry(stream, line) for line in cutter.finish()))
    site.transcript.add(*(hooks.left_open_entry(stream) for stream in ended.left_open))
    return ended


def _explain(error: OSError | ValueError, command: Sequence[str], site: _Site) -> str:
    if isinstance(error, ValueError):
        return f"a variable of its environment cannot be passed on ({error})"
    if error.errno == errno.ENOENT and not site.working_directory.is_dir():
        return f"the working directory {site.working_directory} is not there"
    if error.errno == errno.ENOEXEC:
        return "it is a program for another kind of machine"
    if error.errno == errno.EACCES:
        return "permission denied; its interpreter is not executable, or the file system is mounted noexec"
    if error.errno == errno.ENOENT and command[0] in ("su", "sudo"):
        return f"{command[0]} is not on this host"
    return f"{type(error).__name__}: {error.strerror}"


def _judge(script: Script, ended: Ended, site: _Site) -> None:
    if ended.cause is Cause.TIMED_OUT:
        of_event = site.limits.event if time.monotonic() >= site.deadline else None
        message = hooks.timeout_message(script, all_ended=ended.all_gone, of_event=of_event)
        raise ScriptTrouble(ErrorCode.SCRIPT_TIMED_OUT, message)
    if ended.cause is Cause.STOPPED:
        raise ScriptTrouble(ErrorCode.SCRIPT_FAILED, hooks.stopped_message(script))
    if ended.returncode:
        raise ScriptTrouble(ErrorCode.SCRIPT_FAILED, hooks.exit_message(script, ended.returncode))
