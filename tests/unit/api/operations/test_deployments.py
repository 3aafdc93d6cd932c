"""Operations on deployments, rule by rule, and the list of thousands of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from domain.deployments import DeploymentStatus
from domain.moves import Change
from tests.unit.api.operations.calling import GITHUB, LONG, NOW, S3, Api, without

NAMED = {"applicationName": "shop", "deploymentGroupName": "web"}
UNKNOWN = "d-NOTTHERE0"
ALARMS = {"alarms": [{"name": f"a{number}"} for number in range(51)]}
TAG = {"Key": "color", "Value": "green", "Type": "KEY_AND_VALUE"}
BLUE_GREEN: dict[str, Any] = {
    "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
    "blueGreenDeploymentConfiguration": {"greenFleetProvisioningOption": {"action": "DISCOVER_EXISTING"}},
    "loadBalancerInfo": {"targetGroupInfoList": [{"name": "tg"}]},
}


def s3(**members: Any) -> dict[str, Any]:
    return {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "bundleType": "zip", **members}}


CREATE_REFUSED: Sequence[tuple[dict[str, Any], str]] = [
    ({"applicationName": None}, "ApplicationNameRequired"),
    ({"applicationName": "two words"}, "InvalidApplicationName"),
    ({"applicationName": "unknown"}, "ApplicationDoesNotExist"),
    ({"deploymentGroupName": None}, "DeploymentGroupNameRequired"),
    ({"deploymentGroupName": None, "revision": {}}, "DeploymentGroupNameRequired"),
    ({"deploymentGroupName": LONG}, "InvalidDeploymentGroupName"),
    ({"deploymentGroupName": "unknown"}, "DeploymentGroupDoesNotExist"),
    ({"revision": None}, "RevisionRequired"),
    ({"revision": {}}, "InvalidRevision"),
    ({"revision": {"revisionType": "S3"}}, "InvalidRevision"),
    ({"revision": {"s3Location": s3()["s3Location"]}}, "InvalidRevision"),
    ({"revision": s3(bucket="")}, "InvalidRevision"),
    ({"revision": s3(key=None)}, "InvalidRevision"),
    ({"revision": s3(key="k" * 1025)}, "InvalidRevision"),
    ({"revision": s3(eTag="e" * 1025)}, "InvalidRevision"),
    ({"revision": s3(bundleType="JSON")}, "InvalidRevision"),
    ({"revision": s3(bundleType=None)}, "InvalidRevision"),
    ({"revision": {**S3, "gitHubLocation": GITHUB["gitHubLocation"]}}, "InvalidRevision"),
    ({"revision": {**S3, "string": {"content": "x"}}}, "InvalidRevision"),
    ({"revision": {"revisionType": "String", "string": {"content": "x"}}}, "InvalidRevision"),
    ({"revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": "x"}}}, "InvalidRevision"),
    ({"revision": {"revisionType": "Local", "localLocation": {"path": "/"}}}, "InvalidRevision"),
    (
        {"revision": {"revisionType": "GitHub", "gitHubLocation": {"repository": "shop", "commitId": "a" * 40}}},
        "InvalidRevision",
    ),
    (
        {"revision": {"revisionType": "GitHub", "gitHubLocation": {"repository": "me/shop", "commitId": "main"}}},
        "InvalidRevision",
    ),
    ({"deploymentConfigName": "unknown"}, "DeploymentConfigDoesNotExist"),
    ({"deploymentConfigName": "two words"}, "InvalidDeploymentConfigName"),
    ({"deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce"}, "DeploymentConfigDoesNotExist"),
    ({"description": "x" * 257}, "DescriptionTooLong"),
    ({"targetInstances": {"autoScalingGroups": ["a"]}}, "InvalidTargetInstances"),
    ({"targetInstances": {"tagFilters": [{"Key": "k", "Type": "KEY_ONLY"}]}}, "InvalidTargetInstances"),
    ({"fileExistsBehavior": "MERGE"}, "InvalidFileExistsBehavior"),
    ({"overrideAlarmConfiguration": {"enabled": True}}, "InvalidAlarmConfig"),
    ({"overrideAlarmConfiguration": ALARMS}, "AlarmsLimitExceeded"),
    ({"autoRollbackConfiguration": {"enabled": True}}, "InvalidAutoRollbackConfig"),
    ({"autoRollbackConfiguration": {"enabled": True, "events": ["NEVER"]}}, "InvalidAutoRollbackConfig"),
    ({"deploymentMode": "AGAIN"}, "InvalidInput"),
    ({"deploymentMode": "RESTART"}, "InvalidInput"),
    ({"deploymentMode": "RESTART", "revision": None, "updateOutdatedInstancesOnly": True}, "InvalidInput"),
    ({"deploymentMode": "RESTART", "revision": None}, "InvalidInput"),
    (
        {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ["Launch"]}},
        "InvalidAutoScalingGroupProcessToSuspend",
    ),
]


@pytest.mark.parametrize(("given", "code"), CREATE_REFUSED)
def test_what_cannot_be_deployed(api: Api, given: dict[str, Any], code: str) -> None:
    api.group()
    assert api.code("CreateDeployment", **{**NAMED, "revision": S3, **given}) == code


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"revision": GITHUB},
        {"revision": s3(version="3", eTag='"abc"')},
        {"deploymentConfigName": "CodeDeployDefault.HalfAtATime"},
        {"description": "x" * 256},
        {"ignoreApplicationStopFailures": True, "updateOutdatedInstancesOnly": True},
        {"fileExistsBehavior": "RETAIN"},
        {"autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}},
        {"overrideAlarmConfiguration": {"enabled": False, "ignorePollAlarmFailure": True, "alarms": [{"name": "a"}]}},
        {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": []}},
        {"targetInstances": {}, "deploymentMode": "STANDARD"},
    ],
)
def test_a_deployment_is_read_back(api: Api, given: dict[str, Any]) -> None:
    api.group()
    deployment_id = api("CreateDeployment", **{**NAMED, "revision": S3, **given})["deploymentId"]
    info = api("GetDeployment", deploymentId=deployment_id)["deploymentInfo"]
    assert without(info, "createTime", "deploymentStatusMessages") == {
        **NAMED,
        "deploymentId": deployment_id,
        "deploymentConfigName": "CodeDeployDefault.OneAtATime",
        "revision": S3,
        "status": "Created",
        "creator": "user",
        "ignoreApplicationStopFailures": False,
        "updateOutdatedInstancesOnly": False,
        "deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"},
        "instanceTerminationWaitTimeStarted": False,
        "fileExistsBehavior": "DISALLOW",
        "computePlatform": "Server",
        **without(given, "targetInstances", "deploymentMode"),
    }


def test_what_a_deployment_waits_for_before_it_begins_is_among_its_messages(api: Api) -> None:
    api.group()
    deployment_id = api("CreateDeployment", **NAMED, revision=S3)["deploymentId"]

    def change(**update: Any) -> list[str]:
        api.store.change(deployment_id, lambda present: Change(present.model_copy(update=update)))
        info = api("GetDeployment", deploymentId=deployment_id)["deploymentInfo"]
        return list(info.get("deploymentStatusMessages") or [])

    awaited = "The deployment does not begin before its alarms are known: 'a': it does not answer."
    assert change(status_messages=("told",), alarms_awaited="'a': it does not answer.") == ["told", awaited]
    assert change(status=DeploymentStatus.IN_PROGRESS) == ["told"]


@pytest.mark.parametrize(
    "given",
    [
        {"tagFilters": [TAG, {"Key": "k", "Type": "KEY_ONLY"}]},
        {"ec2TagSet": {"ec2TagSetList": [[TAG], [TAG]]}},
        {"autoScalingGroups": ["b", "a"]},
        {"tagFilters": [TAG], "autoScalingGroups": ["a"]},
    ],
    ids=",".join,
)
def test_green_is_read_back_in_the_members_that_were_given(api: Api, given: dict[str, Any]) -> None:
    api.group(**BLUE_GREEN)
    empty = {"tagFilters": [], "ec2TagSet": {"ec2TagSetList": []}, "autoScalingGroups": []}
    for more in ({}, empty):
        made = api("CreateDeployment", **NAMED, revision=S3, targetInstances={**more, **given})["deploymentId"]
        info = api("GetDeployment", deploymentId=made)["deploymentInfo"]
        assert info["targetInstances"] == given
        api.ended(made)


def test_no_blue_green_deployment_goes_zone_by_zone(api: Api) -> None:
    api.group(**BLUE_GREEN)
    api.zones()
    given = {**NAMED, "revision": S3, "targetInstances": {"tagFilters": [TAG]}}
    refused = api.refusal("CreateDeployment", **given, deploymentConfigName="zones")
    assert refused.code == "InvalidInputException"
    assert refused.message.startswith("zones goes zone by zone")
    api("CreateDeployment", **given)


def test_a_busy_group_names_what_runs(api: Api) -> None:
    api.group()
    first = api("CreateDeployment", **NAMED, revision=S3)["deploymentId"]
    refused = api.refusal("CreateDeployment", **NAMED, revision=S3)
    assert refused.code == "DeploymentLimitExceededException"
    assert first in refused.message
    assert "web" in refused.message


def test_the_quota_of_deployments(api: Api) -> None:
    api.allow(running_deployments=1)
    api.group()
    api.group("db")
    running = api("CreateDeployment", **NAMED, revision=S3)["deploymentId"]
    given = {"applicationName": "shop", "deploymentGroupName": "db", "revision": S3}
    assert api.code("CreateDeployment", **given) == "DeploymentLimitExceeded"
    assert api.code("CreateDeployment", **{**given, "deploymentGroupName": "unknown"}) == "DeploymentGroupDoesNotExist"
    api("StopDeployment", deploymentId=running)
    assert api("CreateDeployment", **given)


IDS = [
    (None, "DeploymentIdRequired"),
    ("", "DeploymentIdRequired"),
    ("1", "InvalidDeploymentId"),
    ("d-abcdefghi", "InvalidDeploymentId"),
    ("d-ABCDEFGHIJ", "InvalidDeploymentId"),
    ("d-ABCDEFGHI\n", "InvalidDeploymentId"),
    (UNKNOWN, "DeploymentDoesNotExist"),
]
NEEDED: dict[str, dict[str, Any]] = {
    "GetDeploymentTarget": {"targetId": "t"},
    "BatchGetDeploymentTargets": {"targetIds": ["t"]},
    "GetDeploymentInstance": {"instanceId": "t"},
    "BatchGetDeploymentInstances": {"instanceIds": ["t"]},
}


@pytest.mark.parametrize(
    "operation",
    [
        *("GetDeployment", "StopDeployment", "ContinueDeployment", "SkipWaitTimeForInstanceTermination"),
        *("PutLifecycleEventHookExecutionStatus", "ListDeploymentTargets", "ListDeploymentInstances", *NEEDED),
    ],
)
@pytest.mark.parametrize(("deployment_id", "code"), IDS)
def test_ids_are_checked(api: Api, operation: str, deployment_id: str | None, code: str) -> None:
    assert api.code(operation, deploymentId=deployment_id, **NEEDED.get(operation, {})) == code


def test_a_deployment_under_way_counts_its_targets(api: Api) -> None:
    api.group()
    deployment_id = api.deployment(targets=3)
    info = api("GetDeployment", deploymentId=deployment_id)["deploymentInfo"]
    assert info["status"] == "InProgress"
    assert info["startTime"] == NOW
    empty = dict.fromkeys(("InProgress", "Succeeded", "Failed", "Skipped", "Ready"), 0)
    assert info["deploymentOverview"] == {"Pending": 3, **empty}
    api.ended(deployment_id, DeploymentStatus.STOPPED)
    (info,) = api("BatchGetDeployments", deploymentIds=[deployment_id])["deploymentsInfo"]
    assert info["deploymentOverview"] == {"Pending": 0, **empty, "Skipped": 3}
    assert info["completeTime"] == NOW


def test_several_come_in_the_order_asked_for(api: Api) -> None:
    api.group()
    made = [api.deployment(targets=n) for n in range(3)]
    found = api("BatchGetDeployments", deploymentIds=[made[2], UNKNOWN, made[0]])["deploymentsInfo"]
    assert found == [api("GetDeployment", deploymentId=each)["deploymentInfo"] for each in (made[2], made[0])]


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        (None, "DeploymentIdRequired"),
        ([], "DeploymentIdRequired"),
        ([None], "DeploymentIdRequired"),
        ([UNKNOWN, "d-1"], "InvalidDeploymentId"),
        ([UNKNOWN] * 101, "BatchLimitExceeded"),
    ],
)
def test_several_that_cannot_be_had(api: Api, ids: Any, code: str) -> None:
    assert api.code("BatchGetDeployments", deploymentIds=ids) == code


# --- lists ---


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"applicationName": "shop"}, "DeploymentGroupNameRequired"),
        ({"deploymentGroupName": "web"}, "ApplicationNameRequired"),
        ({"applicationName": "unknown", "deploymentGroupName": "web"}, "ApplicationDoesNotExist"),
        ({"applicationName": "shop", "deploymentGroupName": "unknown"}, "DeploymentGroupDoesNotExist"),
        ({"applicationName": "two words", "deploymentGroupName": "web"}, "InvalidApplicationName"),
        ({"applicationName": "shop", "deploymentGroupName": "a/b"}, "InvalidDeploymentGroupName"),
        ({"includeOnlyStatuses": ["Done"]}, "InvalidDeploymentStatus"),
        ({"includeOnlyStatuses": [None]}, "InvalidDeploymentStatus"),
        ({"createTimeRange": {"start": 2, "end": 1}}, "InvalidTimeRange"),
        ({"nextToken": "more"}, "InvalidNextToken"),
    ],
)
def test_what_cannot_be_listed(api: Api, given: dict[str, Any], code: str) -> None:
    api.group()
    assert api.code("ListDeployments", **given) == code


STATUSES = (
    *(DeploymentStatus.SUCCEEDED,) * 20,
    *(DeploymentStatus.FAILED,) * 5,
    DeploymentStatus.STOPPED,
    None,
)


@pytest.fixture(scope="module")
def many() -> tuple[Api, list[tuple[float, str, str, str]]]:
    """Twelve hundred deployments of two groups, hundreds of them created at the same time; when, id, group, status."""
    api, chance = Api(), random.Random(7)  # noqa: S311  (a sample, not a secret)
    api.group()
    api.group("db")
    known = []
    for number in range(1200):
        group = chance.choice(("web", "db"))
        at = NOW + (0 if number < 700 else chance.randrange(50))
        deployment_id = api.deployment(at=at, group=group)
        status = chance.choice(STATUSES)
        if status is not None:
            api.ended(deployment_id, status)
        found = api.store.deployment(deployment_id)
        assert found is not None
        known.append((at, deployment_id, group, found.status.value))
    return api, sorted(known, reverse=True)


@pytest.mark.parametrize("group", [None, "web"])
@pytest.mark.parametrize(
    "statuses",
    [[], ["Created", "Queued", "InProgress", "Ready", "Baking"], ["Queued"], ["Stopped"], ["Failed", "Created"]],
)
@pytest.mark.parametrize("span", [{}, {"start": NOW + 1}, {"end": NOW}, {"start": NOW + 10, "end": NOW + 20}])
def test_lists_are_whole_and_newest_first(
    many: tuple[Api, list[tuple[float, str, str, str]]], group: str | None, statuses: list[str], span: dict[str, float]
) -> None:
    api, known = many
    given: dict[str, Any] = {"applicationName": "shop", "deploymentGroupName": group} if group else {}
    given |= {"includeOnlyStatuses": statuses} if statuses else {}
    given |= {"createTimeRange": span} if span else {}
    pages = list(api.pages("ListDeployments", "deployments", **given))
    assert all(len(page) <= 100 for page in pages)
    assert [each for page in pages for each in page] == [
        deployment_id
        for at, deployment_id, of, status in known
        if (group is None or of == group)
        and (not statuses or status in statuses)
        and span.get("start", at) <= at <= span.get("end", at)
    ]


def test_what_runs_is_found_without_reading_what_ended(
    many: tuple[Api, list[tuple[float, str, str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    api, known = many
    read: list[str] = []
    found = api.store.deployments

    def counted(ids: Sequence[str]) -> Any:
        read.extend(ids)
        return found(ids)

    monkeypatch.setattr(api.store, "deployments", counted)
    monkeypatch.setattr(api.store, "recent", None)
    assert api("ListDeployments", includeOnlyStatuses=["Created", "InProgress", "Queued"])["deployments"]
    assert len(read) == sum(status in {"Created", "Queued"} for *_, status in known)


def test_full_pages_while_most_are_of_another_status(api: Api) -> None:
    api.group()
    stopped = [api.ended(api.deployment(), DeploymentStatus.STOPPED) for _ in range(150)]
    for _ in range(1100):
        api.ended(api.deployment())
    pages = list(api.pages("ListDeployments", "deployments", includeOnlyStatuses=["Stopped"]))
    assert [each for page in pages for each in page] == stopped[::-1]
    # A call looks at so many and no more, and says so by a token.
    assert len(pages[0]) < 100


def test_new_deployments_move_none_to_another_page(api: Api) -> None:
    api.group()
    made = [api.deployment() for _ in range(250)]
    pages = list(api.pages("ListDeployments", "deployments", api.deployment))
    assert [each for page in pages for each in page] == made[::-1]


def test_what_a_deleted_application_had_is_passed_over(api: Api) -> None:
    api.group()
    api.group(application="other")
    kept = []
    for _ in range(150):
        api.ended(api.deployment())
        kept.append(api.ended(api.deployment(application="other")))
    api("DeleteApplication", applicationName="shop")
    pages = list(api.pages("ListDeployments", "deployments"))
    assert [len(page) for page in pages] == [100, 50]
    assert [each for page in pages for each in page] == kept[::-1]


def test_nothing_is_linked_to_an_external_id(api: Api) -> None:
    api.group()
    api.deployment()
    assert api("ListDeployments", externalId="stack") == {"deployments": []}
    assert api("DeleteResourcesByExternalId", externalId="stack") == {}
    assert api("DeleteResourcesByExternalId") == {}


# --- what is done with them ---


def test_stopping(api: Api) -> None:
    api.group()
    waiting, running = api.deployment(), api.deployment(targets=1)
    assert api("StopDeployment", deploymentId=waiting)["status"] == "Succeeded"
    for rollback in (None, True, False):
        answer = api("StopDeployment", deploymentId=running, autoRollbackEnabled=rollback)
        assert answer["status"] == "Pending"
        assert answer["statusMessage"]
    assert api.code("StopDeployment", deploymentId=waiting) == "DeploymentAlreadyCompleted"


@pytest.mark.parametrize(
    ("operation", "given", "code"),
    [
        ("ContinueDeployment", {}, "UnsupportedActionForDeploymentType"),
        ("ContinueDeployment", {"deploymentWaitType": "TERMINATION_WAIT"}, "UnsupportedActionForDeploymentType"),
        ("ContinueDeployment", {"deploymentWaitType": "LUNCH"}, "InvalidDeploymentWaitType"),
        ("SkipWaitTimeForInstanceTermination", {}, "UnsupportedActionForDeploymentType"),
        ("PutLifecycleEventHookExecutionStatus", {}, "UnsupportedActionForDeploymentType"),
        ("PutLifecycleEventHookExecutionStatus", {"status": "Great"}, "InvalidLifecycleEventHookExecutionStatus"),
    ],
)
def test_nothing_in_place_waits(api: Api, operation: str, given: dict[str, Any], code: str) -> None:
    api.group()
    assert api.code(operation, deploymentId=api.deployment(targets=1), **given) == code


def test_what_has_ended_goes_on_no_more(api: Api) -> None:
    api.group()
    early = api.deployment()
    assert api.code("SkipWaitTimeForInstanceTermination", deploymentId=early) == "DeploymentNotStarted"
    ended = api.ended(early)
    for operation in ("ContinueDeployment", "SkipWaitTimeForInstanceTermination", "StopDeployment"):
        assert api.code(operation, deploymentId=ended) == "DeploymentAlreadyCompleted"
