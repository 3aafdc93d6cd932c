"""Operations on on-premises instances, rule by rule; and those that meet."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import CallerError
from domain.fleet import ArnHolder
from tests.unit.api.operations.calling import ACCOUNT, LONG, NOW, SESSION, USER, Api

A_TAG = {"Key": "k", "Value": "v"}
TAGGING = ("AddTagsToOnPremisesInstances", "RemoveTagsFromOnPremisesInstances")


def tags(api: Api, name: str = "host-1") -> dict[str, str]:
    found = api("GetOnPremisesInstance", instanceName=name)["instanceInfo"]["tags"]
    return {each["Key"]: each["Value"] for each in found}


@pytest.mark.parametrize("arn", [{"iamUserArn": USER}, {"iamSessionArn": SESSION}])
def test_an_instance_is_read_back(api: Api, arn: dict[str, str]) -> None:
    assert api("RegisterOnPremisesInstance", instanceName="host-1", **arn) == {}
    info = api("GetOnPremisesInstance", instanceName="host-1")["instanceInfo"]
    instance_arn = info.pop("instanceArn")
    assert info == {"instanceName": "host-1", "registerTime": NOW, "tags": [], **arn}
    prefix, suffix = instance_arn[:-10], instance_arn[-10:]
    assert prefix == f"arn:aws:codedeploy:us-east-1:{ACCOUNT}:instance/host-1_"
    assert suffix.isalnum()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"instanceName": None}, "InstanceNameRequired"),
        ({"instanceName": ""}, "InstanceNameRequired"),
        ({"instanceName": LONG}, "InvalidInstanceName"),
        ({"instanceName": "two words"}, "InvalidInstanceName"),
        ({"instanceName": "i-12345678"}, "InvalidInstanceName"),
        ({"iamUserArn": None}, "IamArnRequired"),
        ({"iamUserArn": ""}, "IamArnRequired"),
        ({"iamSessionArn": SESSION}, "MultipleIamArnsProvided"),
        ({"iamUserArn": "me"}, "InvalidIamUserArn"),
        ({"iamUserArn": "arn:aws:iam::1:user/me"}, "InvalidIamUserArn"),
        ({"iamUserArn": SESSION}, "InvalidIamUserArn"),
        ({"iamUserArn": None, "iamSessionArn": USER}, "InvalidIamSessionArn"),
        ({"iamUserArn": None, "iamSessionArn": SESSION.rpartition("/")[0]}, "InvalidIamSessionArn"),
    ],
)
def test_what_cannot_be_registered(api: Api, given: dict[str, Any], code: str) -> None:
    assert api.code("RegisterOnPremisesInstance", **{"instanceName": "host-1", "iamUserArn": USER, **given}) == code


def test_a_name_and_an_arn_are_registered_once(api: Api) -> None:
    api.instance("a", iamUserArn=USER)
    api.instance("b", iamSessionArn=SESSION)
    other = "arn:aws:iam::111122223333:user/other"
    for name, arn, code in [
        ("a", {"iamUserArn": other}, "InstanceNameAlreadyRegistered"),
        ("a", {"iamUserArn": USER}, "InstanceNameAlreadyRegistered"),
        ("c", {"iamUserArn": USER}, "IamUserArnAlreadyRegistered"),
        ("c", {"iamSessionArn": SESSION}, "IamSessionArnAlreadyRegistered"),
    ]:
        assert api.code("RegisterOnPremisesInstance", instanceName=name, **arn) == code
    api("DeregisterOnPremisesInstance", instanceName="a")
    api.instance("c", iamUserArn=USER)
    assert api.code("RegisterOnPremisesInstance", instanceName="a", iamUserArn=USER) == "IamUserArnAlreadyRegistered"
    api.instance("a", iamUserArn=other)


def test_deregistering_keeps_the_record_and_frees_the_name(api: Api) -> None:
    api.instance()
    api("AddTagsToOnPremisesInstances", tags=[A_TAG], instanceNames=["host-1"])
    before = api("GetOnPremisesInstance", instanceName="host-1")["instanceInfo"]
    for _ in range(2):
        assert api("DeregisterOnPremisesInstance", instanceName="host-1") == {}
    after = api("GetOnPremisesInstance", instanceName="host-1")["instanceInfo"]
    assert after == {**before, "deregisterTime": after["deregisterTime"]}
    api.instance()
    again = api("GetOnPremisesInstance", instanceName="host-1")["instanceInfo"]
    assert "deregisterTime" not in again
    assert again["tags"] == []
    assert again["instanceArn"] != before["instanceArn"]


def test_what_is_not_there(api: Api) -> None:
    assert api("DeregisterOnPremisesInstance", instanceName="host-1") == {}
    assert api.code("GetOnPremisesInstance", instanceName="host-1") == "InstanceNotRegistered"
    for operation in ("GetOnPremisesInstance", "DeregisterOnPremisesInstance"):
        assert api.code(operation) == "InstanceNameRequired"
        assert api.code(operation, instanceName="two words") == "InvalidInstanceName"


def test_several_come_in_the_order_asked_for(api: Api) -> None:
    for name in ("a", "b"):
        api.instance(name)
    found = api("BatchGetOnPremisesInstances", instanceNames=["b", "x", "a"])["instanceInfos"]
    assert [each["instanceName"] for each in found] == ["b", "a"]


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (None, "InstanceNameRequired"),
        ([], "InstanceNameRequired"),
        ([None], "InstanceNameRequired"),
        ([""], "InstanceNameRequired"),
        (["two words"], "InvalidInstanceName"),
        (["a"] * 101, "BatchLimitExceeded"),
        (["a"] * 1001, "BatchLimitExceeded"),
    ],
)
def test_several_that_cannot_be_had(api: Api, names: Any, code: str) -> None:
    assert api.code("BatchGetOnPremisesInstances", instanceNames=names) == code


# --- tags ---


def test_tags_are_added_and_removed(api: Api) -> None:
    for name in ("host-1", "host-2"):
        api.instance(name)
    both = {"instanceNames": ["host-1", "host-2"]}
    assert api("AddTagsToOnPremisesInstances", tags=[A_TAG, {"Key": "a", "Value": ""}], **both) == {}
    api("AddTagsToOnPremisesInstances", tags=[{"Key": "k", "Value": "w"}], instanceNames=["host-1", "host-1"])
    assert tags(api) == {"k": "w", "a": ""}
    assert tags(api, "host-2") == {"k": "v", "a": ""}
    removed = [A_TAG, {"Key": "a", "Value": ""}, {"Key": "x", "Value": "y"}]
    assert api("RemoveTagsFromOnPremisesInstances", tags=removed, **both) == {}
    assert (tags(api), tags(api, "host-2")) == ({"k": "w"}, {})


@pytest.mark.parametrize("operation", TAGGING)
@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"tags": None}, "TagRequired"),
        ({"tags": []}, "TagRequired"),
        ({"tags": [None]}, "TagRequired"),
        ({"tags": [{}]}, "InvalidTag"),
        ({"tags": [{"Key": "k"}]}, "InvalidTag"),
        ({"tags": [{"Value": "v"}]}, "InvalidTag"),
        ({"tags": [{"Key": "", "Value": "v"}]}, "InvalidTag"),
        ({"tags": [{"Key": "k" * 129, "Value": "v"}]}, "InvalidTag"),
        ({"tags": [{"Key": "k", "Value": "v" * 257}]}, "InvalidTag"),
        ({"tags": [{"Key": f"k{n}", "Value": "v"} for n in range(11)]}, "TagLimitExceeded"),
        ({"instanceNames": None}, "InstanceNameRequired"),
        ({"instanceNames": []}, "InstanceNameRequired"),
        ({"instanceNames": ["two words"]}, "InvalidInstanceName"),
        ({"instanceNames": ["host-1"] * 101}, "InstanceLimitExceeded"),
        ({"instanceNames": ["host-1"] * 1001}, "InstanceLimitExceeded"),
        ({"instanceNames": ["host-1", "unknown"]}, "InstanceNotRegistered"),
        ({"instanceNames": ["host-1", "gone"]}, "InstanceNotRegistered"),
    ],
)
def test_tags_that_cannot_be(api: Api, operation: str, given: dict[str, Any], code: str) -> None:
    for name in ("host-1", "gone"):
        api.instance(name)
    api("DeregisterOnPremisesInstance", instanceName="gone")
    assert api.code(operation, **{"tags": [A_TAG], "instanceNames": ["host-1"], **given}) == code


def test_ten_tags_are_allowed_and_all_or_none_are_added(api: Api) -> None:
    for name in ("host-1", "host-2"):
        api.instance(name)
    ten = [{"Key": f"k{n}", "Value": "v"} for n in range(10)]
    api("AddTagsToOnPremisesInstances", tags=ten, instanceNames=["host-2"])
    given = {"tags": [A_TAG], "instanceNames": ["host-1", "host-2"]}
    assert api.code("AddTagsToOnPremisesInstances", **given) == "TagLimitExceeded"
    assert (tags(api), len(tags(api, "host-2"))) == ({}, 10)
    api("AddTagsToOnPremisesInstances", tags=[{"Key": "k0", "Value": "w"}], instanceNames=["host-2"])


# --- lists ---


def test_lists_by_registration_and_by_tags(api: Api) -> None:
    for name in ("a", "b", "c", "d"):
        api.instance(name)
    for name, key, value in (("a", "role", "web"), ("b", "role", "db"), ("c", "env", "web-1")):
        api("AddTagsToOnPremisesInstances", tags=[{"Key": key, "Value": value}], instanceNames=[name])
    api("DeregisterOnPremisesInstance", instanceName="b")

    def listed(**given: Any) -> str:
        return "".join(api("ListOnPremisesInstances", **given)["instanceNames"])

    assert listed() == "abcd"
    assert listed(registrationStatus="Registered") == "acd"
    assert listed(registrationStatus="Deregistered") == "b"
    assert listed(tagFilters=[]) == "abcd"
    assert listed(tagFilters=[{"Key": "role", "Type": "KEY_ONLY"}]) == "ab"
    assert listed(tagFilters=[{"Key": "role", "Value": "web", "Type": "KEY_AND_VALUE"}]) == "a"
    assert listed(tagFilters=[{"Value": "web*", "Type": "VALUE_ONLY"}]) == "ac"
    either = [{"Key": "role", "Value": "db"}, {"Key": "env"}]
    assert listed(tagFilters=either) == "bc"
    assert listed(tagFilters=either, registrationStatus="Registered") == "c"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"registrationStatus": "Maybe"}, "InvalidRegistrationStatus"),
        ({"tagFilters": [{}]}, "InvalidTagFilter"),
        ({"tagFilters": [None]}, "InvalidTagFilter"),
        ({"tagFilters": [{"Key": "k", "Type": "ANY"}]}, "InvalidTagFilter"),
        ({"tagFilters": [{"Key": "k", "Type": "VALUE_ONLY"}]}, "InvalidTagFilter"),
        ({"tagFilters": [{"Key": "k", "Type": "KEY_AND_VALUE"}]}, "InvalidTagFilter"),
        ({"tagFilters": [{"Key": "k" * 129}]}, "InvalidTagFilter"),
        ({"nextToken": "more"}, "InvalidNextToken"),
    ],
)
def test_what_cannot_be_listed(api: Api, given: dict[str, Any], code: str) -> None:
    assert api.code("ListOnPremisesInstances", **given) == code


def test_pages_of_instances_while_some_come_and_go(api: Api) -> None:
    for number in range(1200):
        api.instance(f"h{number:04d}")
    for number in range(0, 1200, 5):
        api("DeregisterOnPremisesInstance", instanceName=f"h{number:04d}")
    come = iter(range(100))

    def between() -> None:
        api.instance(f"a{next(come)}")
        api("DeregisterOnPremisesInstance", instanceName="h1199")

    pages = list(api.pages("ListOnPremisesInstances", "instanceNames", between, registrationStatus="Registered"))
    assert [len(page) for page in pages[:-1]] == [100] * 9
    expected = [f"h{number:04d}" for number in range(1199) if number % 5]
    assert [name for page in pages for name in page] == expected


# --- those that meet ---


def test_a_claim_that_another_overtook_before_it_was_registered_is_given_up(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`a` has claimed the ARN and is not registered yet when `b` claims it, sees no `a`, and registers."""
    add = api.store.instances.add

    def overtaken(name: str, made: Any) -> bool:
        monkeypatch.setattr(api.store.instances, "add", add)
        api.instance("b", iamUserArn=USER)
        return add(name, made)

    monkeypatch.setattr(api.store.instances, "add", overtaken)
    with pytest.raises(CallerError) as refused:
        api.instance("a", iamUserArn=USER)
    assert refused.value.code == "IamUserArnAlreadyRegisteredException"
    assert api("ListOnPremisesInstances", registrationStatus="Registered")["instanceNames"] == ["b"]
    assert api.store.iam_arns.get(USER) == ArnHolder(instance_name="b")
    api("DeregisterOnPremisesInstance", instanceName="b")
    api.instance("a", iamUserArn=USER)


def test_a_registration_that_is_given_up_leaves_the_record_that_was(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.instance("a", iamUserArn="arn:aws:iam::111122223333:user/old")
    api("DeregisterOnPremisesInstance", instanceName="a")
    before = api("GetOnPremisesInstance", instanceName="a")
    add = api.store.instances.add

    def overtaken(name: str, made: Any) -> bool:
        monkeypatch.setattr(api.store.instances, "add", add)
        api.instance("b", iamUserArn=USER)
        return add(name, made)

    monkeypatch.setattr(api.store.instances, "add", overtaken)
    with pytest.raises(CallerError):
        api.instance("a", iamUserArn=USER)
    assert api("GetOnPremisesInstance", instanceName="a") == before
