"""Finds and ends everything a script has started, wherever it hid: its group, its session, its descendants and
whatever carries its marker in the environment. It knows Linux's /proc and nothing of scripts.

A process that left the group and the session, lost its parent *and* wiped its environment cannot be told from any
other. Where there is no /proc, the process group alone is signalled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

SCAN_TICK = 0.05
KILL_WAIT = 5.0
"""Seconds that killed processes get to go; one stuck in the kernel is not waited for."""


class Member(NamedTuple):
    """A process, told from a later one of the same id by its start."""

    pid: int
    started: int


class _Row(NamedTuple):
    member: Member
    parent: int
    group: int
    session: int


class Family:
    """All that came of one process, which leads its own session; `marker` is a `NAME=value` of its environment.

    `leader` is None where that process is not known. `child`: it is one of ours, and its id stays its own until it is
    reaped.
    """

    def __init__(self, leader: int | None, marker: str, *, child: bool = True) -> None:
        self._leader = leader
        self._child = child
        self._marker = marker.encode()
        self._known: set[Member] = set()

    def end(self, grace: float, wait: Callable[[float], bool] | None = None) -> bool:
        """Ask everyone to go, make them after `grace` seconds; False where somebody stays.

        `wait` waits so many seconds for `gone`, or less, and says whether it came true.
        """
        wait = wait or self._await_gone
        self._signal(signal.SIGTERM)
        # A suspended process acts on SIGTERM only once it goes on.
        self._signal(signal.SIGCONT)
        return wait(grace) or self._kill(wait)

    def _kill(self, wait: Callable[[float], bool]) -> bool:
        give_up = time.monotonic() + KILL_WAIT
        while time.monotonic() < give_up:
            self._signal(signal.SIGKILL)
            if wait(4 * SCAN_TICK):
                return True
        return False

    def _await_gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self.gone():
            if time.monotonic() >= deadline:
                return False
            time.sleep(SCAN_TICK)
        return True

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to everyone; who may not be signalled, or is gone, is passed over."""
        strays = self._strays()
        # The group in one call, so that no member can fork away between two of them. The leader is not reaped before
        # all is over: its id cannot mean another group.
        if self._child and self._leader is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._leader, number)
        for stray in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(stray.pid, number)

    def gone(self) -> bool:
        """Nobody is left."""
        return not self._find()

    def _strays(self) -> list[Member]:
        return [row.member for row in self._find() if not self._child or row.group != self._leader]

    def _find(self) -> list[_Row]:
        rows = {row.member.pid: row for row in _read_processes()}
        _leave_out_oneself(rows)
        found = {pid for pid, row in rows.items() if self._belongs(row)}
        waiting = list(found)
        children: dict[int, list[int]] = {}
        for pid, row in rows.items():
            children.setdefault(row.parent, []).append(pid)
        while waiting:
            young = [pid for pid in children.get(waiting.pop(), ()) if pid not in found]
            found.update(young)
            waiting += young
        self._known = {rows[pid].member for pid in found}
        return [rows[pid] for pid in found]

    def _belongs(self, row: _Row) -> bool:
        if self._leader in (row.group, row.session, row.member.pid) or row.member in self._known:
            return True
        return self._marker in _read(f"/proc/{row.member.pid}/environ").split(b"\0")


def started_at(pid: int, *, ended: bool = False) -> int:
    """When a process began, in clock ticks since the boot; 0 if it cannot be seen or has ended. With `ended`, one that
    waits to be reaped is seen too."""
    row = _read_process(str(pid), ended=ended)
    return row.member.started if row else 0


def boot() -> str:
    """What tells this boot of the machine from others; empty where nothing does."""
    return _read("/proc/sys/kernel/random/boot_id").decode("ascii", "replace").strip()


def _leave_out_oneself(rows: dict[int, _Row]) -> None:
    # A script may have started this very agent, which then carries its marker: neither it nor what it runs under ends.
    pid = os.getpid()
    while pid in rows:
        pid = rows.pop(pid).parent


def _read_processes() -> Iterator[_Row]:
    """Everything that runs; what has ended and only waits to be reaped is left out."""
    with contextlib.suppress(FileNotFoundError):
        yield from filter(None, (_read_process(name) for name in os.listdir("/proc") if name.isdecimal()))


def _read_process(name: str, *, ended: bool = False) -> _Row | None:
    # The program's name stands in parentheses and may hold anything, closing ones included.
    fields = _read(f"/proc/{name}/stat").rpartition(b")")[2].split()
    if not fields or (fields[0] in (b"Z", b"X") and not ended):
        return None
    return _Row(Member(int(name), int(fields[19])), int(fields[1]), int(fields[2]), int(fields[3]))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.readall()
    except OSError:
        return b""
