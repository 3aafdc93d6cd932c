"""Calls of the API that meet, on every store: what several ask for at once goes to one, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from domain.deployments import DeploymentStatus
from domain.errors import CallerError
from domain.ports import Store
from tests.unit.api.operations.calling import ACCOUNT, ROLE, S3, Api

NAMED = {"applicationName": "shop", "deploymentGroupName": "web"}


def outcomes(calls: Sequence[Callable[[], object]]) -> list[str]:
    """What becomes of calls that are made at the same time."""
    found: list[str] = []
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        gate.wait()
        try:
            call()
            found.append("OK")
        except CallerError as error:
            found.append(error.code.removesuffix("Exception"))

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


def test_one_of_many_creates_an_application(store: Store) -> None:
    api = Api(store)
    ended = outcomes([partial(api, "CreateApplication", applicationName="shop")] * 6)
    assert ended == ["ApplicationAlreadyExists"] * 5 + ["OK"]
    assert api("ListApplications")["applications"] == ["shop"]


def test_one_of_many_creates_a_group(store: Store) -> None:
    api = Api(store)
    api.application()
    ended = outcomes([partial(api, "CreateDeploymentGroup", **NAMED, serviceRoleArn=ROLE)] * 6)
    assert ended == ["DeploymentGroupAlreadyExists"] * 5 + ["OK"]


def test_one_of_many_creates_a_configuration(store: Store) -> None:
    api = Api(store)
    minimum = {"type": "HOST_COUNT", "value": 0}
    ended = outcomes(
        [partial(api, "CreateDeploymentConfig", deploymentConfigName="c", minimumHealthyHosts=minimum)] * 6
    )
    assert ended == ["DeploymentConfigAlreadyExists"] * 5 + ["OK"]


def test_a_name_goes_to_who_creates_or_to_who_is_renamed(store: Store) -> None:
    api = Api(store)
    for name in ("a", "b"):
        api.application(name)
    calls = [
        partial(api, "CreateApplication", applicationName="wanted"),
        partial(api, "UpdateApplication", applicationName="a", newApplicationName="wanted"),
        partial(api, "UpdateApplication", applicationName="b", newApplicationName="wanted"),
    ]
    assert outcomes(calls) == ["ApplicationAlreadyExists"] * 2 + ["OK"]
    names = api("ListApplications")["applications"]
    assert "wanted" in names
    found = api("BatchGetApplications", applicationNames=names)["applicationsInfo"]
    assert [each["applicationName"] for each in found] == names


def test_one_of_many_deploys_to_a_group(store: Store) -> None:
    api = Api(store)
    api.group()
    ended = outcomes([partial(api, "CreateDeployment", **NAMED, revision=S3)] * 6)
    assert ended == ["DeploymentLimitExceeded"] * 5 + ["OK"]
    (running,) = api("ListDeployments", **NAMED, includeOnlyStatuses=["Created"])["deployments"]
    api("StopDeployment", deploymentId=running)
    assert store.active_count() == 0


def test_no_tag_is_lost(store: Store) -> None:
    api = Api(store)
    api.application()
    api.instance()
    arn = f"arn:aws:codedeploy:us-east-1:{ACCOUNT}:application:shop"
    tags = [[{"Key": f"k{number}", "Value": "v"}] for number in range(8)]
    calls: list[Callable[[], object]] = []
    for each in tags:
        calls.append(partial(api, "TagResource", ResourceArn=arn, Tags=each))
        calls.append(partial(api, "AddTagsToOnPremisesInstances", instanceNames=["host-1"], tags=each))
    assert set(outcomes(calls)) == {"OK"}
    assert len(api("ListTagsForResource", ResourceArn=arn)["Tags"]) == 8
    assert len(api("GetOnPremisesInstance", instanceName="host-1")["instanceInfo"]["tags"]) == 8
    removals = [partial(api, "UntagResource", ResourceArn=arn, TagKeys=[f"k{number}"]) for number in range(8)]
    assert set(outcomes(removals)) == {"OK"}
    assert api("ListTagsForResource", ResourceArn=arn)["Tags"] == []


def test_no_change_of_a_group_is_lost(store: Store) -> None:
    api = Api(store)
    api.group()
    current = {"applicationName": "shop", "currentDeploymentGroupName": "web"}
    changes: list[dict[str, Any]] = [
        {"autoScalingGroups": ["a"]},
        {"terminationHookEnabled": True},
        {"outdatedInstancesStrategy": "IGNORE"},
        {"ec2TagFilters": [{"Key": "k", "Type": "KEY_ONLY"}]},
    ]
    assert set(outcomes([partial(api, "UpdateDeploymentGroup", **current, **each) for each in changes])) == {"OK"}
    info = api("GetDeploymentGroup", **NAMED)["deploymentGroupInfo"]
    assert info["autoScalingGroups"] == [{"name": "a"}]
    assert {name: info[name] for each in changes[1:] for name in each} == {**changes[1], **changes[2], **changes[3]}


def test_one_of_many_registers_a_name(store: Store) -> None:
    api = Api(store)
    arns = [f"arn:aws:iam::{ACCOUNT}:user/u{number}" for number in range(6)]
    ended = outcomes([partial(api, "RegisterOnPremisesInstance", instanceName="a", iamUserArn=arn) for arn in arns])
    assert ended == ["InstanceNameAlreadyRegistered"] * 5 + ["OK"]


def test_one_of_many_registers_with_an_arn(store: Store) -> None:
    """Whatever way they meet, never are two registered with it, and somebody is in the end."""
    api = Api(store)
    arn = f"arn:aws:iam::{ACCOUNT}:user/shared"
    for attempt in range(5):
        names = [f"{attempt}-{number}" for number in range(4)]
        calls = [partial(api, "RegisterOnPremisesInstance", instanceName=name, iamUserArn=arn) for name in names]
        assert outcomes(calls) == ["IamUserArnAlreadyRegistered"] * 3 + ["OK"]
        (holder,) = api("ListOnPremisesInstances", registrationStatus="Registered")["instanceNames"]
        api("DeregisterOnPremisesInstance", instanceName=holder)


def test_registering_and_leaving_end_in_one_of_both(store: Store) -> None:
    api = Api(store)
    api.instance()
    calls: list[Callable[[], object]] = [
        *[partial(api, "DeregisterOnPremisesInstance", instanceName="host-1")] * 3,
        *[partial(api.instance, "host-1")] * 3,
    ]
    outcomes(calls)
    found = api("GetOnPremisesInstance", instanceName="host-1")["instanceInfo"]
    registered = api("ListOnPremisesInstances", registrationStatus="Registered")["instanceNames"]
    assert registered == ([] if "deregisterTime" in found else ["host-1"])


def test_pages_of_deployments_are_the_same_on_every_store(store: Store) -> None:
    api = Api(store)
    api.group()
    made = [api.deployment(at=1_790_000_000.0 + number // 60) for number in range(250)]
    for deployment_id in made[::2]:
        api.ended(deployment_id, DeploymentStatus.STOPPED)
    newest = sorted(made, key=lambda each: (made.index(each) // 60, each), reverse=True)
    under_way = [each for each in newest if each in made[1::2]]
    asked: list[tuple[dict[str, Any], list[str]]] = [
        ({}, newest),
        ({"includeOnlyStatuses": ["Created", "Queued"]}, under_way),
    ]
    for given, expected in asked:
        pages = list(api.pages("ListDeployments", "deployments", **given))
        assert [each for page in pages for each in page] == expected
        assert all(len(page) == 100 for page in pages[:-1])
