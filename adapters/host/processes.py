"""Finds and signals everything a script has started, wherever it hid: its group, its session, its descendants and
whatever carries its marker in the environment. It knows Linux's /proc and nothing of scripts.

A process that left the group and the session, lost its parent *and* wiped its environment cannot be told from any
other. Where there is no /proc, the process group alone is signalled.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import NamedTuple


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
    """All that came of one process, which leads its own session; `marker` is a `NAME=value` of its environment."""

    def __init__(self, leader: int, marker: str) -> None:
        self._leader = leader
        self._marker = marker.encode()
        self._known: set[Member] = set()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to everyone; who may not be signalled, or is gone, is passed over."""
        strays = self._strays()
        # The group in one call, so that no member can fork away between two of them. The leader is not reaped before
        # all is over: its id cannot mean another group.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._leader, number)
        for stray in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(stray.pid, number)

    def gone(self) -> bool:
        """Nobody is left."""
        return not self._find()

    def _strays(self) -> list[Member]:
        return [row.member for row in self._find() if row.group != self._leader]

    def _find(self) -> list[_Row]:
        rows = {row.member.pid: row for row in _read_processes()}
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


def _read_processes() -> Iterator[_Row]:
    """Everything that runs; what has ended and only waits to be reaped is left out."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir("/proc"):
            # The program's name stands in parentheses and may hold anything, closing ones included.
            fields = _read(f"/proc/{name}/stat").rpartition(b")")[2].split() if name.isdecimal() else []
            if fields and fields[0] not in (b"Z", b"X"):
                yield _Row(Member(int(name), int(fields[19])), int(fields[1]), int(fields[2]), int(fields[3]))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.readall()
    except OSError:
        return b""
