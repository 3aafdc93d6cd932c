"""Archives of commits from GitHub, fetched by the control plane: its tokens go to GitHub's API and nowhere else, not
along with redirects to other hosts, and into no message.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import httpx

from adapters.revisions.web import GiveUp, TryAgain, client, shown, told
from domain.bundles import Retries
from domain.errors import ArchiveMissing, ArchiveRefused, ArchiveUnavailable, SlipwayError

ALL = "*"
"""Stands for every owner that has no token of its own."""
_ACCEPT = {"accept": "application/vnd.github+json", "user-agent": "slipway", "accept-encoding": "identity"}
_LIMITED = frozenset({403, 429})


class Token(NamedTuple):
    """A token and the name it has in the settings."""

    name: str
    secret: str

    def __repr__(self) -> str:
        return f"Token({self.name!r})"


def token_for(owner: str, tokens: Mapping[str, str], owners: Mapping[str, str]) -> Token | None:
    """The token for an owner's repositories: its own, else that of all; none where neither is set."""
    by_owner = {name.lower(): token for name, token in owners.items()}
    name = by_owner.get(owner.lower(), by_owner.get(ALL))
    return Token(name, tokens[name]) if name is not None else None


class GitHubArchives:
    """Fetches archives; `choose` gives the token for an owner."""

    def __init__(
        self,
        api_url: str,
        choose: Callable[[str], Token | None],
        *,
        max_bytes: int,
        seconds: float,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._choose, self._max_bytes, self._seconds, self._now, self._clock = choose, max_bytes, seconds, now, clock

    def fetch(self, repository: str, commit: str, write: Callable[[bytes], None]) -> None:
        """Write the gzipped tar of a commit, piece by piece.

        Raises ArchiveMissing, ArchiveRefused (asking again will not help) or ArchiveUnavailable (it may).
        """
        token = self._choose(repository.partition("/")[0])
        url = f"{self._api_url}/repos/{repository}/tarball/{commit}"
        headers = _ACCEPT | ({"authorization": f"Bearer {token.secret}"} if token else {})
        retries = Retries(read_seconds=min(30.0, self._seconds), connect_seconds=min(10.0, self._seconds))
        what = f"{repository}@{commit}"
        try:
            with client(url, retries, follow=True) as web, web.stream("GET", url, headers=headers) as response:
                if response.status_code != httpx.codes.OK:
                    raise self._problem(response, what, token)
                self._receive(response, what, write)
        except (GiveUp, TryAgain, httpx.TooManyRedirects, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ArchiveRefused(f"GitHub's answer for {what} is not followed: {_cause(error)}") from None
        except httpx.HTTPError as error:
            raise ArchiveUnavailable(f"{shown(self._api_url)} does not answer for {what}: {_cause(error)}") from None

    def _receive(self, response: httpx.Response, what: str, write: Callable[[bytes], None]) -> None:
        end, size = self._clock() + self._seconds, 0
        for data in response.iter_raw():
            size += len(data)
            if size > self._max_bytes:
                raise ArchiveRefused(f"the archive of {what} is larger than github.max_bytes ({self._max_bytes})")
            if self._clock() > end:
                raise ArchiveUnavailable(f"the archive of {what} took longer than github.seconds ({self._seconds:g})")
            write(data)

    def _problem(self, response: httpx.Response, what: str, token: Token | None) -> SlipwayError:
        status = response.status_code
        whom = f"the token {token.name!r}" if token else "anyone without a token"
        if status in {404, 422}:
            return ArchiveMissing(
                f"GitHub shows no commit {what} to {whom}: check repository and commit, and the settings github.tokens "
                "and github.owners"
            )
        if status == 401:
            return ArchiveRefused(f"GitHub does not accept {whom}: put a new one into the setting github.tokens")
        until = self._limited_until(response) if status in _LIMITED else None
        if until is not None:
            at = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            return ArchiveUnavailable(
                f"GitHub's rate limit for {whom} is used up until {at}: deploy again then, or set another token in "
                "github.tokens",
                until=until,
            )
        if status >= 500 or status in {408, 429}:
            return ArchiveUnavailable(f"GitHub answers {status} for {what}")
        return ArchiveRefused(f"GitHub answers {whom} {status} for {what}{told(response)}")

    def _limited_until(self, response: httpx.Response) -> float | None:
        after = response.headers.get("retry-after", "")
        if after.isdecimal():
            return self._now() + min(int(after), 86_400)
        reset = response.headers.get("x-ratelimit-reset", "")
        if response.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
            return min(float(reset), self._now() + 86_400)
        return None


def _cause(error: Exception) -> str:
    return type(error).__name__ if isinstance(error, httpx.HTTPError | httpx.InvalidURL) else str(error)
