"""One Redis server, asked through scripts and plain commands; whatever goes wrong there becomes a WorldError.

Every script may be run again after a lost answer: it finds its own mark and changes nothing twice. Knows no deployment.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.client import Pipeline
from redis.retry import Retry

from adapters.store.records import compact
from domain.channels import MOST_WAITING
from domain.errors import WorldError

SECONDS = 10.0
"""An answer must come within this time."""
RETRIES = 12
"""With the back-off, some ten seconds: enough for a server to restart and load its data."""
PATIENCE = 60.0
"""Seconds after which nothing is sent again: a write's mark must still be there when it is (`lua/prelude.lua`)."""

_WORTH_ANOTHER_TRY = (
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.ReadOnlyError,
)

T = TypeVar("T")
Answer: TypeAlias = Any
"""What a script returns: text, number, None or lists of these."""


class Connection:
    """A server and the prefix of everything kept in it; safe for threads and after a fork."""

    def __init__(self, url: str, prefix: str, *, most_waiting: int = MOST_WAITING) -> None:
        self.prefix = prefix
        self._most_waiting = most_waiting
        self.where = shown(url)
        self._redis = redis.Redis.from_url(
            plain(url),
            decode_responses=True,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            health_check_interval=30,
            protocol=2,
            # The client's own retries are nested: nobody knows when they end. It has only to leave a server that became
            # a replica.
            retry=Retry(NoBackoff(), 0),
            retry_on_error=[redis.exceptions.ReadOnlyError],
        )
        self._retry = Retry(ExponentialWithJitterBackoff(base=0.02, cap=1.5), RETRIES, _WORTH_ANOTHER_TRY)

    def run(self, name: str, given: Mapping[str, object]) -> Answer:
        """Run a script of `lua/` on its input."""
        source, sha = script(name)
        arguments = (0, self.prefix, compact(given), self._most_waiting)

        def evaluate() -> Answer:
            try:
                return self._redis.evalsha(sha, *arguments)
            except redis.exceptions.NoScriptError:
                return self._redis.eval(source, *arguments)
            except redis.exceptions.ResponseError as error:
                if "READONLY" not in str(error):
                    raise
                # Redis before 7 says so in its own words where a script meets it. The next try may find another server.
                self._redis.connection_pool.disconnect()
                raise redis.exceptions.ReadOnlyError(str(error)) from error

        return self._insist(evaluate)

    def ask(self, command: Callable[[redis.Redis], Answer]) -> Answer:
        """Run a command that only reads."""
        return self._insist(lambda: command(self._redis))

    def ask_all(self, queue: Callable[[Pipeline], object], *, at_once: bool = False) -> list[Answer]:
        """Run commands that only read, in one round trip; `at_once`: with nothing in between."""

        def execute() -> list[Answer]:
            with self._redis.pipeline(transaction=at_once) as pipeline:
                queue(pipeline)
                found: list[Answer] = pipeline.execute()
                return found

        return self._insist(execute)

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()

    def _insist(self, command: Callable[[], T]) -> T:
        give_up = time.monotonic() + PATIENCE

        def check_time(error: Exception) -> None:
            if time.monotonic() >= give_up:
                raise error

        try:
            return self._retry.call_with_retry(command, check_time)
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
            raise WorldError(
                f"Redis at {self.where} does not answer ({error}). Check that it runs and that the store URL names it."
            ) from error
        except redis.exceptions.RedisError as error:
            raise WorldError(f"Redis at {self.where} refuses: {error}") from error


@cache
def script(name: str) -> tuple[str, str]:
    """The text of a script and the digest Redis knows it by."""
    folder = Path(__file__).parent / "lua"
    source = "\n".join((folder / f"{part}.lua").read_text("utf-8") for part in ("prelude", name))
    return source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


def plain(url: str) -> str:
    """The URL as redis-py spells it: `redis+socket://` is what Celery calls `unix://`."""
    if not url.startswith("redis+socket://"):
        return url
    parts = urlsplit(url)
    query = [("db" if name == "virtual_host" else name, value) for name, value in parse_qsl(parts.query)]
    return f"unix://{parts.netloc}{parts.path}?{urlencode(query)}"


def shown(url: str) -> str:
    """The URL without what is secret in it, for messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
