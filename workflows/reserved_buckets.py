"""How clients that know only S3 and GitHub name our other revisions: two bucket names stand for the bundle store and
for URLs, and a repository's name may end in a folder. Both ways, so that what is told can be said again.

| said as | means |
|---|---|
| bucket `slipway-bundles`, key `<sha256>.tgz` or `<sha256>.tgz//folder` | the bundle store's bundle |
| bucket `slipway-http`, key `https://host/path.zip` or `…#subfolder=folder`, version: the SHA-256 if any | the URL |
| repository `owner/name//folder` | that folder of the repository |
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from domain.errors import InvalidRevision
from domain.revisions import (
    BundleLocation,
    HttpLocation,
    RevisionLocation,
    RevisionType,
    S3Location,
)

BUNDLES = "slipway-bundles"
HTTP = "slipway-http"
_BUNDLE_KEY = re.compile(r"([0-9a-f]{64})\.(tar|tgz|zip)(?://(.*))?", re.DOTALL)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FOLDER = "#subfolder="


def meant(said: RevisionLocation) -> RevisionLocation:
    """The revision that a client means by a location of the API's shape; raises InvalidRevision."""
    s3 = said.s3_location
    if s3 is None or said.revision_type is not RevisionType.S3:
        return said
    if s3.bucket == BUNDLES:
        return RevisionLocation(revision_type=RevisionType.BUNDLE, bundle_location=_bundle_meant(s3))
    if s3.bucket == HTTP:
        return RevisionLocation(revision_type=RevisionType.HTTP, http_location=_url_meant(s3))
    return said


def told(location: RevisionLocation) -> RevisionLocation:
    """The location as clients of the API are told it, in members that they know."""
    bundle, http, github = location.bundle_location, location.http_location, location.github_location
    if bundle:
        folder = "" if bundle.subfolder is None else f"//{bundle.subfolder}"
        key = f"{bundle.sha256}.{bundle.bundle_type}{folder}"
        return _in_s3(S3Location(bucket=BUNDLES, key=key, bundle_type=bundle.bundle_type))
    if http:
        folder = "" if http.subfolder is None else _FOLDER + quote(http.subfolder)
        place = S3Location(bucket=HTTP, key=http.url + folder, bundle_type=http.bundle_type, version=http.sha256)
        return _in_s3(place)
    if github and github.subfolder is not None:
        # Not validated anew: that would take the folder off the name again.
        named = {"repository": f"{github.repository}//{github.subfolder}", "subfolder": None}
        return location.model_copy(update={"github_location": github.model_copy(update=named)})
    return location


def _in_s3(place: S3Location) -> RevisionLocation:
    return RevisionLocation(revision_type=RevisionType.S3, s3_location=place)


def _bundle_meant(s3: S3Location) -> BundleLocation:
    found = _BUNDLE_KEY.fullmatch(s3.key)
    if found is None:
        raise InvalidRevision(
            f"The bucket {BUNDLES} stands for Slipway's own bundle store: the key must be <sha256>.tar, .tgz or .zip, "
            "with the SHA-256 in 64 lower-case hex digits, as `slipway push` prints it."
        )
    sha256, kind, folder = found.groups()
    if kind != s3.bundle_type:
        raise InvalidRevision(f"The key in {BUNDLES} ends in .{kind}, but the bundleType is {s3.bundle_type}.")
    if s3.version or s3.e_tag:
        raise InvalidRevision(f"A bundle in {BUNDLES} is named by its SHA-256: leave out version and eTag.")
    return BundleLocation(sha256=sha256, bundle_type=s3.bundle_type, subfolder=folder)


def _url_meant(s3: S3Location) -> HttpLocation:
    if s3.version and not _SHA256.fullmatch(s3.version):
        raise InvalidRevision(
            f"The bucket {HTTP} stands for a URL: the version, if any, is the SHA-256 of the bundle in 64 lower-case "
            "hex digits."
        )
    if s3.e_tag:
        raise InvalidRevision(f"A URL in {HTTP} has no eTag to give: name the bundle's SHA-256 as the version.")
    url, mark, folder = s3.key.partition(_FOLDER)
    return HttpLocation(
        url=url,
        bundle_type=s3.bundle_type,
        sha256=s3.version or None,
        subfolder=unquote(folder) if mark else None,
    )
