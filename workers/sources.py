"""Turns revisions into links that hosts can fetch: the Sources port."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Protocol

from adapters.exchange import exchange
from domain.errors import InvalidRevision, RevisionMissing, WorldError
from domain.reports import BundleSource
from domain.revisions import BundleLocation, GitHubLocation, RevisionLocation, S3Location
from domain.values import Instant
from workflows.signing import commit_path, sign_path

logger = logging.getLogger(__name__)

_PATIENCE = 2.0
"""Seconds that the bundle store has to say whether it holds a bundle."""


class Objects(Protocol):
    """Links to objects in S3."""

    def source_of(self, location: S3Location, *, now: Instant) -> BundleSource: ...


class RevisionSources:
    """What lies in the built-in store or on GitHub as links to our bundle server, signed to end after a while; objects
    in S3 as links that S3 takes; URLs and local paths as they are. Hosts are given no credential."""

    def __init__(self, base_url: str, *, key: bytes, link_seconds: int, s3: Objects) -> None:
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._link_seconds = link_seconds
        self._s3 = s3

    def source_of(self, revision: RevisionLocation, *, now: Instant) -> BundleSource:
        """Where a host gets the revision; raises InvalidRevision for a kind that hosts cannot fetch."""
        if revision.bundle_location:
            return self._bundle(revision.bundle_location, now)
        if revision.github_location:
            return self._commit(revision.github_location, now)
        if revision.s3_location:
            return self._s3.source_of(revision.s3_location, now=now)
        if revision.http_location:
            http = revision.http_location
            return BundleSource(
                location=http.url, bundle_type=http.bundle_type, sha256=http.sha256, subfolder=http.subfolder
            )
        if revision.local_location:
            local = revision.local_location
            return BundleSource(location=local.path, bundle_type=local.bundle_type)
        raise InvalidRevision(
            f"revisions of type {revision.revision_type} cannot be fetched by hosts of this installation"
        )

    def check(self, revision: RevisionLocation, *, now: Instant) -> None:
        """Look whether a bundle or an object is there; raises as `source_of` does."""
        source = self.source_of(revision, now=now)
        if revision.bundle_location:
            self._check_bundle(revision.bundle_location.sha256, source.location)

    def _check_bundle(self, sha256: str, link: str) -> None:
        try:
            status = exchange("HEAD", link, seconds=_PATIENCE, most=None).status
        except WorldError as error:
            # Hosts may reach it all the same, or later: they ask with more patience.
            logger.info("whether the bundle %s is there is left to the hosts: %s", sha256, error.message)
        else:
            if status == HTTPStatus.NOT_FOUND:
                raise RevisionMissing(f"There is no bundle {sha256} in the bundle store; push it again.")

    def _bundle(self, bundle: BundleLocation, now: Instant) -> BundleSource:
        return BundleSource(
            location=self._signed(f"/bundles/{bundle.sha256}", now),
            bundle_type=bundle.bundle_type,
            sha256=bundle.sha256,
            subfolder=bundle.subfolder,
        )

    def _commit(self, github: GitHubLocation, now: Instant) -> BundleSource:
        path = commit_path(github.repository, github.commit_id)
        return BundleSource(location=self._signed(path, now), bundle_type="tgz", subfolder=github.subfolder)

    def _signed(self, path: str, now: Instant) -> str:
        return self._base_url + sign_path(path, key=self._key, expires=int(now) + self._link_seconds)
