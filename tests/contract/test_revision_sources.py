"""What every source of revisions promises: the right bytes or none, gone ones named, links that end, downloads that go
on where they were cut, and no secret in anything that is written down.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from config.settings import AgentSettings
from config.urls import masked_text
from domain.bundles import BundleType
from domain.errors import BundleError, InvalidRevision, RevisionMissing, SlipwayError, WorldError
from domain.reports import BundleSource, HostOrder
from domain.revisions import RevisionLocation
from tests.revision_places import BUCKET, OWNER, SECRETS, GitHub, Places, github_server, moto_server
from tests.stories.bundle_site import cutting
from tests.unit.adapters.bundle_making import make_bundle
from workers.host import Fetcher

COMMIT = "0123456789abcdef" * 2 + "01234567"
BIG = os.urandom(2_000_000)


@dataclass(frozen=True)
class Kind:
    """A kind of source: how a bundle gets there, how its bytes are changed later, and how it goes away."""

    name: str
    keep: Callable[[Places, bytes], dict[str, object]]
    change: Callable[[Places, bytes], None]
    remove: Callable[[Places], None]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _keep_bundle(places: Places, content: bytes) -> dict[str, object]:
    sha256 = places.disk.put([content]).sha256
    return {"revisionType": "Bundle", "bundleLocation": {"sha256": sha256, "bundleType": "tgz"}}


def _change_bundle(places: Places, content: bytes) -> None:
    (stored,) = places.disk.list()
    found = places.disk.find(stored.sha256)
    assert found is not None
    found.write_bytes(content)


def _remove_bundle(places: Places) -> None:
    for stored in places.disk.list():
        places.disk.remove(stored.sha256)


def _put(places: Places, content: bytes) -> str:
    return str(places.s3.put_object(Bucket=BUCKET, Key="app.tgz", Body=content)["ETag"])


def _keep_object(places: Places, content: bytes) -> dict[str, object]:
    tag = _put(places, content)
    return {
        "revisionType": "S3",
        "s3Location": {"bucket": BUCKET, "key": "app.tgz", "bundleType": "tgz", "eTag": tag.strip('"')},
    }


def _keep_commit(places: Places, content: bytes) -> dict[str, object]:
    places.github.archives[COMMIT] = content
    return {"revisionType": "GitHub", "gitHubLocation": {"repository": f"{OWNER}/app", "commitId": COMMIT}}


def _keep_file(places: Places, content: bytes) -> dict[str, object]:
    (places.files / "app.tgz").write_bytes(content)
    where = {"url": f"{places.plain_url}/app.tgz", "sha256": _digest(content), "bundleType": "tgz"}
    return {"revisionType": "HTTP", "httpLocation": where}


def _keep_local(places: Places, content: bytes) -> dict[str, object]:
    (places.files / "app.tgz").write_bytes(content)
    where = {"path": str(places.files / "app.tgz"), "bundleType": "tgz"}
    return {"revisionType": "Local", "localLocation": where}


def _change_file(places: Places, content: bytes) -> None:
    (places.files / "app.tgz").write_bytes(content)


def _remove_file(places: Places) -> None:
    (places.files / "app.tgz").unlink()


def _change_object(places: Places, content: bytes) -> None:
    _put(places, content)


def _change_commit(places: Places, content: bytes) -> None:
    """Nobody changes a commit."""


BUNDLE = Kind("bundle", _keep_bundle, _change_bundle, _remove_bundle)
S3 = Kind("s3", _keep_object, _change_object, lambda places: places.s3.delete_object(Bucket=BUCKET, Key="app.tgz"))
GITHUB = Kind("github", _keep_commit, _change_commit, lambda places: places.github.archives.clear())
HTTP = Kind("http", _keep_file, _change_file, _remove_file)
LOCAL = Kind("local", _keep_local, _change_file, _remove_file)
ALL = (BUNDLE, S3, GITHUB, HTTP, LOCAL)
FETCHED = (BUNDLE, S3, GITHUB, HTTP)
CHECKED = (BUNDLE, S3, HTTP)


def kinds(*some: Kind) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", some, ids=[kind.name for kind in some])


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture(scope="module")
def github_standing() -> Iterator[tuple[GitHub, str]]:
    with github_server() as standing:
        yield standing


@pytest.fixture
def places(s3_url: str, github_standing: tuple[GitHub, str], tmp_path: Path) -> Iterator[Places]:
    github, url = github_standing
    github.archives.clear()
    github.asked.clear()
    with Places(tmp_path, s3_url=s3_url, github=github, github_url=url) as standing:
        yield standing


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Where a host unpacks to."""
    (tmp_path / "host").mkdir()
    return tmp_path / "host/archive"


def a_bundle(tmp_path: Path, text: str = "one") -> bytes:
    tree = {"appspec.yml": b"version: 0.0\nos: linux\n", "version": text.encode(), "big": BIG}
    return make_bundle(tmp_path / f"{text}.tgz", BundleType.TGZ, tree).read_bytes()


