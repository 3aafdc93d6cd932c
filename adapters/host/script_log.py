"""Keeps what an event's scripts say: all of it in a deployment's `logs/scripts.log` up to a size, the newest in memory.

It knows entries as bytes and never what they mean. Writing the log never fails an event: a full disk is reported once
as an entry of the event instead.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from domain.hooks import PIECE_BYTES, TAIL_CHARACTERS, cut_tail, readable, warning_entry

LEFT_OUT = warning_entry("the log has reached its size limit; what follows is left out")
"""The last entry of a log that is full."""


class ScriptLog:
    """The log file of one deployment on this host; made on first use, appended to after.

    The head is kept: of the entry that would grow the file beyond `limit` bytes and of all after it, one line says
    that they are left out. Entries begin with the local time and end in a newline; their bytes are kept as they are.
    """

    def __init__(self, path: Path, *, limit: int) -> None:
        self.path = path
        self.limit = limit
        self._fd: int | None = None
        self._size = 0
        self._full = False

    def append(self, entries: Sequence[bytes]) -> None:
        """Write the entries as far as there is room. Raises OSError."""
        if self._fd is None:
            self._open()
        if self._full:
            return
        stamp = time.strftime("%Y-%m-%d %H:%M:%S ").encode()
        fitting = count_fitting(entries, self.limit - self._size, len(stamp) + 1)
        self._full = fitting < len(entries)
        kept = [*entries[:fitting], LEFT_OUT] if self._full else entries
        self._write(b"".join(b"%s%s\n" % (stamp, entry) for entry in kept))

    def close(self) -> None:
        """Let go of the file; a later entry opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self.path, flags, 0o640)
        self._size = os.fstat(self._fd).st_size
        end = os.pread(self._fd, len(LEFT_OUT) + 1, max(0, self._size - len(LEFT_OUT) - 1))
        self._full = end == LEFT_OUT + b"\n"

    def _write(self, data: bytes) -> None:
        assert self._fd is not None  # noqa: S101
        self._size += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]


def count_fitting(entries: Sequence[bytes], room: int, extra: int = 0) -> int:
    """How many of the entries, from the first on, fit in `room` bytes, with `extra` bytes each."""
    for index, entry in enumerate(entries):
        room -= len(entry) + extra
        if room < 0:
            return index
    return len(entries)


class Transcript:
    """One event's entries on their way to the log, to whoever listens, and to the tail kept for diagnostics.

    As much as a whole log may hold is streamed for each event, however full the log is already.
    """

    def __init__(self, log: ScriptLog, on_line: Callable[[str], None]) -> None:
        self._log = log
        self._on_line = on_line
        self._room = log.limit
        self._broken = False
        self._newest: deque[bytes] = deque()
        self._newest_size = 0

    def add(self, *entries: bytes) -> None:
        """Take up entries, each without its newline."""
        self._remember(entries)
        self._keep(entries)
        self._stream(entries)

    def tail(self) -> str:
        """The newest entries as text, at most as long as diagnostics may be."""
        return cut_tail([readable(entry) for entry in self._newest])

    def close(self) -> None:
        """Nothing more comes."""
        self._log.close()

    def _keep(self, entries: Sequence[bytes]) -> None:
        if self._broken:
            return
        try:
            self._log.append(entries)
        except OSError as error:
            self._broken = True
            note = warning_entry(f"{self._log.path} cannot be written ({error.strerror}); the log is incomplete")
            self._remember([note])
            self._stream([note])

    def _stream(self, entries: Sequence[bytes]) -> None:
        if self._room < 0:
            return
        fitting = count_fitting(entries, self._room)
        for entry in entries[:fitting]:
            self._room -= len(entry)
            self._on_line(readable(entry))
        if fitting < len(entries):
            self._room = -1
            self._on_line(readable(LEFT_OUT))

    def _remember(self, entries: Sequence[bytes]) -> None:
        for entry in entries:
            self._newest.append(entry)
            self._newest_size += len(entry) + 1
        # A character takes up to four bytes, and the newest entry counts whole however long it is.
        while self._newest and self._newest_size - len(self._newest[0]) > 4 * TAIL_CHARACTERS + PIECE_BYTES:
            self._newest_size -= len(self._newest.popleft()) + 1


class LineCutter:
    """Makes lines of a stream's chunks: a line is given out once it is complete, a long one piece by piece."""

    def __init__(self, cut: Callable[[bytes], Sequence[bytes]]) -> None:
        self._cut = cut
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines and pieces that the chunk completes."""
        *complete, rest = (self._rest + chunk).split(b"\n")
        lines = [piece for line in complete for piece in self._cut(line)]
        *pieces, self._rest = self._cut(rest)
        return lines + pieces

    def finish(self) -> list[bytes]:
        """What is left of a last line without a newline."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []
