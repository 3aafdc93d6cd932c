"""Operations on revisions, rule by rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.revisions import RevisionLocation
from tests.unit.api.operations.calling import GITHUB, NOW, S3, Api

SHOP = {"applicationName": "shop"}


def s3(key: str = "k", bucket: str = "b", **more: Any) -> dict[str, Any]:
    return {"revisionType": "S3", "s3Location": {"bucket": bucket, "key": key, "bundleType": "tgz", **more}}


def register(api: Api, *revisions: dict[str, Any], **more: Any) -> None:
    for revision in revisions:
        api("RegisterApplicationRevision", **SHOP, revision=revision, **more)


def target(api: Api, group: str, revision: dict[str, Any]) -> None:
    """Make it the revision that a group has."""
    location = RevisionLocation.model_validate(revision)
    for name in api.store.groups.names():
        found = api.store.groups.named(name)
        if found is not None and found.deployment_group_name == group:
            api.store.groups.change(found.identity, lambda g: g.model_copy(update={"target_revision": location}))


@pytest.mark.parametrize(
    "revision",
    [S3, GITHUB, s3(version="v1", eTag="abc"), s3(eTag='"quoted"'), s3(key="k" * 1024), s3(key="ü/ .tar", bucket="B")],
)
def test_a_revision_is_read_back(api: Api, revision: dict[str, Any]) -> None:
    api.application()
    assert api("RegisterApplicationRevision", **SHOP, revision=revision, description="first") == {}
    registered = {"description": "first", "deploymentGroups": [], "registerTime": NOW + 1}
    found = api("GetApplicationRevision", **SHOP, revision=revision)
    assert found == {**SHOP, "revision": revision, "revisionInfo": registered}
    assert api("BatchGetApplicationRevisions", **SHOP, revisions=[revision]) == {
        **SHOP,
        "revisions": [{"revisionLocation": revision, "genericRevisionInfo": registered}],
    }
    assert api("ListApplicationRevisions", **SHOP) == {"revisions": [revision]}


def test_another_registration_gives_another_description_and_keeps_the_time(api: Api) -> None:
    api.application()
    register(api, S3, description="first")
    for given, kept in (({"description": "second"}, "second"), ({}, "second"), ({"description": ""}, "")):
        register(api, S3, **given)
        info = api("GetApplicationRevision", **SHOP, revision=S3)["revisionInfo"]
        assert (info["description"], info["registerTime"]) == (kept, NOW + 1)


@pytest.mark.parametrize("other", [s3(version="1"), s3(eTag="e"), s3("l"), s3(bucket="c"), s3(bundleType="zip")])
def test_all_that_is_given_tells_revisions_apart(api: Api, other: dict[str, Any]) -> None:
    api.application()
    register(api, s3())
    assert api.code("GetApplicationRevision", **SHOP, revision=other) == "RevisionDoesNotExist"


def test_quotes_around_an_etag_do_not(api: Api) -> None:
    api.application()
    register(api, s3(eTag='"e"'))
    assert api("GetApplicationRevision", **SHOP, revision=s3(eTag="e"))["revision"] == s3(eTag='"e"')


def test_the_groups_that_have_it_are_told(api: Api) -> None:
    for name in ("web", "db", "idle"):
        api.group(name)
    register(api, S3, GITHUB)
    target(api, "web", S3)
    target(api, "db", S3)
    info = api("GetApplicationRevision", **SHOP, revision=S3)["revisionInfo"]
    assert info["deploymentGroups"] == ["db", "web"]
    assert api("ListApplicationRevisions", **SHOP, deployed="include")["revisions"] == [S3]
    assert api("ListApplicationRevisions", **SHOP, deployed="exclude")["revisions"] == [GITHUB]
    assert len(api("ListApplicationRevisions", **SHOP, deployed="ignore")["revisions"]) == 2


INVALID = [
    (None, "RevisionRequired"),
    ({}, "InvalidRevision"),
    ({"revisionType": "S3"}, "InvalidRevision"),
    ({"revisionType": "Tape"}, "InvalidRevision"),
    ({"revisionType": "String", "string": {"content": "x"}}, "InvalidRevision"),
    (s3(bucket=""), "InvalidRevision"),
    (s3(key="k" * 1025), "InvalidRevision"),
    (s3(bundleType="YAML"), "InvalidRevision"),
    ({"revisionType": "GitHub", "gitHubLocation": {"repository": "a/b/c", "commitId": "a" * 40}}, "InvalidRevision"),
]


@pytest.mark.parametrize(("revision", "code"), INVALID)
def test_what_is_no_revision(api: Api, revision: Any, code: str) -> None:
    api.application()
    for operation in ("RegisterApplicationRevision", "GetApplicationRevision"):
        assert api.code(operation, **SHOP, revision=revision) == code
    assert api.code("BatchGetApplicationRevisions", **SHOP, revisions=[S3, revision]) == code


@pytest.mark.parametrize(
    ("operation", "given", "code"),
    [
        ("RegisterApplicationRevision", {"revision": S3, "description": "x" * 257}, "DescriptionTooLong"),
        ("BatchGetApplicationRevisions", {"revisions": []}, "RevisionRequired"),
        ("BatchGetApplicationRevisions", {"revisions": [S3] * 26}, "BatchLimitExceeded"),
        ("GetApplicationRevision", {"revision": S3}, "RevisionDoesNotExist"),
        ("ListApplicationRevisions", {"s3KeyPrefix": "k"}, "BucketNameFilterRequired"),
        ("ListApplicationRevisions", {"s3Bucket": ""}, "InvalidBucketNameFilter"),
        ("ListApplicationRevisions", {"sortBy": "size"}, "InvalidSortBy"),
        ("ListApplicationRevisions", {"sortOrder": "up"}, "InvalidSortOrder"),
        ("ListApplicationRevisions", {"deployed": "maybe"}, "InvalidDeployedStateFilter"),
        ("ListApplicationRevisions", {"nextToken": "more"}, "InvalidNextToken"),
    ],
)
def test_what_cannot_be_asked(api: Api, operation: str, given: dict[str, Any], code: str) -> None:
    api.application()
    assert api.code(operation, **SHOP, **given) == code


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("RegisterApplicationRevision", {"revision": S3}),
        ("GetApplicationRevision", {"revision": S3}),
        ("BatchGetApplicationRevisions", {"revisions": [S3]}),
        ("ListApplicationRevisions", {}),
    ],
)
def test_applications_are_checked(api: Api, operation: str, given: dict[str, Any]) -> None:
    assert api.code(operation, **given) == "ApplicationNameRequired"
    assert api.code(operation, applicationName="two words", **given) == "InvalidApplicationName"
    assert api.code(operation, applicationName="unknown", **given) == "ApplicationDoesNotExist"


def test_the_missing_of_several_are_told(api: Api) -> None:
    api.application()
    register(api, S3)
    found = api("BatchGetApplicationRevisions", **SHOP, revisions=[GITHUB, S3])
    assert [each["revisionLocation"] for each in found["revisions"]] == [S3]
    assert "me/shop" in found["errorMessage"]


def test_lists_by_bucket_and_prefix(api: Api) -> None:
    api.application()
    register(api, s3("shop/1"), s3("shop/2"), s3("shop"), s3("shop/1", bucket="c"), GITHUB)

    def keys(**given: Any) -> list[str]:
        found = api("ListApplicationRevisions", **SHOP, **given)["revisions"]
        return [each["s3Location"]["key"] for each in found]

    assert keys(s3Bucket="b") == ["shop/1", "shop/2", "shop"]
    assert keys(s3Bucket="b", s3KeyPrefix="shop/") == ["shop/1", "shop/2"]
    assert keys(s3Bucket="c", s3KeyPrefix="") == ["shop/1"]
    assert keys(s3Bucket="x") == []


def used(api: Api, revision: dict[str, Any], first: float, last: float) -> None:
    location = RevisionLocation.model_validate(revision)
    times = {"first_used_time": first, "last_used_time": last}
    for name in api.store.revisions.names():
        found = api.store.revisions.get(name)
        if found is not None and found.location == location:
            api.store.revisions.change(name, lambda known: known.model_copy(update=times))


def test_lists_in_the_order_asked_for(api: Api) -> None:
    api.application()
    register(api, s3("a"), s3("b"), s3("c"))
    used(api, s3("a"), 30, 40)
    used(api, s3("b"), 20, 60)
    used(api, s3("c"), 10, 50)

    def keys(**given: Any) -> str:
        found = api("ListApplicationRevisions", **SHOP, **given)["revisions"]
        return "".join(each["s3Location"]["key"] for each in found)

    assert keys(sortBy="registerTime") == "abc"
    assert keys(sortBy="registerTime", sortOrder="ascending") == "abc"
    assert keys(sortBy="registerTime", sortOrder="descending") == "cba"
    assert keys(sortBy="firstUsedTime") == "cba"
    assert keys(sortBy="lastUsedTime", sortOrder="descending") == "bca"


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_pages_of_revisions_while_some_come_and_go(api: Api, order: str) -> None:
    api.application()
    moments = iter(range(1000))
    # Many are registered at the same time.
    api.now = lambda: NOW + next(moments) // 20
    revisions = [s3(f"{number:03d}") for number in range(250)]
    register(api, *revisions)
    come = iter(range(100))

    def between() -> None:
        register(api, s3(f"new-{next(come)}"))

    given = {**SHOP, "sortBy": "registerTime", "sortOrder": order}
    pages = list(api.pages("ListApplicationRevisions", "revisions", between, **given))
    found = [each["s3Location"]["key"] for page in pages for each in page]
    assert len(found) == len(set(found))
    old = [key for key in found if not key.startswith("new")]
    assert old == sorted(old, reverse=order == "descending")
    assert len(old) == 250
    assert all(len(page) == 100 for page in pages[:-1])


def test_tokens_are_for_the_same_order(api: Api) -> None:
    api.application()
    register(api, *[s3(str(number)) for number in range(101)])
    token = api("ListApplicationRevisions", **SHOP)["nextToken"]
    refusal: Callable[..., str] = api.code
    assert refusal("ListApplicationRevisions", **SHOP, sortOrder="descending", nextToken=token) == "InvalidNextToken"
