"""Revisions as people write them on a command line."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import InvalidRevision
from domain.revisions import RevisionLocation
from workflows.source_text import revision_from, text_of

COMMIT = "0123456789" * 4
SHA256 = "ab" * 32


def s3(**members: Any) -> dict[str, Any]:
    return {"revisionType": "S3", "s3Location": {"bucket": "b", "bundleType": "zip", **members}}


def http(**members: Any) -> dict[str, Any]:
    return {"revisionType": "HTTP", "httpLocation": {"bundleType": "tgz", **members}}


NAME = "a.tar.gz"


def github(**members: Any) -> dict[str, Any]:
    return {"revisionType": "GitHub", "gitHubLocation": {"repository": "me/app", "commitId": COMMIT, **members}}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("s3://b/a/k.zip", s3(key="a/k.zip")),
        ("s3://b/k.zip?version=v%2B1&etag=abc", s3(key="k.zip", version="v+1", eTag="abc")),
        ("S3://b/a%20b%3F#c?type=zip", s3(key="a b?#c")),
        (f"github:me/app@{COMMIT}", github()),
        (f"github:me/app@{COMMIT}//a/b", github(subfolder="a/b")),
        (f"https://host:8443/{NAME}?token=x", http(url=f"https://host:8443/{NAME}?token=x")),
        (
            f"http://host/latest#type=tgz&sha256={SHA256}&subfolder=a",
            http(url="http://host/latest", sha256=SHA256, subfolder="a"),
        ),
    ],
)
def test_what_a_text_names(text: str, meant: dict[str, Any]) -> None:
    assert revision_from(text) == RevisionLocation.model_validate(meant)


@pytest.mark.parametrize(
    ("revision", "text"),
    [
        (s3(key="a/k.zip"), "s3://b/a/k.zip"),
        (s3(key="a b?#c.zip", version="v+1", eTag="abc"), "s3://b/a%20b%3F%23c.zip?version=v%2B1&etag=abc"),
        (github(), f"github:me/app@{COMMIT}"),
        (github(subfolder="a/b"), f"github:me/app@{COMMIT}//a/b"),
        (http(url=f"https://host/{NAME}", sha256=SHA256), f"https://host/{NAME}#sha256={SHA256}"),
    ],
)
def test_a_revision_is_told_as_it_is_read(revision: dict[str, Any], text: str) -> None:
    meant = RevisionLocation.model_validate(revision)
    assert text_of(meant) == text
    assert revision_from(text) == meant


@pytest.mark.parametrize(
    ("revision", "text"),
    [
        (http(url=f"https://host/{NAME}?token=secret"), f"https://host/{NAME}"),
        (
            {"revisionType": "Bundle", "bundleLocation": {"sha256": SHA256, "bundleType": "tgz", "subfolder": "web"}},
            f"bundle {SHA256}#subfolder=web",
        ),
        (
            {"revisionType": "Local", "localLocation": {"path": "/srv/\x1b[2Jv1", "bundleType": "directory"}},
            "/srv/\\x1b[2Jv1",
        ),
    ],
)
def test_what_no_text_names_is_told_by_what_there_is(revision: dict[str, Any], text: str) -> None:
    assert text_of(RevisionLocation.model_validate(revision)) == text


@pytest.mark.parametrize("text", ["app", "./app.tgz", "/srv/github:me", "C:\\app", "s3/x", "githubber"])
def test_all_else_is_a_path(text: str) -> None:
    assert revision_from(text) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("s3://b/k", "is no bundle by its name"),
        ("s3://b/k?type=rpm", "the type rpm is none of tar, tgz, zip"),
        ("s3://b/k.zip?versoin=1", "versoin means nothing here; version, etag, type do"),
        ("s3://b/.zip?version", "names no revision"),
        ("s3:///k.zip", "needs a bucket and a key"),
        ("github:me/app", "write github:owner/name@commit"),
        ("github:me/app@main", "commit id of 40 hex digits"),
        (f"github:me/app@{COMMIT}//../x", "folder of a revision"),
        ("https://host/a.tgz#sha256=1", "sha256"),
        ("https://user:secret@host/a.tgz", "no user and password"),
        ("https://user:secret@host/a", "is no bundle by its name"),
        ("https://host/a?token=secret", "is no bundle by its name"),
    ],
)
def test_what_is_wrong_is_said_without_secrets(text: str, says: str) -> None:
    with pytest.raises(InvalidRevision) as refused:
        revision_from(text)
    assert says in refused.value.message
    assert "secret" not in refused.value.message
