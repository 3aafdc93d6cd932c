"""Sends requests to a port of this machine at a fixed rate, each at its own moment whatever became of those before it
(open loop), and writes down what became of them: `python -m cli.traffic.load PORT COUNTS --rate 500`. Ends at SIGTERM.

A share of the requests opens a connection of its own; the rest goes over connections that are kept open.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import signal
from collections import deque
from pathlib import Path

from cli.traffic.connection import Answer, Connection, Lost, Unanswered
from cli.traffic.counts import Tally

PATIENCE = 10.0
"""Seconds until an answer that does not come is lost."""
IDLE = 5.0
"""Seconds after which an unused connection is closed by us, well before a server would."""
WRITTEN_EVERY = 0.1


class Load:
    """Requests to one port."""

    def __init__(self, port: int, rate: float, *, fresh: float) -> None:
        self._port = port
        self._rate = rate
        self._fresh = fresh
        self._idle: deque[Connection] = deque()
        self._tally = Tally(rate)
        fields = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        self._kept_request = f"{fields}\r\n".encode()
        self._fresh_request = f"{fields}Connection: close\r\n\r\n".encode()

    async def run(self, end: asyncio.Event, into: Path) -> None:
        """Send until `end` is set, wait for the last answers, and keep the counts in a file."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        writer = asyncio.create_task(self._write(into, began))
        waiting: set[asyncio.Task[None]] = set()
        number = 0
        while not end.is_set():
            due = began + number / self._rate
            # Also where it is behind: what was sent must be heard.
            await asyncio.sleep(max(0.0, due - loop.time()))
            number += 1
            task = asyncio.create_task(self._request(due, fresh=(number * self._fresh) % 1 < self._fresh))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        seconds = loop.time() - began
        await asyncio.gather(*waiting)
        writer.cancel()
        write_whole(into, self._tally.counts(seconds, ended=True).written())
        for connection in self._idle:
            connection.close()

    async def _write(self, into: Path, began: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            write_whole(into, self._tally.counts(now - began).written())
            while self._idle and now - self._idle[0].idle_since > IDLE:
                self._idle.popleft().close()
            await asyncio.sleep(WRITTEN_EVERY)

    async def _request(self, due: float, *, fresh: bool) -> None:
        loop = asyncio.get_running_loop()
        self._tally.sent(loop.time() - due)
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await (self._ask_fresh() if fresh else self._ask_kept())
        except TimeoutError:
            self._tally.failed("timeout")
        except Lost as lost:
            self._tally.failed(str(lost))
        except ConnectionRefusedError:
            self._tally.failed("refused")
        except OSError as error:
            self._tally.failed(error.strerror or type(error).__name__)
        else:
            self._tally.answered(*answer, loop.time() - due)

    async def _ask_fresh(self) -> Answer:
        connection = await Connection.to(self._port)
        try:
            return await connection.ask(self._fresh_request)
        finally:
            connection.close()

    async def _ask_kept(self) -> Answer:
        # The one used last, so that those that are not needed grow old and go.
        while self._idle:
            if (connection := self._idle.pop()).open:
                try:
                    return await self._ask_over(connection)
                except Unanswered:
                    self._tally.retried()
                    break
        return await self._ask_over(await Connection.to(self._port))

    async def _ask_over(self, connection: Connection) -> Answer:
        try:
            answer = await connection.ask(self._kept_request)
        except BaseException:
            connection.close()
            raise
        if connection.open:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        return answer


def write_whole(path: Path, text: str) -> None:
    """Write a file that readers see whole or not at all."""
    fresh = path.with_name(f".{path.name}")
    fresh.write_text(text)
    fresh.replace(path)


async def _send(given: argparse.Namespace) -> None:
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    await Load(given.port, given.rate, fresh=given.fresh).run(end, given.counts)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="load", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("counts", type=Path)
    parser.add_argument("--rate", type=float, default=500.0, help="requests a second")
    parser.add_argument("--fresh", type=float, default=0.2, help="the share that opens a connection of its own")
    given = parser.parse_args()
    # Where nobody answers, every request holds a connection of its own.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Nothing here makes circles worth a pause of the whole load.
    gc.freeze()
    asyncio.run(_send(given))


if __name__ == "__main__":
    main()