def source_of(places: Places, kind: Kind, content: bytes) -> BundleSource:
    revision = RevisionLocation.model_validate(kind.keep(places, content))
    return places.sources.source_of(revision, now=places.now)


def fetch(source: BundleSource, archive: Path) -> None:
    Fetcher(AgentSettings(local_revisions=True))(source, archive, seconds=60, stop=threading.Event())


@kinds(*ALL)
def test_a_host_gets_the_right_bytes(kind: Kind, places: Places, host: Path, tmp_path: Path) -> None:
    fetch(source_of(places, kind, a_bundle(tmp_path)), host)
    assert (host / "version").read_text() == "one"
    assert (host / "big").read_bytes() == BIG


@kinds(*CHECKED)
def test_other_bytes_are_refused(kind: Kind, places: Places, host: Path, tmp_path: Path) -> None:
    """The link was given out before the bytes changed: the host finds out."""
    source = source_of(places, kind, a_bundle(tmp_path))
    kind.change(places, a_bundle(tmp_path, "two"))
    with pytest.raises(BundleError, match=r"SHA-256|eTag") as refused:
        fetch(source, host)
    assert not host.exists()
    assert "?" not in refused.value.message


@kinds(*ALL)
def test_a_gone_revision_is_named(kind: Kind, places: Places, host: Path, tmp_path: Path) -> None:
    revision = RevisionLocation.model_validate(kind.keep(places, a_bundle(tmp_path)))
    kind.remove(places)
    with pytest.raises((RevisionMissing, BundleError)) as refused:
        fetch(places.sources.source_of(revision, now=places.now), host)
    said = refused.value.message
    assert re.search(r"404 Not Found|There is no object app.tgz|there is no file", said)
    assert {"s3": BUCKET, "github": COMMIT, "bundle": "/bundles/"}.get(kind.name, "app.tgz") in said


@kinds(BUNDLE, S3)
def test_before_a_host_is_touched_it_is_looked_for(kind: Kind, places: Places, tmp_path: Path) -> None:
    revision = RevisionLocation.model_validate(kind.keep(places, a_bundle(tmp_path)))
    places.sources.check(revision, now=places.now)
    kind.remove(places)
    with pytest.raises(RevisionMissing, match=r"There is no (bundle|object)"):
        places.sources.check(revision, now=places.now + 60)


@kinds(BUNDLE, GITHUB, HTTP, LOCAL)
def test_what_cannot_be_asked_is_left_to_the_hosts(kind: Kind, places: Places, tmp_path: Path) -> None:
    revision = RevisionLocation.model_validate(kind.keep(places, a_bundle(tmp_path)))
    kind.remove(places)
    places.__exit__()
    places.sources.check(revision, now=places.now)


@kinds(BUNDLE, GITHUB)
def test_a_link_ends(kind: Kind, places: Places, host: Path, tmp_path: Path) -> None:
    source = source_of(places, kind, a_bundle(tmp_path))
    places.now += 61
    with pytest.raises(BundleError, match="the link has expired"):
        fetch(source, host)


def test_a_link_to_s3_ends_as_well(places: Places, tmp_path: Path) -> None:
    source = source_of(places, S3, a_bundle(tmp_path))
    assert parse_qs(urlsplit(source.location).query)["X-Amz-Expires"] == ["60"]


@kinds(BUNDLE, GITHUB)
def test_a_link_is_for_nothing_else(kind: Kind, places: Places, host: Path, tmp_path: Path) -> None:
    source = source_of(places, kind, a_bundle(tmp_path))
    for there, other in ((OWNER + "/app", "other/app"), (COMMIT[:8], "f" * 8), ("/bundles/", "/bundles/0")):
        changed = source.location.replace(there, other)
        if changed != source.location:
            with pytest.raises(BundleError, match=r"signature is missing or does not match|404"):
                fetch(source.model_copy(update={"location": changed}), host)


@kinds(*FETCHED)
def test_a_cut_download_goes_on(kind: Kind, places: Places, host: Path, tmp_path: Path) -> None:
    source = source_of(places, kind, a_bundle(tmp_path))
    parts = urlsplit(source.location)
    with cutting(f"http://{parts.netloc}", [1_000_000]) as wire:
        cut = source.location.replace(f"http://{parts.netloc}", wire)
        fetch(source.model_copy(update={"location": cut}), host)
    assert (host / "big").read_bytes() == BIG


def test_an_object_that_changes_amid_a_download_is_refused(places: Places, host: Path, tmp_path: Path) -> None:
    """Also a store that takes no notice of If-Range may not mix two objects."""
    source = source_of(places, S3, a_bundle(tmp_path))
    with cutting(places.s3_url, [1_000_000, 0, 0, 0, 0]) as wire, pytest.raises(BundleError, match="attempts"):
        fetch(source.model_copy(update={"location": source.location.replace(places.s3_url, wire)}), host)
    assert (host.parent / "bundle.part").stat().st_size > 900_000
    _put(places, a_bundle(tmp_path, "two"))
    with pytest.raises(BundleError, match="overwritten since"):
        fetch(source, host)
    assert not (host.parent / "bundle.part").exists()


