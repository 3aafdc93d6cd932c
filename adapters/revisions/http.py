"""Fetches bundles over HTTP and HTTPS, through cut connections and restarts: what came so far is kept beside the target
as `<name>.part`, with the server's tag for it in `<name>.part.tag`.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from adapters.revisions.checking import check_hash, check_size, check_tag, hash_file
from adapters.revisions.leash import Leash
from adapters.revisions.web import MOST_REDIRECTS, RETRIES, GiveUp, Patience, TryAgain, client, raise_for, shown
from domain.bundles import BundleLimits, Retries
from domain.errors import BundleError

_BUFFER = 1024 * 1024


def fetch_http(
    url: str,
    to: Path,
    *,
    sha256: str | None,
    limits: BundleLimits,
    e_tag: str | None = None,
    retries: Retries = RETRIES,
    wait: Callable[[float], object] = time.sleep,
    jitter: Callable[[], float] = random.random,
    over: Callable[[], str] = str,
) -> Path:
    """Fetch a bundle to the file `to`, whose directory must be there; answers `to`. One with the hash already stays.

    Broken connections, 5xx, 408, 425 and 429 are tried again, going on where the last one stopped, in a later call too.
    `over` is asked again and again whether that must end, and says why, or nothing. Raises BundleError: with its
    words, with the answer for other statuses, with both values for a wrong SHA-256 or for an answer, whole or in part,
    that does not carry the expected eTag (nothing is left then).
    """
    what = f"fetching {shown(url)}"
    try:
        if sha256 is not None and to.is_file() and hash_file(to) == sha256.lower():
            return to
        with client(url, retries, follow=False) as web, Leash(over) as leash:
            fetch = _Fetch(web, url, to, Expected(sha256, e_tag, limits), leash)
            return Patience(retries, wait, jitter).insist(what, fetch.attempt)
    except httpx.InvalidURL:
        raise BundleError(f"{what} failed: it is no http or https URL") from None
    except httpx.HTTPError as error:
        raise BundleError(f"{what} failed: {error}") from error
    except OSError as error:
        raise BundleError(f"{what} failed: cannot write {to}: {error.strerror or error}") from error


class Expected(NamedTuple):
    """What is known of the bundle beforehand."""

    sha256: str | None
    e_tag: str | None
    limits: BundleLimits


class _Fetch:
    def __init__(self, web: httpx.Client, url: str, to: Path, expected: Expected, leash: Leash) -> None:
        self._web, self._url, self._to, self._expected, self._leash = web, url, to, expected, leash
        self._part = to.with_name(f"{to.name}.part")
        self._tag = to.with_name(f"{to.name}.part.tag")

    def attempt(self) -> Path:
        """Ask for what is missing and add it to the part; raises TryAgain or what httpx raises if that is not all."""
        self._check_over()
        try:
            return self._ask()
        except httpx.TransportError:
            self._check_over()
            raise
        finally:
            self._leash.let_go()

    def _ask(self) -> Path:
        have, tag = self._standing()
        headers = {"accept-encoding": "identity"}
        if have:
            headers |= {"range": f"bytes={have}-", "if-range": tag}
        with self._answer(headers) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._forget()
                raise TryAgain("the server has less than was fetched before")
            raise_for(response)
            if response.status_code not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
                raise GiveUp(f"unexpected status {response.status_code}")
            self._check_tag(response)
            resumed = _goes_on_at(response, have)
            digest = self._receive(response, have if resumed else 0)
        # What was cut may look like a body that ends with its connection.
        self._check_over()
        return self._finish(digest, resumed=resumed)

    @contextmanager
    def _answer(self, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """The answer after all redirects, whose bodies nobody reads."""
        asked = self._web.build_request("GET", self._url, headers=headers, extensions={**self._leash.extensions})
        for _ in range(MOST_REDIRECTS + 1):
            response = self._web.send(asked, stream=True)
            with closing(response):
                if response.next_request is None:
                    yield response
                    return
                asked = response.next_request
            self._leash.let_go()
        raise GiveUp(f"it leads on and on: more than {MOST_REDIRECTS} redirects")

    def _check_over(self) -> None:
        if why := self._leash.over():
            raise GiveUp(why)

    def _check_tag(self, response: httpx.Response) -> None:
        try:
            check_tag(shown(self._url), response.headers.get("etag"), self._expected.e_tag)
        except BundleError:
            self._forget()
            raise

    def _standing(self) -> tuple[int, str]:
        """Bytes fetched before, and the tag they are good for; 0 if they cannot be gone on with."""
        try:
            size, tag = self._part.stat().st_size, self._tag.read_text()
        except FileNotFoundError:
            return 0, ""
        return (size, tag) if tag else (0, "")

    def _receive(self, response: httpx.Response, have: int) -> str:
        """Add the body to the part's first `have` bytes; the SHA-256 of it all."""
        what = shown(self._url)
        check_size(what, have + _declared(response), self._expected.limits)
        digest = self._digest_of_part() if have else hashlib.sha256()
        with self._part.open("ab" if have else "wb", _BUFFER) as file:
            if not have:
                self._tag.write_text(_strong_tag(response))
            for data in response.iter_raw():
                have += len(data)
                check_size(what, have, self._expected.limits)
                file.write(data)
                digest.update(data)
        return digest.hexdigest()

    def _digest_of_part(self) -> hashlib._Hash:
        with self._part.open("rb") as file:
            return hashlib.file_digest(file, "sha256")

    def _finish(self, digest: str, *, resumed: bool) -> Path:
        try:
            check_hash(shown(self._url), digest, self._expected.sha256)
        except BundleError as error:
            self._forget()
            if resumed:  # The part of an earlier run may be what was damaged.
                raise TryAgain(error.message) from error
            raise
        self._part.replace(self._to)
        self._forget()
        return self._to

    def _forget(self) -> None:
        self._part.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)


def _goes_on_at(response: httpx.Response, have: int) -> bool:
    """Whether the body goes on where we stopped; if not, it is the whole."""
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return False
    if not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
        raise TryAgain("the server sent another part than it was asked for")
    return True


def _declared(response: httpx.Response) -> int:
    text = response.headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0


def _strong_tag(response: httpx.Response) -> str:
    """The tag by which a part can be gone on with; weak ones do not vouch for single bytes."""
    tag = str(response.headers.get("etag", ""))
    return "" if tag.startswith("W/") else tag
