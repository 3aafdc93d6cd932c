"""`slipway keys` beside a running API: a key works from the moment it is made until it is revoked."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tests.site import Site
from tests.stories.api_process import Key, api_site, boto, make_key


@pytest.fixture(scope="module")
def api() -> Iterator[tuple[Site, str]]:
    with api_site() as running:
        yield running


def code(url: str, key: Key, operation: str, **given: object) -> str:
    with boto(url, key) as client:
        try:
            getattr(client, operation)(**given)
        except ClientError as error:
            return str(error.response["Error"]["Code"]).removesuffix("Exception")
    return "OK"


def test_a_key_from_its_making_to_its_end(api: tuple[Site, str]) -> None:
    site, url = api
    key = make_key(site, "--description", "the pipeline's")
    assert code(url, key, "create_application", applicationName="shop") == "OK"
    assert code(url, Key(key.access_key_id, "another"), "list_applications") == "InvalidSignature"

    listed = site.slipway("keys", "list", "--json").stdout
    assert key.secret not in listed
    (shown,) = [each for each in json.loads(listed) if each["accessKeyId"] == key.access_key_id]
    assert (shown["policy"], shown["description"], shown["revokeTime"]) == ("administrator", "the pipeline's", None)
    assert key.access_key_id in site.slipway("keys", "list").stdout

    assert "revoked" in site.slipway("keys", "revoke", key.access_key_id).stdout
    assert code(url, key, "list_applications") == "UnrecognizedClient"
    (shown,) = [
        each for each in json.loads(site.slipway("keys", "list", "--json").stdout) if each["revokeTime"] is not None
    ]
    assert shown["accessKeyId"] == key.access_key_id


def test_keys_that_may_do_less(api: tuple[Site, str]) -> None:
    site, url = api
    reader = make_key(site, "--policy", "read-only")
    deployer = make_key(site, "--policy", "deploy", "--application", "store", "--application", "shelf")
    s3 = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "bundleType": "zip"}}
    given = {"applicationName": "other", "deploymentGroupName": "web", "revision": s3}
    assert code(url, reader, "list_applications") == "OK"
    assert code(url, reader, "create_deployment", **given) == "AccessDenied"
    assert code(url, deployer, "create_deployment", **given) == "AccessDenied"
    assert code(url, deployer, "create_application", applicationName="store") == "AccessDenied"
    assert code(url, deployer, "create_deployment", **{**given, "applicationName": "shelf"}) == (
        "ApplicationDoesNotExist"
    )


def test_the_secret_is_shown_once_and_kept_nowhere(api: tuple[Site, str]) -> None:
    site, _ = api
    done = site.slipway("keys", "create")
    shown = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert shown["AWS_ACCESS_KEY_ID"].startswith("SLIP")
    secret = shown["AWS_SECRET_ACCESS_KEY"]
    kept = [path for path in site.home.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if secret.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("create", "--policy", "deploy"), "needs the applications"),
        (("create", "--application", "shop"), "names no applications"),
        (("create", "--policy", "deploy", "--application", "two words"), "two words"),
        (("revoke", "SLIPNOTTHERE"), "slipway keys list"),
    ],
)
def test_what_cannot_be_done_says_why(api: tuple[Site, str], arguments: tuple[str, ...], text: str) -> None:
    site, _ = api
    done = site.slipway("keys", *arguments, check=False)
    assert done.returncode != 0
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_key_of_the_installation_none_is_made(api: tuple[Site, str]) -> None:
    site, _ = api
    done = site.slipway("keys", "create", check=False, SLIPWAY_API__KEY="")
    assert done.returncode != 0
    assert "SLIPWAY_API__KEY" in done.stderr
