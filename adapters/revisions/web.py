"""HTTP as bundles need it: clients, messages and retries. Queries of URLs are secrets and go into no message or log."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import httpx

from domain.bundles import Retries
from domain.errors import BundleError

T = TypeVar("T")

# They log whole URLs, at INFO and DEBUG.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

_WORTH_ANOTHER_TRY = frozenset({408, 425, 429})
_MESSAGE_AT_MOST = 300
RETRIES = Retries()
MOST_REDIRECTS = 5


class TryAgain(Exception):
    """What may go better next time; `after` is how many seconds the server asks to be left alone."""

    def __init__(self, cause: str, *, after: float = 0.0) -> None:
        super().__init__(cause)
        self.after = after


class GiveUp(Exception):
    """What will go no better next time."""


class Patience(NamedTuple):
    """How often and how long to wait; `wait` and `jitter` (0 to 1) are the caller's."""

    retries: Retries
    wait: Callable[[float], object]
    jitter: Callable[[], float]

    def insist(self, what: str, attempt: Callable[[], T]) -> T:
        """The answer of the first attempt that succeeds; raises BundleError with the last cause and their number."""
        last = self.retries.attempts
        for number in range(1, last + 1):
            try:
                return attempt()
            except (GiveUp, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
                raise BundleError(f"{what} failed: {error} (attempt {number} of {last})") from error
            except (TryAgain, httpx.TransportError) as error:
                cause, after = _cause(error), error.after if isinstance(error, TryAgain) else 0.0
            if number < last:
                self.wait(self.retries.pause(number, self.jitter(), after))
        raise BundleError(f"{what} failed: {cause} ({last} attempts)")


def client(url: str, retries: Retries, *, follow: bool) -> httpx.Client:
    """A client for one URL. Redirects that are followed keep the scheme or go to https. Asks no environment."""
    scheme = url.partition(":")[0].lower()

    def check(request: httpx.Request) -> None:
        if request.url.scheme not in {scheme, "https"}:
            raise GiveUp(f"it leads on to {request.url.scheme}, which is not followed from {scheme}")

    timeout = httpx.Timeout(retries.read_seconds, connect=retries.connect_seconds)
    return httpx.Client(
        timeout=timeout,
        verify=_trusted(retries.ca_file),
        proxy=retries.proxy,
        trust_env=False,
        follow_redirects=follow,
        max_redirects=MOST_REDIRECTS,
        limits=httpx.Limits(max_keepalive_connections=0),
        event_hooks={"request": [check]},
    )


@lru_cache(maxsize=8)
def _trusted(ca_file: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def shown(url: str) -> str:
    """A URL for messages: without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the URL"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def raise_for(response: httpx.Response) -> None:
    """Raise TryAgain for a status that may pass, GiveUp for one that will not. Its body is read for the message."""
    status = response.status_code
    if status < 400:
        return
    cause = f"{status} {response.reason_phrase}".strip() + told(response)
    if status >= 500 or status in _WORTH_ANOTHER_TRY:
        raise TryAgain(cause, after=_retry_after(response))
    raise GiveUp(cause)


def told(response: httpx.Response) -> str:
    """`: ` and the message of a JSON error, if that is what the answer holds; else nothing."""
    if "json" not in response.headers.get("content-type", ""):
        return ""
    try:
        body = b"".join(_first(response, 16 * 1024))
        message = httpx.Response(200, content=body).json()["message"]
    except (httpx.HTTPError, httpx.StreamError, ValueError, LookupError, TypeError):
        return ""
    return f": {str(message)[:_MESSAGE_AT_MOST]}"


def _first(response: httpx.Response, most: int) -> list[bytes]:
    taken: list[bytes] = []
    for data in response.iter_raw():
        taken.append(data)
        if sum(map(len, taken)) > most:
            break
    return taken


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() and len(text) < 9 else 0.0


def _cause(error: Exception) -> str:
    return str(error) or type(error).__name__
