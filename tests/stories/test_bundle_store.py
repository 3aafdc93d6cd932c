"""The bundle store as its users meet it: a real server, real connections that break, real files."""

from __future__ import annotations

import errno
import functools
import logging
import os
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.bundles.disk import BundleDisk, Incoming
from adapters.host.unpack import unpack
from adapters.revisions.http import fetch_http
from adapters.revisions.pack import pack_directory
from adapters.revisions.upload import upload_bundle
from api.bundles import bundle_app
from config.settings import AgentSettings
from domain.bundles import BundleLimits, BundleType, Retries
from domain.errors import BundleError
from domain.reports import BundleSource
from tests.stories.bundle_site import (
    DRIPS,
    KEY,
    MOST,
    START,
    TOKEN,
    Door,
    Site,
    answer,
    cutting,
    dripping,
    serving,
    sha256_of,
    wait_until,
)
from workers.host import Fetcher
from workflows.signing import sign_path

CONTENT = random.Random(7).randbytes(3_000_000)  # noqa: S311  (the same in every process)
SHA256 = sha256_of(CONTENT)
LIMITS = BundleLimits(max_bytes=MOST)
WITH_TOKEN = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Door, str]]:
    """One server for all: what is behind its door changes with each test."""
    door = Door()
    with serving(door) as url:
        yield door, url


@pytest.fixture
def site(server: tuple[Door, str], tmp_path: Path) -> Iterator[Site]:
    door, url = server
    site = door.site = Site(tmp_path / "store", url)
    yield site
    wait_until(lambda: site.left_over() == [])


@pytest.fixture
def web(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url, trust_env=False) as client:
        yield client


