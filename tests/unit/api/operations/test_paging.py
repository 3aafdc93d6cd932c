"""Paging tokens: opaque, and good only for the call and the parameters that gave them out."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from api.paging import seal, unseal
from api.wire.model import OPERATIONS, errors_of, input_of
from domain.api_errors import InvalidNextToken
from tests.unit.api.operations.calling import ACCOUNT, Api

KEY = b"a key"
ARN = f"arn:aws:codedeploy:us-east-1:{ACCOUNT}:application:shop"
SHOP = {"applicationName": "shop"}
HOST_COUNT = {"type": "HOST_COUNT", "value": 0}


@pytest.fixture(scope="module")
def full() -> tuple[Api, str]:
    """An installation with more of everything than a page holds, and a deployment of as many targets."""
    api = Api()
    api.allow(custom_configs=500, resource_tags=500)
    api.application(tags=[{"Key": f"k{number}"} for number in range(101)])
    api.group()
    for number in range(101):
        api.application(f"a{number}")
        api.group(f"g{number}")
        api.instance(f"h{number}")
        api("CreateDeploymentConfig", deploymentConfigName=f"c{number}", minimumHealthyHosts=HOST_COUNT)
        location = {"bucket": "b", "key": f"{number}", "bundleType": "zip"}
        api("RegisterApplicationRevision", **SHOP, revision={"revisionType": "S3", "s3Location": location})
        api.deployment()
    return api, api.deployment(targets=101, group="g1")


LISTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ListApplicationRevisions": (SHOP, {**SHOP, "s3Bucket": "b"}),
    "ListApplications": ({}, {}),
    "ListDeploymentConfigs": ({}, {}),
    "ListDeploymentGroups": (SHOP, {"applicationName": "a1"}),
    "ListDeploymentInstances": ({"deploymentId": ""}, {"deploymentId": "", "instanceStatusFilter": ["Pending"]}),
    "ListDeploymentTargets": (
        {"deploymentId": ""},
        {"deploymentId": "", "targetFilters": {"TargetStatus": ["Pending"]}},
    ),
    "ListDeployments": ({}, {"includeOnlyStatuses": ["Created"]}),
    "ListOnPremisesInstances": ({}, {"registrationStatus": "Registered"}),
    "ListTagsForResource": ({"ResourceArn": ARN}, {"ResourceArn": ARN.replace("shop", "a1")}),
}
"""Each list of more than one page: a call, and the same with another parameter."""


def asked(operation: str, deployment_id: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    one, other = (
        {**each, **({"deploymentId": deployment_id} if each.get("deploymentId") == "" else {})}
        for each in LISTS[operation]
    )
    return one, other, "NextToken" if operation == "ListTagsForResource" else "nextToken"


def refused(api: Api, operation: str, **given: Any) -> None:
    refusal = api.refusal(operation, **given)
    named = "InvalidNextTokenException"
    # ListTagsForResource models no error for a token.
    assert refusal.code == (named if named in errors_of(operation) else "ValidationException")


def test_every_list_is_here() -> None:
    lists = {operation for operation in OPERATIONS if "nextToken" in str(input_of(operation) and _members(operation))}
    assert lists - {"ListGitHubAccountTokenNames"} == LISTS.keys()


def _members(operation: str) -> str:
    shape = input_of(operation)
    return " ".join(shape.members if shape else ()).replace("NextToken", "nextToken")


@pytest.mark.parametrize("operation", LISTS)
def test_a_token_is_for_its_own_call_alone(full: tuple[Api, str], operation: str) -> None:
    api, deployment_id = full
    one, other, member = asked(operation, deployment_id)
    token = api(operation, **one)[member]
    api(operation, **one, **{member: token})
    if other != one:
        refused(api, operation, **other, **{member: token})
    foreign = seal(
        api.site.token_key, "ListApplications" if operation != "ListApplications" else "ListDeployments", one, "a"
    )
    for bad in (foreign, "x", "ü", token[:-1], f"{token}=", f"{token} ", token[::-1], "A" * 2000, "=", "AAAA"):
        refused(api, operation, **one, **{member: bad})
    strangers = replace(api.site, token_key=b"another key")
    theirs, api.site = api.site, strangers
    refused(api, operation, **one, **{member: token})
    api.site = theirs


@pytest.mark.parametrize("operation", LISTS)
def test_an_empty_token_is_the_beginning(full: tuple[Api, str], operation: str) -> None:
    api, deployment_id = full
    one, _, member = asked(operation, deployment_id)
    assert api(operation, **one, **{member: None}) == api(operation, **one)
    assert api(operation, **one, **{member: ""}) == api(operation, **one)


def spellings(token: str) -> Iterator[str]:
    for at, letter in enumerate(token):
        yield token[:at] + ("A" if letter != "A" else "B") + token[at + 1 :]
        yield token[:at] + token[at + 1 :]


@pytest.mark.parametrize("cursor", ["a", "ab", "abc", ["1.5", "x"], 7])
def test_no_other_text_is_a_token(cursor: Any) -> None:
    token = seal(KEY, "ListApplications", {}, cursor)
    assert unseal(KEY, "ListApplications", {"nextToken": token}) == cursor
    for bad in spellings(token):
        with pytest.raises(InvalidNextToken):
            unseal(KEY, "ListApplications", {"nextToken": bad})


@drawn(st.one_of(st.text(min_size=1), st.binary(min_size=1).map(lambda raw: base64.urlsafe_b64encode(raw).decode())))
def test_nobody_guesses_one(token: str) -> None:
    with pytest.raises(InvalidNextToken):
        unseal(KEY, "ListApplications", {"nextToken": token})


@drawn(st.recursive(st.none() | st.integers() | st.text(), lambda each: st.lists(each, max_size=3)), st.text())
def test_a_token_gives_back_what_was_sealed(cursor: Any, name: str) -> None:
    given = {"applicationName": name}
    token = seal(KEY, "ListDeploymentGroups", given, cursor)
    assert unseal(KEY, "ListDeploymentGroups", {**given, "nextToken": token}) == json.loads(json.dumps(cursor))
