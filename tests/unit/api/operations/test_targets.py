"""Operations on the targets of a deployment, under both of their names, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from domain.deployments import DeploymentStatus, EventRecord, TargetRecord, TargetStatus
from domain.lifecycle import Event
from domain.ports import Store
from domain.reports import Diagnostics, ErrorCode, EventStatus
from tests.unit.api.operations.calling import ACCOUNT, NOW, Api, a_target

EVENTS = [
    *("ApplicationStop", "DownloadBundle", "BeforeInstall", "Install"),
    *("AfterInstall", "ApplicationStart", "ValidateService"),
]
EC2 = "i-00000000000000001"
EC2_ARN = f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{EC2}"
HOST = "host_0"
HOST_ARN = f"arn:aws:codedeploy:us-east-1:{ACCOUNT}:instance/host_0_suffix0000"


@pytest.fixture
def deployment_id(api: Api) -> str:
    """A deployment of three targets that has begun."""
    api.group()
    return api.deployment(targets=3)


def failed(record: TargetRecord) -> TargetRecord:
    diagnostics = Diagnostics(
        error_code=ErrorCode.SCRIPT_FAILED, script_name="stop.sh", message="exit code 1", log_tail="oh no"
    )
    stop = EventRecord(status=EventStatus.FAILED, start_time=NOW + 1, end_time=NOW + 2, diagnostics=diagnostics)
    update = {"status": TargetStatus.FAILED, "events": {Event.APPLICATION_STOP: stop}, "last_updated_at": NOW + 2}
    return record.model_copy(update=update)


def lay_out(store: Store, deployment_id: str, *records: TargetRecord) -> None:
    """Put records in the place of those that are there."""
    for record in records:
        store._runs[deployment_id].records[record.target.target_id] = record  # type: ignore[attr-defined]


def test_a_target_has_all_its_events_from_the_start(api: Api, deployment_id: str) -> None:
    assert api("GetDeploymentTarget", deploymentId=deployment_id, targetId=EC2) == {
        "deploymentTarget": {
            "deploymentTargetType": "InstanceTarget",
            "instanceTarget": {
                "deploymentId": deployment_id,
                "targetId": EC2,
                "targetArn": EC2_ARN,
                "status": "Pending",
                "lifecycleEvents": [{"lifecycleEventName": name, "status": "Pending"} for name in EVENTS],
            },
        }
    }


def test_what_failed_says_why(api: Api, deployment_id: str) -> None:
    lay_out(api.store, deployment_id, failed(a_target(1)))
    target = api("GetDeploymentTarget", deploymentId=deployment_id, targetId=EC2)["deploymentTarget"]["instanceTarget"]
    assert (target["status"], target["lastUpdatedAt"]) == ("Failed", NOW + 2)
    assert target["lifecycleEvents"][0] == {
        "lifecycleEventName": "ApplicationStop",
        "status": "Failed",
        "startTime": NOW + 1,
        "endTime": NOW + 2,
        "diagnostics": {
            "errorCode": "ScriptFailed",
            "scriptName": "stop.sh",
            "message": "exit code 1",
            "logTail": "oh no",
        },
    }
    assert {event["status"] for event in target["lifecycleEvents"][1:]} == {"Skipped"}


def test_what_a_stopped_deployment_never_took_is_skipped(api: Api, deployment_id: str) -> None:
    api.ended(deployment_id, DeploymentStatus.STOPPED)
    target = api("GetDeploymentTarget", deploymentId=deployment_id, targetId=HOST)["deploymentTarget"]["instanceTarget"]
    assert target["status"] == "Skipped"
    assert {event["status"] for event in target["lifecycleEvents"]} == {"Skipped"}
    listed = api("ListDeploymentTargets", deploymentId=deployment_id, targetFilters={"TargetStatus": ["Skipped"]})
    assert len(listed["targetIds"]) == 3


@pytest.mark.parametrize("instance_id", [EC2, EC2_ARN, HOST, HOST_ARN])
def test_an_instance_goes_by_its_id_and_by_its_arn(api: Api, deployment_id: str, instance_id: str) -> None:
    summary = api("GetDeploymentInstance", deploymentId=deployment_id, instanceId=instance_id)["instanceSummary"]
    arn = {EC2: EC2_ARN, HOST: HOST_ARN}.get(instance_id, instance_id)
    assert summary == {
        "deploymentId": deployment_id,
        "instanceId": arn,
        "status": "Pending",
        "lifecycleEvents": [{"lifecycleEventName": name, "status": "Pending"} for name in EVENTS],
    }
    found = api("BatchGetDeploymentInstances", deploymentId=deployment_id, instanceIds=[instance_id])
    assert found == {"instancesSummary": [summary]}


@pytest.mark.parametrize(
    "instance_id", ["i-9", HOST_ARN[:-1], f"{HOST_ARN}x", HOST_ARN.replace(ACCOUNT, "999999999999"), "arn:", "/"]
)
def test_instances_that_are_not_there(api: Api, deployment_id: str, instance_id: str) -> None:
    given = {"deploymentId": deployment_id, "instanceId": instance_id}
    assert api.code("GetDeploymentInstance", **given) == "InstanceDoesNotExist"
    found = api("BatchGetDeploymentInstances", deploymentId=deployment_id, instanceIds=[EC2, instance_id])
    assert len(found["instancesSummary"]) == 1
    assert instance_id in found["errorMessage"]


def test_before_it_starts_a_deployment_has_no_targets(api: Api) -> None:
    api.group()
    deployment_id = api.deployment()
    for operation in ("ListDeploymentTargets", "ListDeploymentInstances"):
        assert api.code(operation, deploymentId=deployment_id) == "DeploymentNotStarted"
    assert api.code("GetDeploymentTarget", deploymentId=deployment_id, targetId="t") == "DeploymentNotStarted"
    assert api.code("BatchGetDeploymentTargets", deploymentId=deployment_id, targetIds=["t"]) == "DeploymentNotStarted"
    # The deprecated ones have no word for that.
    assert api.code("GetDeploymentInstance", deploymentId=deployment_id, instanceId="t") == "InstanceDoesNotExist"
    assert api("BatchGetDeploymentInstances", deploymentId=deployment_id, instanceIds=["t"])["errorMessage"]
    api.ended(deployment_id, DeploymentStatus.FAILED)
    assert api("ListDeploymentTargets", deploymentId=deployment_id) == {"targetIds": []}


def test_targets_come_in_the_order_asked_for(api: Api, deployment_id: str) -> None:
    found = api("BatchGetDeploymentTargets", deploymentId=deployment_id, targetIds=[EC2, HOST])["deploymentTargets"]
    assert [each["instanceTarget"]["targetId"] for each in found] == [EC2, HOST]
    assert found[0] == api("GetDeploymentTarget", deploymentId=deployment_id, targetId=EC2)["deploymentTarget"]


@pytest.mark.parametrize(
    ("operation", "given", "code"),
    [
        ("GetDeploymentTarget", {}, "DeploymentTargetIdRequired"),
        ("GetDeploymentTarget", {"targetId": ""}, "DeploymentTargetIdRequired"),
        ("GetDeploymentTarget", {"targetId": "i-9"}, "DeploymentTargetDoesNotExist"),
        ("GetDeploymentTarget", {"targetId": EC2_ARN}, "DeploymentTargetDoesNotExist"),
        ("BatchGetDeploymentTargets", {}, "DeploymentTargetIdRequired"),
        ("BatchGetDeploymentTargets", {"targetIds": []}, "DeploymentTargetIdRequired"),
        ("BatchGetDeploymentTargets", {"targetIds": [""]}, "DeploymentTargetIdRequired"),
        ("BatchGetDeploymentTargets", {"targetIds": [None]}, "DeploymentTargetIdRequired"),
        ("BatchGetDeploymentTargets", {"targetIds": [EC2, "i-9"]}, "DeploymentTargetDoesNotExist"),
        ("BatchGetDeploymentTargets", {"targetIds": [EC2] * 26}, "DeploymentTargetListSizeExceeded"),
        ("GetDeploymentInstance", {}, "InstanceIdRequired"),
        ("GetDeploymentInstance", {"instanceId": ""}, "InstanceIdRequired"),
        ("BatchGetDeploymentInstances", {}, "InstanceIdRequired"),
        ("BatchGetDeploymentInstances", {"instanceIds": [""]}, "InstanceIdRequired"),
        ("BatchGetDeploymentInstances", {"instanceIds": [EC2] * 26}, "BatchLimitExceeded"),
        ("ListDeploymentTargets", {"targetFilters": {"Colour": ["Red"]}}, "InvalidTargetFilterName"),
        ("ListDeploymentTargets", {"targetFilters": {"TargetStatus": ["Fine"]}}, "InvalidInstanceStatus"),
        ("ListDeploymentTargets", {"targetFilters": {"ServerInstanceLabel": ["Red"]}}, "InvalidInstanceType"),
        (
            "ListDeploymentTargets",
            {"targetFilters": {"ServerInstanceLabel": ["Blue"]}},
            "InvalidDeploymentInstanceType",
        ),
        ("ListDeploymentTargets", {"nextToken": "more"}, "InvalidNextToken"),
        ("ListDeploymentInstances", {"instanceStatusFilter": ["Fine"]}, "InvalidInstanceStatus"),
        ("ListDeploymentInstances", {"instanceTypeFilter": ["Red"]}, "InvalidInstanceType"),
        ("ListDeploymentInstances", {"instanceTypeFilter": ["Green"]}, "InvalidDeploymentInstanceType"),
    ],
)
def test_what_cannot_be_asked(api: Api, deployment_id: str, operation: str, given: dict[str, Any], code: str) -> None:
    assert api.code(operation, deploymentId=deployment_id, **given) == code


@pytest.mark.parametrize(
    ("operation", "member"),
    [("ListDeploymentTargets", "targetIds"), ("ListDeploymentInstances", "instancesList")],
)
def test_pages_of_targets_are_in_pick_order(api: Api, operation: str, member: str) -> None:
    api.group()
    deployment_id = api.deployment(targets=250)
    pages = list(api.pages(operation, member, deploymentId=deployment_id))
    assert [len(page) for page in pages] == [100, 100, 50]
    assert [each for page in pages for each in page] == [a_target(index).target.target_id for index in range(250)]


def test_pages_of_targets_of_one_status(api: Api) -> None:
    api.group()
    deployment_id = api.deployment(targets=2500)
    wanted = [a_target(index) for index in (*range(0, 1300, 13), 1301, 2499)]
    lay_out(api.store, deployment_id, *map(failed, wanted))
    filters = {"TargetStatus": ["Failed", "Succeeded"]}
    pages = list(api.pages("ListDeploymentTargets", "targetIds", deploymentId=deployment_id, targetFilters=filters))
    assert [len(page) for page in pages] == [100, 2]
    assert [each for page in pages for each in page] == [record.target.target_id for record in wanted]
    none = {"TargetStatus": ["Ready"]}
    # Nothing on a page, for one call looks at so many and no more.
    assert list(api.pages("ListDeploymentTargets", "targetIds", deploymentId=deployment_id, targetFilters=none)) == [
        [],
        [],
    ]
