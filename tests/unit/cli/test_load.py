"""The load against a server that misbehaves on purpose: what counts as lost, what is sent once more, and that a slow
answer holds nothing up."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.traffic.counts import Counts, read_counts
from cli.traffic.load import Load

PAGE = b'{"version": "v1", "host": "web-1"}'


def answer(*, status: str = "200 OK", page: bytes = PAGE, version: str = "v1", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nX-Version: {version}\r\nX-Host: web-1\r\n{more}Content-Length: {len(page)}\r\n\r\n"
    return head.encode() + page


GOOD = answer()
Script = Callable[[int, int], bytes | None]
"""What is written, to which request of which connection (both from 0); the connection is closed after anything but a
good answer."""


async def _load(script: Script, *, rate: float, fresh: float, requests: int, into: Path, slow: float) -> None:
    connections = itertools.count()
    end = asyncio.Event()
    serving: set[asyncio.Task[None] | None] = set()
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        serving.add(asyncio.current_task())
        connection = next(connections)
        for number in itertools.count():
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await reader.readuntil(b"\r\n\r\n")
                asked += 1
                if asked >= requests:
                    end.set()
                await asyncio.sleep(slow)
                written = script(number, connection)
                writer.write(written or b"")
                if written == GOOD:
                    continue
            break
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        await Load(server.sockets[0].getsockname()[1], rate, fresh=fresh).run(end, into)
        await asyncio.gather(*(task for task in serving if task))


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Counts]:
    def load(
        script: Script, *, rate: float = 500.0, fresh: float = 0.0, requests: int = 40, slow: float = 0.0
    ) -> Counts:
        into = tmp_path / "counts"
        asyncio.run(_load(script, rate=rate, fresh=fresh, requests=requests, into=into, slow=slow))
        counts = read_counts(into.read_text())
        assert counts.ended
        assert counts.sent == counts.ok + counts.failed
        return counts

    return load


@pytest.mark.parametrize("fresh", [0.0, 0.2, 1.0])
def test_good_answers_are_counted_by_who_gave_them(run: Callable[..., Counts], fresh: float) -> None:
    seen: dict[int, int] = {}

    def script(number: int, connection: int) -> bytes:
        seen[connection] = number + 1
        return GOOD

    counts = run(script, fresh=fresh, requests=100)
    assert (counts.failed, counts.retried) == (0, 0)
    assert set(counts.versions) == {"v1"}
    assert set(counts.hosts) == {"web-1"}
    assert len(seen) >= 100 if fresh == 1.0 else len(seen) >= 100 * fresh
    if fresh < 1:
        assert max(seen.values()) > 10


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (answer(status="503 Service Unavailable"), "status 503"),
        (answer(page=b"<h1>hello</h1>"), "wrong body"),
        (answer(page=b"[]"), "wrong body"),
        (answer(version="v2"), "wrong body"),
        (GOOD[:-5], "closed in the middle"),
        (GOOD[:20], "closed in the middle"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "status 200, of no length"),
        (b"", "closed"),
    ],
)
def test_every_other_answer_is_a_lost_request(run: Callable[..., Counts], written: bytes, reason: str) -> None:
    counts = run(lambda _, connection: written if connection == 3 else GOOD, fresh=1.0)
    assert counts.reasons == {reason: 1}
    assert counts.ok >= 39


def test_an_idle_connection_that_is_closed_costs_nothing(run: Callable[..., Counts]) -> None:
    closing = answer(more="Connection: close\r\n")
    counts = run(lambda number, _: closing if number == 2 else GOOD)
    assert (counts.failed, counts.retried) == (0, 0)


def test_a_kept_connection_that_is_closed_instead_of_answering_is_sent_again_and_says_so(
    run: Callable[..., Counts],
) -> None:
    counts = run(lambda number, connection: None if (number, connection) == (4, 0) else GOOD, rate=100.0)
    assert (counts.failed, counts.retried) == (0, 1)


def test_a_first_request_that_gets_no_answer_is_lost(run: Callable[..., Counts]) -> None:
    counts = run(lambda _, connection: None if connection == 0 else GOOD)
    assert counts.reasons == {"closed": 1}
    assert counts.retried == 0


def test_nobody_there_is_a_lost_request(tmp_path: Path) -> None:
    async def load() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        end = asyncio.Event()
        asyncio.get_running_loop().call_later(0.1, end.set)
        await Load(port, 200, fresh=0.5).run(end, tmp_path / "counts")

    asyncio.run(load())
    counts = read_counts((tmp_path / "counts").read_text())
    assert counts.ok == 0
    assert counts.reasons == {"refused": counts.sent}


def test_slow_answers_hold_no_request_up_and_their_wait_is_measured(run: Callable[..., Counts]) -> None:
    counts = run(lambda *_: GOOD, rate=200.0, requests=60, slow=0.3)
    # Each waited 0.3 seconds; one after the other they would have been three a second.
    assert counts.rate >= 150
    assert counts.p50 == pytest.approx(0.3, rel=0.3)
    assert counts.failed == 0
