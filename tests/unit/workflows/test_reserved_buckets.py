"""Our revisions in the members that clients know, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.forms import location_from, location_of
from domain.errors import InvalidRevision
from domain.revisions import RevisionLocation
from workflows.admission import check_revision
from workflows.reserved_buckets import meant, told

SHA256 = "ab" * 32
COMMIT = "0123456789" * 4
BUNDLE = {"revisionType": "Bundle", "bundleLocation": {"sha256": SHA256, "bundleType": "tgz"}}
HTTP = {"revisionType": "HTTP", "httpLocation": {"url": "https://host/a.zip?x=1", "bundleType": "zip"}}


def s3(bucket: str, key: str, kind: str = "tgz", **more: str) -> dict[str, Any]:
    return {"revisionType": "S3", "s3Location": {"bucket": bucket, "key": key, "bundleType": kind, **more}}


def github(repository: str) -> dict[str, Any]:
    return {"revisionType": "GitHub", "gitHubLocation": {"repository": repository, "commitId": COMMIT}}


def native(location: dict[str, Any], **more: str) -> dict[str, Any]:
    return {name: {**value, **more} if isinstance(value, dict) else value for name, value in location.items()}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (s3("slipway-bundles", f"{SHA256}.tgz"), BUNDLE),
        (s3("slipway-bundles", f"{SHA256}.tgz//a/b"), native(BUNDLE, subfolder="a/b")),
        (s3("slipway-http", "https://host/a.zip?x=1", "zip"), HTTP),
        (s3("slipway-http", "https://host/a.zip?x=1", "zip", version=SHA256), native(HTTP, sha256=SHA256)),
        (s3("slipway-http", "https://host/a.zip?x=1#subfolder=a/b%20c", "zip"), native(HTTP, subfolder="a/b c")),
        (github("me/app//services/web"), native(github("me/app"), subfolder="services/web")),
        (github("me/app"), github("me/app")),
        (s3("mine", f"{SHA256}.tgz", version="v1", eTag='"x"'),) * 2,
    ],
)
def test_both_ways(said: dict[str, Any], meant: dict[str, Any]) -> None:
    location = location_from(said)
    assert location == RevisionLocation.model_validate(meant)
    check_revision(location)
    assert location_of(location) == said


@pytest.mark.parametrize(
    "said",
    [
        s3("slipway-bundles", "app.tgz"),
        s3("slipway-bundles", f"{SHA256.upper()}.tgz"),
        s3("slipway-bundles", f"{SHA256}.zip"),
        s3("slipway-bundles", f"{SHA256}.tgz", version="1"),
        s3("slipway-bundles", f"{SHA256}.tgz", eTag="1"),
        s3("slipway-http", "https://host/a.tgz", version="1"),
        s3("slipway-http", "https://host/a.tgz", eTag="1"),
    ],
    ids=lambda said: str(said["s3Location"])[10:50],
)
def test_what_names_nothing_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(InvalidRevision, match=r"slipway-(bundles|http)"):
        location_from(said)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@host/a.tgz",
        "https://secret@host/a.tgz",
        "ftp://host/a.tgz",
        "https:///a.tgz",
        "https://host/a.tgz#part",
        "https://host/a b.tgz",
        "https://host:99999/a.tgz",
        "https://[::1/a.tgz",
        "file:///etc/passwd",
        "a.tgz",
    ],
)
def test_a_url_is_checked_and_no_login_is_repeated(url: str) -> None:
    location = location_from(s3("slipway-http", url))
    assert location is not None
    with pytest.raises(InvalidRevision, match="The URL of a revision") as refused:
        check_revision(location)
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("folder", ["", "/", "/a", "a/", "a//b", ".", "a/../b", "..", "a\0", "a\nb", "a" * 1025])
@pytest.mark.parametrize("name", ["gitHubLocation", "bundleLocation", "httpLocation"])
def test_a_folder_stays_below_the_root(folder: str, name: str) -> None:
    kinds = {"gitHubLocation": github("me/app"), "bundleLocation": BUNDLE, "httpLocation": HTTP}
    location = RevisionLocation.model_validate(native(kinds[name], subfolder=folder))
    with pytest.raises(InvalidRevision, match="folder of a revision"):
        check_revision(location)


@pytest.mark.parametrize("repository", ["me/app//", "me/app///a", "me//app", "me/app//../x", "//me/app"])
def test_a_repository_with_no_possible_folder_is_refused(repository: str) -> None:
    with pytest.raises(InvalidRevision):
        check_revision(RevisionLocation.model_validate(github(repository)))


def test_the_same_revision_has_one_identity_however_it_is_said() -> None:
    assert location_from(github("me/app//web")) == RevisionLocation.model_validate(
        native(github("me/app"), subfolder="web")
    )
    assert "subfolder" not in RevisionLocation.model_validate(github("me/app")).identity


FOLDERS = st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
URLS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), min_size=1, max_size=40)


@given(FOLDERS, URLS, st.booleans(), st.sampled_from(["tar", "tgz", "zip"]))
def test_whatever_is_told_can_be_said_again(folder: str | None, url: str, hashed: bool, kind: str) -> None:
    http = {"url": url, "sha256": SHA256 if hashed else None, "bundleType": kind, "subfolder": folder}
    bundle = {"sha256": SHA256, "bundleType": kind, "subfolder": folder}
    for location in (
        RevisionLocation.model_validate({"revisionType": "HTTP", "httpLocation": http}),
        RevisionLocation.model_validate({"revisionType": "Bundle", "bundleLocation": bundle}),
        RevisionLocation.model_validate(native(github("me/app"), **({"subfolder": folder} if folder else {}))),
    ):
        said = RevisionLocation.model_validate_json(told(location).model_dump_json(exclude_none=True))
        assert meant(said).identity == location.identity
