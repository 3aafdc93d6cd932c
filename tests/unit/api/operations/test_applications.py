"""Operations on applications, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.api.operations.calling import LONG, NOW, S3, Api, without

BAD_NAMES = [("two words", "InvalidApplicationName"), (LONG, "InvalidApplicationName"), ("ä", "InvalidApplicationName")]
NAMES = [({}, "ApplicationNameRequired"), ({"applicationName": ""}, "ApplicationNameRequired")]
NAMES += [({"applicationName": name}, code) for name, code in BAD_NAMES]


@pytest.mark.parametrize("operation", ["CreateApplication", "GetApplication", "UpdateApplication", "DeleteApplication"])
@pytest.mark.parametrize(("given", "code"), NAMES)
def test_names_are_checked(api: Api, operation: str, given: dict[str, Any], code: str) -> None:
    assert api.code(operation, **given) == code


@pytest.mark.parametrize("name", ["a", "A.b_C+d=e,f@g-h", "a" * 100])
def test_an_application_is_read_back(api: Api, name: str) -> None:
    made = api("CreateApplication", applicationName=name, computePlatform="Server")
    assert api("GetApplication", applicationName=name) == {
        "application": {
            "applicationId": made["applicationId"],
            "applicationName": name,
            "createTime": NOW,
            "linkedToGitHub": False,
            "computePlatform": "Server",
        }
    }


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"computePlatform": "Lambda"}, "InvalidComputePlatform"),
        ({"computePlatform": "ECS"}, "InvalidComputePlatform"),
        ({"computePlatform": "Server "}, "InvalidComputePlatform"),
        ({"tags": [{"Value": "v"}]}, "InvalidTagsToAdd"),
        ({"tags": [{"Key": "", "Value": "v"}]}, "InvalidTagsToAdd"),
        ({"tags": [{"Key": "k" * 129}]}, "InvalidTagsToAdd"),
        ({"tags": [{"Key": "k", "Value": "v" * 257}]}, "InvalidTagsToAdd"),
        ({"tags": [{"Key": "k"}, {"Key": "k"}]}, "InvalidTagsToAdd"),
        ({"tags": [{"Key": f"k{n}"} for n in range(51)]}, "InvalidTagsToAdd"),
        ({"tags": [None]}, "InvalidTagsToAdd"),
    ],
)
def test_what_cannot_be_created(api: Api, given: dict[str, Any], code: str) -> None:
    assert api.code("CreateApplication", applicationName="shop", **given) == code


def test_a_name_is_given_once_and_case_counts(api: Api) -> None:
    api.application("shop")
    assert api.code("CreateApplication", applicationName="shop") == "ApplicationAlreadyExists"
    api.application("Shop")


def test_the_quota_of_applications(api: Api) -> None:
    api.allow(applications=1)
    api.application("shop")
    assert api.code("CreateApplication", applicationName="more") == "ApplicationLimitExceeded"
    assert api.code("CreateApplication", applicationName="shop") == "ApplicationAlreadyExists"


def test_what_is_not_there(api: Api) -> None:
    for operation in ("GetApplication", "UpdateApplication"):
        assert api.code(operation, applicationName="shop") == "ApplicationDoesNotExist"
    assert api("DeleteApplication", applicationName="shop") == {}


def test_several_come_in_the_order_asked_for(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.application(name)
    found = api("BatchGetApplications", applicationNames=["c", "a", "c"])["applicationsInfo"]
    assert [each["applicationName"] for each in found] == ["c", "a", "c"]
    assert found[1] == api("GetApplication", applicationName="a")["application"]


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (None, "ApplicationNameRequired"),
        ([], "ApplicationNameRequired"),
        ([None], "ApplicationNameRequired"),
        (["two words"], "InvalidApplicationName"),
        (["shop", "unknown"], "ApplicationDoesNotExist"),
        (["shop"] * 101, "BatchLimitExceeded"),
        (["shop"] * 1001, "BatchLimitExceeded"),
    ],
)
def test_several_that_cannot_be_had(api: Api, names: list[str], code: str) -> None:
    api.application("shop")
    assert api.code("BatchGetApplications", applicationNames=names) == code


def test_a_hundred_at_once_are_allowed(api: Api) -> None:
    api.application("shop")
    assert len(api("BatchGetApplications", applicationNames=["shop"] * 100)["applicationsInfo"]) == 100


def test_all_that_belongs_to_an_application_follows_its_new_name(api: Api) -> None:
    named = api.group()
    api("RegisterApplicationRevision", applicationName="shop", revision=S3)
    deployment_id = api.deployment(targets=2)
    before = api("GetDeploymentGroup", **named)["deploymentGroupInfo"]
    made = api("GetApplication", applicationName="shop")["application"]

    assert api("UpdateApplication", applicationName="shop", newApplicationName="store") == {}

    assert api.code("GetApplication", applicationName="shop") == "ApplicationDoesNotExist"
    after = api("GetApplication", applicationName="store")["application"]
    assert after == {**made, "applicationName": "store"}
    moved = {**named, "applicationName": "store"}
    assert api("GetDeploymentGroup", **moved)["deploymentGroupInfo"] == {**before, "applicationName": "store"}
    assert api("ListDeploymentGroups", applicationName="store")["deploymentGroups"] == ["web"]
    assert api("ListApplicationRevisions", applicationName="store")["revisions"] == [S3]
    assert api("GetApplicationRevision", applicationName="store", revision=S3)["applicationName"] == "store"
    assert api("ListDeployments", **moved)["deployments"] == [deployment_id]
    assert api("GetDeployment", deploymentId=deployment_id)["deploymentInfo"]["applicationName"] == "store"
    (info,) = api("BatchGetDeployments", deploymentIds=[deployment_id])["deploymentsInfo"]
    assert info["applicationName"] == "store"
    assert len(api("ListDeploymentTargets", deploymentId=deployment_id)["targetIds"]) == 2


def test_the_old_name_is_free_for_another(api: Api) -> None:
    api.group()
    deployment_id = api.deployment()
    api("UpdateApplication", applicationName="shop", newApplicationName="store")
    api.group()
    assert api("ListDeployments", applicationName="shop", deploymentGroupName="web")["deployments"] == []
    assert api("GetDeployment", deploymentId=deployment_id)["deploymentInfo"]["applicationName"] == "store"


@pytest.mark.parametrize("given", [{}, {"newApplicationName": None}, {"newApplicationName": "shop"}])
def test_a_rename_to_nothing_new_changes_nothing(api: Api, given: dict[str, Any]) -> None:
    api.application("shop")
    before = api("GetApplication", applicationName="shop")
    assert api("UpdateApplication", applicationName="shop", **given) == {}
    assert api("GetApplication", applicationName="shop") == before


@pytest.mark.parametrize(
    ("new_name", "code"),
    [("taken", "ApplicationAlreadyExists"), ("", "ApplicationNameRequired"), *BAD_NAMES],
)
def test_renames_that_cannot_be(api: Api, new_name: str, code: str) -> None:
    api.application("shop")
    api.application("taken")
    assert api.code("UpdateApplication", applicationName="shop", newApplicationName=new_name) == code


def test_what_belongs_to_an_application_goes_with_it(api: Api) -> None:
    named = api.group()
    api.group("db")
    api.group("web", application="other")
    for number in range(1200):
        api("RegisterApplicationRevision", applicationName="shop", revision=revision(number))
    api("RegisterApplicationRevision", applicationName="other", revision=S3)
    deployment_id = api.deployment(targets=1)
    kept = api.deployment(application="other")

    assert api("DeleteApplication", applicationName="shop") == {}

    assert api("ListApplications") == {"applications": ["other"]}
    assert api.code("GetDeploymentGroup", **named) == "ApplicationDoesNotExist"
    assert api.code("GetDeployment", deploymentId=deployment_id) == "DeploymentDoesNotExist"
    assert api.code("ListDeploymentTargets", deploymentId=deployment_id) == "DeploymentDoesNotExist"
    assert api("BatchGetDeployments", deploymentIds=[deployment_id])["deploymentsInfo"] == []
    assert api("ListDeployments")["deployments"] == [kept]
    assert api.store.revisions.count() == 1
    assert api.store.groups.count() == 1

    api.group()
    assert api("ListApplicationRevisions", applicationName="shop")["revisions"] == []
    assert api("ListDeploymentGroups", applicationName="shop")["deploymentGroups"] == ["web"]
    assert api("ListDeployments", **named)["deployments"] == []


def revision(number: int) -> dict[str, Any]:
    return {"revisionType": "S3", "s3Location": {"bucket": "b", "key": f"{number}.zip", "bundleType": "zip"}}


def test_pages_of_applications_are_in_order_while_some_come_and_go(api: Api) -> None:
    for number in range(250):
        api.application(f"a{number:03d}")

    def between() -> None:
        for name in ("a000x", "zz"):
            if api.store.applications.named(name) is None:
                api.application(name)
        api("DeleteApplication", applicationName="a005")
        api("DeleteApplication", applicationName="a220")

    pages = list(api.pages("ListApplications", "applications", between))
    assert [len(page) for page in pages] == [100, 100, 50]
    names = [name for page in pages for name in page]
    assert names == sorted({f"a{number:03d}" for number in range(250)} - {"a220"} | {"zz"})


def test_the_last_page_may_be_full(api: Api) -> None:
    for number in range(200):
        api.application(f"a{number:03d}")
    assert [len(page) for page in api.pages("ListApplications", "applications")] == [100, 100]


def test_nothing_is_a_page(api: Api) -> None:
    assert api("ListApplications") == {"applications": []}
    assert without(api("ListDeploymentConfigs"), "deploymentConfigsList") == {}
