"""One HTTP exchange, whatever the other side, the resolver or the settings do: it ends in time, and tells no path."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters import dialing
from adapters.exchange import Answer, CaFileUnusable, exchange, reachable
from domain.errors import WorldError
from tests.peers import SECRET, peer

SECONDS = 0.5
SOON = 5.0
"""Far beyond the time that an exchange has, for machines that are slow."""


def asked(url: str, *, most: int | None = 100, **more: Any) -> Answer:
    return exchange("GET", url, seconds=SECONDS, most=most, **more)


def refused(url: str, **more: Any) -> str:
    """Why there is no answer, which comes in time and keeps the path to itself."""
    began = time.monotonic()
    with pytest.raises(WorldError) as caught:
        asked(url, **more)
    assert time.monotonic() - began < SOON
    assert SECRET not in caught.value.message
    return caught.value.message


HEADS = {
    "no length": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n",
    "late": b"HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\n",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
}


@pytest.mark.parametrize("said", HEADS.values(), ids=HEADS.keys())
def test_where_nobody_wants_the_body_the_head_is_the_answer(said: bytes) -> None:
    with peer(said) as other:
        answer = asked(other.url, most=None)
        assert answer.status in {200, 202}
        assert answer.body == b""
        assert "timed out" in refused(other.url)


@pytest.mark.parametrize(
    "url", ["http://[::1/x", "http://[foo]/x", "http://a]b/", "http://127.0.0.1:99999/", "http://127.0.0.1:x/"]
)
def test_a_url_that_cannot_be_read_is_the_worlds_error(url: str) -> None:
    assert "nobody is asked" in refused(url)


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.internal"])
def test_so_is_a_name_that_cannot_be(host: str) -> None:
    assert refused(f"http://{host}/")
    with pytest.raises(WorldError):
        reachable(host, 80, seconds=SECONDS)


@contextmanager
def deaf() -> Iterator[tuple[str, int]]:
    """An address that swallows what is sent to it: connections to it are neither taken nor refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening, socket.socket() as first:
        address = listening.getsockname()
        first.connect(address)
        fill = [socket.socket() for _ in range(4)]
        for each in fill:
            each.setblocking(False)
            each.connect_ex(address)
        try:
            yield address
        finally:
            for each in fill:
                each.close()


def leads_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_all_addresses_of_a_name_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with deaf() as nowhere:
        leads_to(monkeypatch, *[nowhere] * 20)
        assert "does not answer" in refused("http://many.internal/")
        began = time.monotonic()
        with pytest.raises(WorldError):
            reachable("many.internal", 80, seconds=SECONDS)
        assert time.monotonic() - began < SOON


def test_one_that_is_deaf_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with deaf() as nowhere, peer(HEADS["late"]) as other:
        leads_to(monkeypatch, nowhere, ("127.0.0.1", other.port))
        assert asked("http://many.internal/", most=None).status == 202


def test_a_resolver_that_hangs_is_left_behind_and_gathers_no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go, hanging = threading.Event(), threading.Semaphore(0)

    truly = socket.getaddrinfo

    def hang(host: str, *more: Any, **others: Any) -> list[Any]:
        if host != "slow.internal":
            return truly(host, *more, **others)
        hanging.release()
        let_go.wait(60)
        return []

    monkeypatch.setattr(dialing, "_lookups", threading.BoundedSemaphore(2))
    with monkeypatch.context() as away:
        away.setattr(socket, "getaddrinfo", hang)
        for _ in range(2):
            assert "the look-up of its name took too long" in refused("http://slow.internal/")
        assert "too many names are being looked up" in refused("http://slow.internal/")
        assert hanging.acquire(timeout=0)
        assert hanging.acquire(timeout=0)
        assert not hanging.acquire(timeout=0)
    with peer(HEADS["late"]) as other:
        # An address needs no look-up.
        assert asked(other.url, most=None).status == 202
        let_go.set()
        assert asked(other.url.replace("127.0.0.1", "localhost"), most=None).status == 202


SAID = {
    "another protocol": (f"-ERR unknown command 'GET /{SECRET}'\r\n".encode(), "what it says is no HTTP"),
    "nothing": (b"", "it hung up without an answer"),
    "a version": (f"HTTP/{SECRET} 200 OK\r\n\r\n".encode(), "it speaks another version of HTTP"),
    "a status": (f"HTTP/1.1 {SECRET}\r\n\r\n".encode(), "what it says is no HTTP"),
    "half a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", "its answer breaks off"),
    "a long line": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "a line of its answer is too long"),
    "many headers": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "its answer is not as HTTP wants it"),
}


@pytest.mark.parametrize(("said", "words"), SAID.values(), ids=SAID.keys())
def test_what_a_peer_says_is_told_in_words_of_ours(said: bytes, words: str) -> None:
    with peer(said, hangs_up=True) as other:
        assert refused(other.url) == f"http://127.0.0.1:{other.port} does not answer: {words}"


def test_certificates_that_cannot_be_read_are_no_fault_of_the_server(tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    for name, why in (("gone.pem", "No such file"), ("text.pem", "holds no certificate"), (".", "")):
        with pytest.raises(CaFileUnusable) as caught:
            asked("https://127.0.0.1:1/", ca_file=str(tmp_path / name))
        assert str(tmp_path / name) in caught.value.message
        assert why in caught.value.message
