"""Operations on the tags of resources, and on GitHub tokens, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.api.operations.calling import ACCOUNT, Api

PREFIX = f"arn:aws:codedeploy:eu-west-1:{ACCOUNT}"
SHOP, WEB = f"{PREFIX}:application:shop", f"{PREFIX}:deploymentgroup:shop/web"
GIVEN: dict[str, dict[str, Any]] = {
    "ListTagsForResource": {},
    "TagResource": {"Tags": [{"Key": "k"}]},
    "UntagResource": {"TagKeys": ["k"]},
}
each_operation = pytest.mark.parametrize("operation", GIVEN)


def tags(api: Api, arn: str) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in api("ListTagsForResource", ResourceArn=arn)["Tags"]}


@pytest.mark.parametrize("arn", [SHOP, WEB])
def test_tags_are_added_replaced_and_removed(api: Api, arn: str) -> None:
    api.group()
    assert tags(api, arn) == {}
    assert api("TagResource", ResourceArn=arn, Tags=[{"Key": "b", "Value": "1"}, {"Key": "a"}]) == {}
    api("TagResource", ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    assert list(tags(api, arn).items()) == [("a", ""), ("b", "2")]
    assert api("UntagResource", ResourceArn=arn, TagKeys=["b", "x"]) == {}
    assert tags(api, arn) == {"a": ""}


def test_tags_come_with_the_resource_and_follow_it(api: Api) -> None:
    api.application(tags=[{"Key": "a", "Value": "1"}])
    api.group(tags=[{"Key": "g", "Value": "2"}])
    assert (tags(api, SHOP), tags(api, WEB)) == ({"a": "1"}, {"g": "2"})
    api("UpdateApplication", applicationName="shop", newApplicationName="store")
    assert tags(api, f"{PREFIX}:deploymentgroup:store/web") == {"g": "2"}
    assert tags(api, f"{PREFIX}:application:store") == {"a": "1"}


@each_operation
@pytest.mark.parametrize(
    ("arn", "code"),
    [
        (None, "ResourceArnRequired"),
        ("", "ResourceArnRequired"),
        ("shop", "InvalidArn"),
        (SHOP.replace(ACCOUNT, "999999999999"), "InvalidArn"),
        (SHOP.replace(":codedeploy:", ":s3:"), "InvalidArn"),
        (f"{PREFIX}:application:", "InvalidArn"),
        (f"{PREFIX}:deploymentgroup:shop", "InvalidArn"),
        (f"{PREFIX}:deploymentconfig:c", "ArnNotSupported"),
        (f"{PREFIX}:instance/host-1_abcdefghij", "ArnNotSupported"),
        ("a" * 1012, "InvalidArn"),
    ],
)
def test_arns_are_checked(api: Api, operation: str, arn: str | None, code: str) -> None:
    api.group()
    assert api.code(operation, ResourceArn=arn, **GIVEN[operation]) == code


@each_operation
@pytest.mark.parametrize(
    ("arn", "code"),
    [
        (f"{PREFIX}:application:unknown", "ApplicationDoesNotExist"),
        (f"{PREFIX}:deploymentgroup:unknown/web", "ApplicationDoesNotExist"),
        (f"{PREFIX}:deploymentgroup:shop/unknown", "DeploymentGroupDoesNotExist"),
        (f"{PREFIX}:deploymentgroup:shop/", "DeploymentGroupDoesNotExist"),
    ],
)
def test_what_is_not_there(api: Api, operation: str, arn: str, code: str) -> None:
    api.group()
    # The list has no word for it.
    expected = "InvalidArn" if operation == "ListTagsForResource" else code
    assert api.code(operation, ResourceArn=arn, **GIVEN[operation]) == expected


@pytest.mark.parametrize(
    ("operation", "given", "code"),
    [
        ("TagResource", {"Tags": None}, "TagRequired"),
        ("TagResource", {"Tags": []}, "TagRequired"),
        ("TagResource", {"Tags": [{"Value": "v"}]}, "InvalidTagsToAdd"),
        ("TagResource", {"Tags": [{"Key": "k"}, {"Key": "k"}]}, "InvalidTagsToAdd"),
        ("TagResource", {"Tags": [{"Key": "k" * 129}]}, "InvalidTagsToAdd"),
        ("TagResource", {"Tags": [{"Key": f"k{n}"} for n in range(51)]}, "InvalidTagsToAdd"),
        ("UntagResource", {"TagKeys": None}, "TagRequired"),
        ("UntagResource", {"TagKeys": []}, "TagRequired"),
    ],
)
def test_tags_that_cannot_be(api: Api, operation: str, given: dict[str, Any], code: str) -> None:
    api.application()
    assert api.code(operation, ResourceArn=SHOP, **given) == code


def test_fifty_tags_in_all(api: Api) -> None:
    api.application()
    api("TagResource", ResourceArn=SHOP, Tags=[{"Key": f"k{n}"} for n in range(50)])
    assert api.code("TagResource", ResourceArn=SHOP, Tags=[{"Key": "one more"}]) == "InvalidTagsToAdd"
    api("TagResource", ResourceArn=SHOP, Tags=[{"Key": "k0", "Value": "again"}])


def test_pages_of_tags_while_some_come_and_go(api: Api) -> None:
    api.allow(resource_tags=500)
    api.application(tags=[{"Key": f"k{n:03d}"} for n in range(250)])

    def between() -> None:
        api("UntagResource", ResourceArn=SHOP, TagKeys=["k001", "k240"])
        api("TagResource", ResourceArn=SHOP, Tags=[{"Key": "a"}, {"Key": "z"}])

    pages = list(api.pages("ListTagsForResource", "Tags", between, ResourceArn=SHOP))
    assert [len(page) for page in pages] == [100, 100, 50]
    keys = [each["Key"] for page in pages for each in page]
    assert keys == sorted({f"k{n:03d}" for n in range(250)} - {"k240"} | {"z"})


def test_github_tokens_are_those_of_the_settings() -> None:
    api = Api(github_tokens=("b", "a"))
    assert api("ListGitHubAccountTokenNames") == {"tokenNameList": ["a", "b"]}
    assert api.code("DeleteGitHubAccountToken", tokenName="a") == "OperationNotSupported"
    assert api.code("DeleteGitHubAccountToken", tokenName="c") == "GitHubAccountTokenDoesNotExist"
    assert api.code("DeleteGitHubAccountToken") == "GitHubAccountTokenNameRequired"
    assert api.code("DeleteGitHubAccountToken", tokenName="") == "GitHubAccountTokenNameRequired"
    assert api.code("ListGitHubAccountTokenNames", nextToken="more") == "InvalidNextToken"
    assert Api()("ListGitHubAccountTokenNames") == {"tokenNameList": []}
