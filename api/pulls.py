"""Pulling commits in for hosts that ask all at once: one pull for all who wait, and a failure that counts for a while,
so that a fleet does not ask GitHub once per host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from starlette.concurrency import run_in_threadpool

from domain.errors import ArchiveRefused, ArchiveUnavailable

FAILURE_COUNTS = 5.0
"""Seconds for which a failure is told again without a new try."""
_REMEMBERED = 1000

Commit = tuple[str, str]
"""A repository, `owner/name`, and the id of a commit."""


class Commits(Protocol):
    """Where archives of commits are kept, and where they come from."""

    def find(self, repository: str, commit: str) -> Path | None: ...
    def pull(self, repository: str, commit: str) -> Path: ...


class Pulls:
    """The pulls of one server; used from its event loop alone."""

    def __init__(self, commits: Commits, *, now: Callable[[], float]) -> None:
        self._commits, self._now = commits, now
        self._running: dict[Commit, asyncio.Task[Path]] = {}
        self._failed: dict[Commit, tuple[float, ArchiveRefused | ArchiveUnavailable]] = {}

    async def archive_of(self, repository: str, commit: str) -> Path:
        """The archive of a commit; raises ArchiveRefused or ArchiveUnavailable.

        Who goes away while it is pulled in takes nothing from the others.
        """
        found = await run_in_threadpool(self._commits.find, repository, commit)
        if found is not None:
            return found
        asked = (repository.lower(), commit.lower())
        running = self._running.get(asked)
        if running is None:
            self._recall(asked)
            running = self._running[asked] = asyncio.create_task(self._pull(asked, repository, commit))
            running.add_done_callback(lambda task: self._ended(asked, task))
        return await asyncio.shield(running)

    async def _pull(self, asked: Commit, repository: str, commit: str) -> Path:
        try:
            return await run_in_threadpool(self._commits.pull, repository, commit)
        except (ArchiveRefused, ArchiveUnavailable) as error:
            self._remember(asked, error)
            raise

    def _ended(self, asked: Commit, task: asyncio.Task[Path]) -> None:
        self._running.pop(asked, None)
        if not task.cancelled():
            task.exception()  # Seen, even if nobody waits any more.

    def _remember(self, asked: Commit, error: ArchiveRefused | ArchiveUnavailable) -> None:
        now = self._now()
        if len(self._failed) >= _REMEMBERED:
            self._failed = {key: held for key, held in self._failed.items() if held[0] > now}
        known_until = error.until if isinstance(error, ArchiveUnavailable) else None
        self._failed[asked] = (known_until or now + FAILURE_COUNTS, error)

    def _recall(self, asked: Commit) -> None:
        until, error = self._failed.get(asked, (0.0, None))
        if error is not None and self._now() < until:
            raise error.with_traceback(None)
        self._failed.pop(asked, None)
