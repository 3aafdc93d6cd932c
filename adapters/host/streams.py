"""The pipes a command writes its output to: read without waiting, never closed under a process that still writes.

Streams left open. A process that a command leaves running (a service, say) may keep the write ends. The read end then
goes to a `cat > /dev/null` of its own session, which ends with the last writer: the service never gets SIGPIPE, never
blocks on a full pipe, does not fill the disk, and does not depend on this process, which may be restarted. Files
instead of pipes would need none of that, but `echo … > /dev/stderr` truncates a file, and a service's output would grow
there unseen for ever.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
from collections.abc import Callable

NAMES = ("stdout", "stderr")
_CHUNK = 65536
# A background job's stdin is /dev/null unless it is redirected, hence the way around by 3.
_DISCARD = "exec 3<&0 </dev/null; cat <&3 >/dev/null 2>&1 &"


class Streams:
    """Pipes for stdout and stderr; `on_output` gets a stream's name and bytes as they are read."""

    def __init__(self, selector: selectors.BaseSelector, on_output: Callable[[str, bytes], None]) -> None:
        self._selector = selector
        self._on_output = on_output
        self._readers: dict[str, int] = {}
        self._writers: dict[str, int] = {}
        try:
            for name in NAMES:
                self._readers[name], self._writers[name] = os.pipe()
                os.set_blocking(self._readers[name], False)
                selector.register(self._readers[name], selectors.EVENT_READ, lambda name=name: self._read(name))
        except BaseException:
            self.close()
            raise

    @property
    def open(self) -> tuple[str, ...]:
        """The streams that somebody may still write to."""
        return tuple(self._readers)

    def writer(self, name: str) -> int:
        """The end that a command is given."""
        return self._writers[name]

    def give_to(self, user_id: int) -> None:
        """Let another user open the streams by name, as `echo … > /dev/stderr` does."""
        for writer in self._writers.values():
            os.fchown(writer, user_id, -1)

    def close_writers(self) -> None:
        """Leave the write ends to the command alone."""
        while self._writers:
            os.close(self._writers.popitem()[1])

    def mute(self) -> None:
        """Read on, but tell nobody."""
        self._on_output = lambda _name, _chunk: None

    def hand_over(self) -> tuple[str, ...]:
        """Have what is still open read by a process that outlives this one; the names of those streams."""
        left = self.open
        for name in left:
            fd = self._readers.pop(name)
            self._selector.unregister(fd)
            # Where no process can be started the end stays open: better a leak than a service killed by SIGPIPE.
            with contextlib.suppress(OSError):
                _discard(fd)
                os.close(fd)
        return left

    def close(self) -> None:
        """Close what is open."""
        self.close_writers()
        while self._readers:
            os.close(self._readers.popitem()[1])

    def _read(self, name: str) -> None:
        fd = self._readers[name]
        try:
            chunk = os.read(fd, _CHUNK)
        except BlockingIOError:
            return
        if chunk:
            self._on_output(name, chunk)
        else:
            self._selector.unregister(fd)
            os.close(self._readers.pop(name))


def _discard(fd: int) -> None:
    os.set_blocking(fd, True)
    subprocess.run(  # noqa: S603 - nothing of the revision's in it
        ["/bin/sh", "-c", _DISCARD],
        stdin=fd,
        cwd="/",
        env={"PATH": os.environ.get("PATH", os.defpath)},
        start_new_session=True,
        check=False,
    )
