"""Revisions: where the bundle of a version lies. Members are those of the API's `RevisionLocation`, and some of ours.

Source: AWS CodeDeploy API reference, `RevisionLocation`, `S3Location`, `GitHubLocation`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, model_validator

from domain.values import Instant, Value

BundleKind = Literal["tar", "tgz", "zip", "directory"]


class RevisionType(StrEnum):
    """What kind of place a revision lies in; `Bundle` (the built-in store), `HTTP` (a URL) and `Local` (a host's path)
    are ours."""

    S3 = "S3"
    GITHUB = "GitHub"
    BUNDLE = "Bundle"
    HTTP = "HTTP"
    LOCAL = "Local"


class S3Location(Value):
    """An object in S3 or an S3-compatible store."""

    bucket: str
    key: str
    bundle_type: Literal["tar", "tgz", "zip"]
    version: str | None = None
    e_tag: str | None = None


class GitHubLocation(Value):
    """A commit of a GitHub repository, `owner/name`; `owner/name//folder` says the folder too, where a client has no
    member for it."""

    repository: str
    commit_id: str
    subfolder: str | None = None
    """The folder of the archive that is the bundle's root."""

    @model_validator(mode="before")
    @classmethod
    def _folder_of_its_own(cls, given: Any) -> Any:
        repository = given.get("repository") if isinstance(given, dict) else None
        if not isinstance(repository, str) or "//" not in repository or given.get("subfolder") is not None:
            return given
        name, _, folder = repository.partition("//")
        return {**given, "repository": name, "subfolder": folder}


class BundleLocation(Value):
    """A bundle in Slipway's own store, by the SHA-256 (64 lower-case hex digits) of its bytes."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bundle_type: Literal["tar", "tgz", "zip"]
    subfolder: str | None = None


class HttpLocation(Value):
    """A URL that every host fetches by itself; with the SHA-256 of what is to be there, no other bytes are taken."""

    url: str
    bundle_type: Literal["tar", "tgz", "zip"]
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    subfolder: str | None = None


class LocalLocation(Value):
    """An absolute path on every host; only where the agent's settings allow it."""

    path: str = Field(pattern=r"^/")
    bundle_type: BundleKind


class RevisionLocation(Value):
    """Where a revision lies; exactly the member that `revision_type` names is given."""

    revision_type: RevisionType
    s3_location: S3Location | None = None
    github_location: GitHubLocation | None = Field(default=None, alias="gitHubLocation")
    bundle_location: BundleLocation | None = None
    http_location: HttpLocation | None = None
    local_location: LocalLocation | None = None

    @property
    def identity(self) -> str:
        """The same text for the same revision, another for any other. Quotes around an eTag do not count: S3 and the
        console give it with them, the aws command line without."""
        s3 = self.s3_location
        if s3 is None or s3.e_tag is None:
            return self.model_dump_json(exclude_none=True)
        bare = s3.model_copy(update={"e_tag": s3.e_tag.strip('"')})
        return self.model_copy(update={"s3_location": bare}).model_dump_json(exclude_none=True)


def revision_name(application_id: str, location: RevisionLocation) -> str:
    """The name under which the store keeps a revision of an application, which may be renamed itself."""
    return f"{application_id}/{location.identity}"


class Revision(Value):
    """A revision registered with an application."""

    location: RevisionLocation
    description: str | None = None
    register_time: Instant
    first_used_time: Instant | None = None
    last_used_time: Instant | None = None