@kinds(*FETCHED)
def test_nothing_secret_is_written_down(
    kind: Kind, places: Places, host: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    revision = kind.keep(places, a_bundle(tmp_path))
    source = source_of(places, kind, a_bundle(tmp_path))
    fetch(source, host)
    kind.remove(places)
    _remove_bundle(places)
    with pytest.raises(BundleError) as failed:
        fetch(source, host)
    order = HostOrder(
        deployment_id="d-1",
        target_id="web-1",
        attempt="t",
        lane=0,
        step=0,
        application_name="app",
        deployment_group_name="web",
        deployment_group_id="g",
        source=source,
    )
    said = [repr(order), str(order), failed.value.message, json.dumps(revision)]
    said += [masked_text(record.getMessage()) for record in caplog.records if not record.name.startswith("botocore")]
    link = parse_qs(urlsplit(source.location).query)
    secrets = [*SECRETS, *(value for name in ("signature", "X-Amz-Signature") for value in link.get(name, []))]
    assert not [secret for secret in secrets for text in said if secret in text]
    assert not [secret for secret in SECRETS if secret in order.model_dump_json()]


class TestObjects:
    """What control sees of S3 before any host is touched."""

    def location(self, **more: str) -> RevisionLocation:
        where = {"bucket": BUCKET, "key": "app.tgz", "bundleType": "tgz", **more}
        return RevisionLocation.model_validate({"revisionType": "S3", "s3Location": where})

    def test_a_version_stays_what_it_was(self, places: Places, host: Path, tmp_path: Path) -> None:
        first = places.s3.put_object(Bucket=BUCKET, Key="app.tgz", Body=a_bundle(tmp_path))["VersionId"]
        _put(places, a_bundle(tmp_path, "two"))
        fetch(places.sources.source_of(self.location(version=first), now=0.0), host)
        assert (host / "version").read_text() == "one"

    def test_another_etag_is_refused_with_both(self, places: Places) -> None:
        tag = _put(places, b"one").strip('"')
        with pytest.raises(InvalidRevision, match=f"has the eTag {tag}, but the revision says other") as refused:
            places.sources.source_of(self.location(eTag='"other"'), now=0.0)
        assert not isinstance(refused.value, RevisionMissing)

    @pytest.mark.parametrize(
        ("more", "says"),
        [
            ({"key": "none.tgz"}, "no object none.tgz in the S3 bucket releases"),
            ({"version": "00000000-0000-0000-0000-000000000000"}, "no object app.tgz of version 0000"),
            ({"bucket": "no-such-bucket"}, "no S3 bucket no-such-bucket"),
        ],
    )
    def test_what_is_missing_is_named(self, places: Places, more: dict[str, str], says: str) -> None:
        _put(places, b"one")
        with pytest.raises(RevisionMissing, match=says):
            places.sources.source_of(self.location(**more), now=0.0)

    def test_a_delete_marker_is_nothing(self, places: Places) -> None:
        _put(places, b"one")
        marker = places.s3.delete_object(Bucket=BUCKET, Key="app.tgz")["VersionId"]
        for location in (self.location(), self.location(version=marker)):
            with pytest.raises(RevisionMissing):
                places.sources.source_of(location, now=0.0)

    def test_a_name_that_s3_does_not_know_is_refused(self, places: Places) -> None:
        with pytest.raises(InvalidRevision, match="no possible name"):
            places.sources.source_of(self.location(bucket="!!"), now=0.0)

    def test_a_fleet_makes_one_look(self, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
        _put(places, b"one")
        looks: list[dict[str, str]] = []
        honest = places.s3.head_object

        def seen(**named: str) -> Any:
            looks.append(named)
            return honest(**named)

        monkeypatch.setattr(places.s3, "head_object", seen)
        for _ in range(100):
            places.sources.source_of(self.location(), now=5.0)
        assert len(looks) == 1
        places.sources.source_of(self.location(), now=36.0)
        assert len(looks) == 2

    def test_a_checksum_that_s3_keeps_is_handed_down(self, places: Places) -> None:
        put = places.s3.put_object(Bucket=BUCKET, Key="app.tgz", Body=b"one", ChecksumAlgorithm="SHA256")
        pinned = places.sources.source_of(self.location(version=put["VersionId"]), now=0.0)
        loose = places.sources.source_of(self.location(), now=0.0)
        assert (pinned.sha256, loose.sha256) == (_digest(b"one"), None)


def test_an_s3_that_is_away_is_no_verdict(tmp_path: Path) -> None:
    from adapters.revisions.s3 import S3Links
    from domain.revisions import S3Location
    from tests.revision_places import s3_client
    from tests.services import free_port

    links = S3Links(lambda: s3_client(f"http://127.0.0.1:{free_port()}"), link_seconds=60)
    with pytest.raises(WorldError, match="S3 does not answer for b-1") as away:
        links.source_of(S3Location(bucket="b-1", key="k", bundle_type="zip"), now=0.0)
    assert isinstance(away.value, SlipwayError)
    assert not isinstance(away.value, InvalidRevision)
