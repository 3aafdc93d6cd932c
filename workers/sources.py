"""Turns revisions into links that hosts can fetch: the Sources port."""

from __future__ import annotations

from domain.errors import InvalidRevision
from domain.reports import BundleSource
from domain.revisions import RevisionLocation
from domain.values import Instant
from workflows.signing import sign_path


class BundleSources:
    """Revisions of the built-in store as signed links that end after a while; local paths as they are."""

    def __init__(self, base_url: str, *, key: bytes, link_seconds: int) -> None:
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._link_seconds = link_seconds

    def source_of(self, revision: RevisionLocation, *, now: Instant) -> BundleSource:
        """Where a host gets the revision; raises InvalidRevision for a kind that hosts cannot fetch."""
        if revision.bundle_location:
            bundle = revision.bundle_location
            path = sign_path(f"/bundles/{bundle.sha256}", key=self._key, expires=int(now) + self._link_seconds)
            return BundleSource(location=self._base_url + path, bundle_type=bundle.bundle_type, sha256=bundle.sha256)
        if revision.local_location:
            local = revision.local_location
            return BundleSource(location=local.path, bundle_type=local.bundle_type)
        raise InvalidRevision(
            f"revisions of type {revision.revision_type} cannot be fetched by hosts of this installation"
        )
