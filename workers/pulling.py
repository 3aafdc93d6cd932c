"""Commits of GitHub as bundles of our own store: pulled in once, kept by their SHA-256, found by commit."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from adapters.bundles.disk import BundleDisk
from adapters.bundles.names import BundleNames
from adapters.revisions.github import GitHubArchives, token_for
from config.sections import GitHubSettings

logger = logging.getLogger(__name__)


class PulledCommits:
    """What the bundle server asks for commits."""

    def __init__(self, disk: BundleDisk, names: BundleNames, github: GitHubArchives) -> None:
        self._disk, self._names, self._github = disk, names, github

    def find(self, repository: str, commit: str) -> Path | None:
        """The archive of a commit that was pulled in before and is still there."""
        sha256 = self._names.find(_name(repository, commit))
        return self._disk.find(sha256) if sha256 else None

    def pull(self, repository: str, commit: str) -> Path:
        """Fetch a commit and keep it; raises what GitHubArchives raises."""
        incoming = self._disk.receive()
        try:
            self._github.fetch(repository, commit, incoming.write)
            kept = incoming.keep()
        finally:
            incoming.discard()
        self._names.keep(_name(repository, commit), kept.sha256)
        logger.info("commit %s of %s is kept as bundle %s: %d bytes", commit, repository, kept.sha256, kept.size)
        found = self._disk.find(kept.sha256)
        assert found is not None  # noqa: S101  (it was kept a moment ago)
        return found


def make_commits(disk: BundleDisk, root: Path, settings: GitHubSettings) -> PulledCommits:
    """Commits kept below a bundle store's root."""
    tokens = {name: token.get_secret_value() for name, token in settings.tokens.items()}
    github = GitHubArchives(
        settings.api_url,
        lambda owner: token_for(owner, tokens, settings.owners),
        max_bytes=settings.max_bytes,
        seconds=settings.seconds,
        now=time.time,
    )
    return PulledCommits(disk, BundleNames(root), github)


def _name(repository: str, commit: str) -> str:
    # GitHub takes no notice of case in any of them.
    return f"github:{repository}@{commit}".lower()