@pytest.fixture
def waits() -> list[float]:
    """How long was waited between attempts; nobody really waits."""
    return []


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Where a host fetches to."""
    folder = tmp_path / "host"
    folder.mkdir()
    return folder


def fetch(url: str, host: Path, waits: list[float], *, sha256: str | None = SHA256, **more: Any) -> Path:
    retries = Retries(attempts=more.pop("attempts", 5))
    given: dict[str, Any] = {"limits": LIMITS, "retries": retries, "wait": waits.append, "jitter": lambda: 0.0} | more
    return fetch_http(url, host / "bundle", sha256=sha256, **given)


def begun(site: Site, header: str) -> socket.socket:
    """A connection on which an upload was begun: its head is sent, with one more header."""
    host, _, port = site.url.removeprefix("http://").partition(":")
    wire = socket.create_connection((host, int(port)), timeout=20)
    wire.sendall(
        f"PUT /bundles/{SHA256} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n{header}\r\n\r\n".encode()
    )
    return wire


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_revision_travels_from_a_directory_to_a_host(site: Site, tmp_path: Path, host: Path) -> None:
    source = tmp_path / "source"
    (source / "bin").mkdir(parents=True)
    (source / "appspec.yml").write_text("version: 0.0\nos: linux\n")
    (source / "bin/app").write_bytes(CONTENT)
    (source / "bin/app").chmod(0o755)
    sha256 = pack_directory(source, tmp_path / "bundle.tgz", BundleType.TGZ)
    upload_bundle(site.url + "/", TOKEN, tmp_path / "bundle.tgz", sha256)
    link = site.url + sign_path(f"/bundles/{sha256}", key=KEY, expires=int(START) + 60)
    bundle = fetch_http(link, host / "bundle", sha256=sha256, limits=LIMITS)
    unpack(bundle, BundleType.TGZ, host / "archive", LIMITS)
    assert (host / "archive/bin/app").read_bytes() == CONTENT
    assert os.access(host / "archive/bin/app", os.X_OK)
    assert names(host) == ["archive", "bundle"]


class TestFetching:
    def test_a_cut_connection_is_gone_on_with(self, site: Site, host: Path, waits: list[float]) -> None:
        link = site.keep(CONTENT)
        with cutting(site.url, [1_000_000, 900_000]) as wire:
            fetch(link.replace(site.url, wire), host, waits)
        assert (host / "bundle").read_bytes() == CONTENT
        starts = [int(headers.get("range", "bytes=0-")[6:-1]) for _, headers in site.asked]
        assert len(starts) == 3
        assert 0 == starts[0] < starts[1] < starts[2]
        assert starts[2] > 1_800_000
        assert {headers.get("if-range") for _, headers in site.asked[1:]} == {f'"{SHA256}"'}
        assert waits == [0.5, 1.0]
        assert names(host) == ["bundle"]

    def test_a_later_call_goes_on_as_well(self, site: Site, host: Path, waits: list[float]) -> None:
        link = site.keep(CONTENT)
        with cutting(site.url, [1_000_000]) as wire, pytest.raises(BundleError, match=r"\(1 attempts\)"):
            fetch(link.replace(site.url, wire), host, waits, attempts=1)
        have = (host / "bundle.part").stat().st_size
        assert have > 900_000
        fetch(link, host, waits, attempts=1)
        assert site.asked[-1][1]["range"] == f"bytes={have}-"
        assert (host / "bundle").read_bytes() == CONTENT
        assert names(host) == ["bundle"]

    def test_another_bundle_is_not_glued_to_an_old_part(self, site: Site, host: Path, waits: list[float]) -> None:
        (host / "bundle.part").write_bytes(b"x" * 1000)
        (host / "bundle.part.tag").write_text('"another"')
        fetch(site.keep(CONTENT), host, waits)
        assert site.asked[0][1]["if-range"] == '"another"'
        assert (host / "bundle").read_bytes() == CONTENT

    @pytest.mark.parametrize("size", [1000, 4_000_000], ids=["damaged", "too long"])
    def test_a_bad_part_is_thrown_away(self, size: int, site: Site, host: Path, waits: list[float]) -> None:
        (host / "bundle.part").write_bytes(b"x" * size)
        (host / "bundle.part.tag").write_text(f'"{SHA256}"')
        fetch(site.keep(CONTENT), host, waits)
        assert (host / "bundle").read_bytes() == CONTENT
        assert [headers.get("range") for _, headers in site.asked] == [f"bytes={size}-", None]

    def test_what_is_there_already_is_not_fetched(self, site: Site, host: Path, waits: list[float]) -> None:
        link = site.keep(CONTENT)
        for _ in range(2):
            fetch(link, host, waits)
        assert site.methods() == ["GET"]

    def test_a_wrong_hash_names_both_and_leaves_nothing(self, site: Site, host: Path, waits: list[float]) -> None:
        with pytest.raises(BundleError) as caught:
            fetch(site.keep(CONTENT), host, waits, sha256="0" * 64)
        assert SHA256 in str(caught.value)
        assert "0" * 64 in str(caught.value)
        assert names(host) == []
        assert site.methods() == ["GET"]

    def test_without_a_hash_anything_is_taken(self, site: Site, host: Path, waits: list[float]) -> None:
        fetch(site.keep(CONTENT), host, waits, sha256=None)
        assert (host / "bundle").read_bytes() == CONTENT

    def test_errors_that_pass_are_waited_out_longer_each_time(self, site: Site, host: Path, waits: list[float]) -> None:
        site.faults = [answer(503), answer(500), answer(429, retry_after="7"), answer(408)]
        fetch(site.keep(CONTENT), host, waits)
        assert waits == [0.5, 1.0, 7.0, 4.0]

    def test_the_last_cause_and_the_attempts_are_told(self, site: Site, host: Path, waits: list[float]) -> None:
        site.faults = [answer(503)] * 3
        with pytest.raises(BundleError, match=r"503 Service Unavailable \(3 attempts\)"):
            fetch(site.keep(CONTENT), host, waits, attempts=3)
        assert len(waits) == 2

    def test_jitter_shortens_waits(self, site: Site, host: Path, waits: list[float]) -> None:
        site.faults = [answer(503)] * 2
        link = site.keep(CONTENT)
        fetch_http(link, host / "bundle", sha256=SHA256, limits=LIMITS, wait=waits.append, jitter=lambda: 1.0)
        assert waits == [0.25, 0.5]

    @pytest.mark.parametrize("status", [400, 401, 404, 410])
    def test_errors_that_stay_are_not_tried_again(
        self, status: int, site: Site, host: Path, waits: list[float]
    ) -> None:
        site.faults = [answer(status)]
        with pytest.raises(BundleError, match=rf"{status} .*\(attempt 1 of 5\)"):
            fetch(site.keep(CONTENT), host, waits)
        assert (waits, names(host)) == ([], [])

    def test_an_expired_link_is_told_without_its_secret(
        self, site: Site, host: Path, waits: list[float], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        link = site.keep(CONTENT)
        fetch(link, host, waits)
        (host / "bundle").unlink()
        site.time += 61
        with pytest.raises(BundleError, match="403 Forbidden: the link has expired") as caught:
            fetch(link, host, waits)
        secret = link.partition("signature=")[2]
        assert f"{site.url}/bundles/{SHA256}" in str(caught.value)
        assert secret
        assert secret not in str(caught.value) + caplog.text
        assert "expires=" not in str(caught.value) + caplog.text

    def test_nobody_there(self, host: Path, waits: list[float]) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://user:pass@127.0.0.1:{taken.getsockname()[1]}/b?signature=secret"
            with pytest.raises(BundleError, match=r"refused \(2 attempts\)") as caught:
                fetch(url, host, waits, attempts=2)
        assert "secret" not in str(caught.value)
        assert "pass" not in str(caught.value)

    @pytest.mark.parametrize(
        "url", ["ftp://127.0.0.1/b?s=secret", "http:///b?s=secret", "http://127.0.0.1:x/?s=secret"]
    )
    def test_what_is_no_http_url(self, url: str, host: Path, waits: list[float]) -> None:
        with pytest.raises(BundleError) as caught:
            fetch(url, host, waits)
        assert "secret" not in str(caught.value)
        assert waits == []

    def test_too_big_a_bundle_is_not_even_begun(self, site: Site, host: Path, waits: list[float]) -> None:
        with pytest.raises(BundleError, match="max_bytes"):
            fetch(site.keep(CONTENT), host, waits, limits=BundleLimits(max_bytes=1000))
        assert names(host) == []

    def test_redirects_are_followed_but_not_to_other_schemes(self, site: Site, host: Path, waits: list[float]) -> None:
        link = site.keep(CONTENT)
        site.faults = [answer(302, location=link)]
        fetch(f"{site.url}/elsewhere", host, waits)
        assert (host / "bundle").read_bytes() == CONTENT
        site.faults = [answer(302, location="ftp://127.0.0.1/x?secret")]
        with pytest.raises(BundleError, match="leads on to ftp") as caught:
            fetch(f"{site.url}/elsewhere", host, waits, sha256=None)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("what", DRIPS)
    def test_no_server_holds_a_host_longer_than_an_event_may_take(self, host: Path, what: str) -> None:
        source = functools.partial(BundleSource, bundle_type="zip")
        with dripping(what) as url, pytest.raises(BundleError) as caught:
            self.fetcher()(source(location=url), host / "archive", seconds=1, stop=threading.Event())
        words = "404 No" if what == "an error" else "longer than the 1 seconds that one lifecycle event may take"
        assert words in str(caught.value)
        assert not (host / "archive").exists()

    @pytest.mark.parametrize("what", DRIPS)
    def test_a_stop_that_is_to_be_at_once_ends_a_download(self, host: Path, what: str) -> None:
        stop = threading.Event()
        timer = threading.Timer(0.3, stop.set)
        timer.start()
        with dripping(what) as url, pytest.raises(BundleError, match=r"404 No|stopped with the deployment"):
            self.fetcher()(BundleSource(location=url, bundle_type="zip"), host / "archive", seconds=3600, stop=stop)
        timer.join()

    def test_nobody_waits_for_another_attempt_of_what_was_stopped(self, host: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/bundle"
        said: list[str] = []

        def over() -> str:
            # Once before the first attempt, and from then on always.
            said.append("it was stopped" if said else "")
            return said[-1]

        waits: list[float] = []
        with pytest.raises(BundleError, match="it was stopped"):
            fetch(url, host, waits, over=over)
        assert waits == []

    def fetcher(self) -> Fetcher:
        return Fetcher(AgentSettings())

    def test_redirects_in_circles_end(self, site: Site, host: Path, waits: list[float]) -> None:
        site.faults = [answer(302, location="/again")] * 20
        with pytest.raises(BundleError, match="redirects"):
            fetch(f"{site.url}/again", host, waits)

    def test_a_target_that_cannot_be_written(self, site: Site, host: Path, waits: list[float]) -> None:
        with pytest.raises(BundleError, match="cannot write"):
            fetch(site.keep(CONTENT), host / "missing", waits)


class TestUploading:
    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Path:
        path = tmp_path / "bundle.tgz"
        path.write_bytes(CONTENT)
        return path

    def upload(self, site: Site, bundle: Path, waits: list[float], *, token: str = TOKEN, sha256: str = SHA256) -> None:
        upload_bundle(site.url, token, bundle, sha256, wait=waits.append, jitter=lambda: 0.0)

    def test_what_is_there_is_not_sent_again(self, site: Site, bundle: Path, waits: list[float]) -> None:
        for _ in range(2):
            self.upload(site, bundle, waits)
        assert site.methods() == ["HEAD", "PUT", "HEAD"]
        found = site.disk.find(SHA256)
        assert found is not None
        assert found.read_bytes() == CONTENT

    def test_errors_that_pass_are_waited_out(self, site: Site, bundle: Path, waits: list[float]) -> None:
        site.faults = [answer(502), answer(404), answer(503)]
        self.upload(site, bundle, waits)
        assert site.methods() == ["HEAD", "HEAD", "PUT", "HEAD", "PUT"]
        assert waits == [0.5, 1.0]

    def test_a_wrong_token_is_told_and_not_shown(self, site: Site, bundle: Path, waits: list[float]) -> None:
        with pytest.raises(BundleError, match="another token") as caught:
            self.upload(site, bundle, waits, token="guess-guess")
        assert "guess" not in str(caught.value)
        assert site.disk.list() == []

    def test_a_bundle_that_changed_is_refused(self, site: Site, bundle: Path, waits: list[float]) -> None:
        with pytest.raises(BundleError, match=rf"422 .*{SHA256}"):
            self.upload(site, bundle, waits, sha256="0" * 64)
        assert site.disk.list() == []

    def test_a_bundle_that_is_not_there(self, site: Site, tmp_path: Path, waits: list[float]) -> None:
        with pytest.raises(BundleError, match="No such file"):
            self.upload(site, tmp_path / "missing", waits)

    def test_what_is_no_bundle_store_is_told(self, site: Site, bundle: Path, waits: list[float]) -> None:
        site.faults = [answer(302, location="http://127.0.0.1/login")]
        with pytest.raises(BundleError, match="is it a bundle store"):
            self.upload(site, bundle, waits)


class TestServer:
    def put(self, web: httpx.Client, content: bytes = CONTENT, name: str = SHA256, **headers: str) -> httpx.Response:
        return web.put(f"/bundles/{name}", content=content, headers=headers or WITH_TOKEN)

    def test_putting_twice_is_harmless(self, site: Site, web: httpx.Client) -> None:
        answers = [self.put(web) for _ in range(2)]
        assert [each.status_code for each in answers] == [201, 200]
        assert answers[0].json() == {"sha256": SHA256, "size": len(CONTENT)}
        assert len(site.disk.list()) == 1

    @pytest.mark.parametrize(
        "header", ["", "Bearer", "Bearer wrong", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer \xff"]
    )
    @pytest.mark.parametrize("method", ["PUT", "GET", "HEAD"])
    def test_only_the_token_lets_in(self, method: str, header: str, site: Site, web: httpx.Client) -> None:
        site.keep(CONTENT)
        headers = [(b"authorization", header.encode("latin-1"))]
        response = web.request(method, f"/bundles/{SHA256}", content=b"x" * (method == "PUT"), headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert method == "HEAD" or response.json()["error"] == "unauthorized"

    def test_another_hash_is_refused_and_leaves_nothing(self, site: Site, web: httpx.Client) -> None:
        response = self.put(web, b"other")
        assert (response.status_code, response.json()["error"]) == (422, "hash_mismatch")
        assert site.disk.list() == []

    @pytest.mark.parametrize("name", ["x", SHA256.upper(), "%2e%2e%2fsecret", SHA256 + "0"])
    def test_names_that_are_no_hash_are_refused(self, name: str, web: httpx.Client) -> None:
        assert self.put(web, name=name).status_code in {400, 404}

    @pytest.mark.parametrize(
        ("header", "sent"),
        [
            (f"content-length: {MOST + 1}", b""),
            ("transfer-encoding: chunked", f"{MOST + 1:x}\r\n".encode() + bytes(MOST + 1)),
        ],
        ids=["said", "unsaid"],
    )
    def test_too_big_is_refused_whether_it_is_said_or_not(self, header: str, sent: bytes, site: Site) -> None:
        with begun(site, header) as wire:
            wire.sendall(sent)
            assert b" 413 " in wire.recv(4096)
        assert site.disk.list() == []

    def test_an_upload_that_is_cut_leaves_nothing(self, site: Site) -> None:
        with begun(site, f"content-length: {len(CONTENT)}") as wire:
            wire.sendall(CONTENT[:2_000_000])
            wire.shutdown(socket.SHUT_WR)
            while wire.recv(4096):
                pass
        assert site.disk.list() == []

    def test_a_full_disk_is_told(self, web: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_self: Incoming, _data: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Incoming, "write", full)
        response = self.put(web)
        assert (response.status_code, response.json()["error"]) == (507, "full")

    def test_links_may_be_cut_to_parts(self, site: Site, web: httpx.Client) -> None:
        link = site.keep(CONTENT)
        whole = web.get(link)
        assert whole.content == CONTENT
        assert whole.headers["etag"] == f'"{SHA256}"'
        part = web.get(link, headers={"range": "bytes=5-9", "if-range": f'"{SHA256}"'})
        assert (part.status_code, part.content) == (206, CONTENT[5:10])
        assert part.headers["content-range"] == f"bytes 5-9/{len(CONTENT)}"
        other = web.get(link, headers={"range": "bytes=5-9", "if-range": '"other"'})
        assert (other.status_code, len(other.content)) == (200, len(CONTENT))
        assert web.get(link, headers={"range": f"bytes={len(CONTENT)}-"}).status_code == 416

    def test_head_tells_without_sending(self, site: Site, web: httpx.Client) -> None:
        response = web.head(site.keep(CONTENT))
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-length"] == str(len(CONTENT))

    @pytest.mark.parametrize(
        ("before", "after"),
        [("signature=", "signature=0"), ("expires=1", "expires=2"), ("?", "?x="), (SHA256[:4], "0000")],
    )
    def test_links_that_were_changed_are_refused(self, before: str, after: str, site: Site, web: httpx.Client) -> None:
        response = web.get(site.keep(CONTENT).replace(before, after))
        assert (response.status_code, response.json()["error"]) == (403, "forbidden")

    def test_a_link_is_for_reading_only(self, site: Site, web: httpx.Client) -> None:
        assert web.put(site.keep(CONTENT), content=CONTENT).status_code == 401

    def test_what_is_not_there_is_told_to_those_who_may_ask(self, site: Site, web: httpx.Client) -> None:
        link = site.keep(CONTENT)
        site.disk.remove(SHA256)
        response = web.get(link)
        assert (response.status_code, response.json()["error"]) == (404, "not_found")
        assert SHA256 in response.json()["message"]

    def test_a_bug_gets_json_too(self, site: Site, web: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
        link = site.keep(CONTENT)
        monkeypatch.setattr(BundleDisk, "find", None)
        response = web.get(link)
        assert (response.status_code, response.json()["error"]) == (500, "error")

    def test_it_says_that_it_is_well(self, web: httpx.Client) -> None:
        assert web.get("/healthz").json() == {"status": "ok"}

    def test_other_paths_and_methods_get_json_too(self, web: httpx.Client) -> None:
        answers = [web.get("/"), web.delete(f"/bundles/{SHA256}")]
        assert [each.status_code for each in answers] == [404, 405]
        assert all({"error", "message"} == set(each.json()) for each in answers)

    def test_uploads_of_dead_processes_are_swept_at_the_start(self, tmp_path: Path) -> None:
        site = Site(tmp_path / "store")
        dead = site.disk.receive()
        (left,) = (tmp_path / "store/incoming").iterdir()
        os.utime(left, (START - 90_000, START - 90_000))
        with serving(site, lifespan=True):
            assert site.left_over() == []
        dead.discard()

    @pytest.mark.parametrize(("key", "token"), [(b"", "token"), (b"key", "")])
    def test_it_does_not_start_open_to_all(self, key: bytes, token: str, site: Site) -> None:
        with pytest.raises(ValueError, match="key to sign"):
            bundle_app(site.disk, key=key, token=token, now=lambda: START, limits=LIMITS)
