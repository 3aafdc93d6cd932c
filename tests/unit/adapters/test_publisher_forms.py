"""What is told, to the letter: CodeDeploy's SNS messages and EventBridge's events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.publishers.eventbridge_form import STATES, eventbridge_event
from adapters.publishers.forms import FORMS, Form
from adapters.publishers.origin import Origin
from adapters.publishers.sns_form import java_date, sns_message, sns_subject, status_word
from domain.deployments import DeploymentStatus, Overview, TargetStatus
from domain.happenings import TRIGGER_EVENTS, EventTold, Happening, HappeningType
from domain.lifecycle import Event
from domain.reports import EventStatus
from tests.receivers import a_happening

ORIGIN = Origin(region="eu-west-2", account_id="111222333444")
CREATED, COMPLETED = 1665676245.0, 1665676777.0


def a_deployment(kind: HappeningType, status: str, **more: Any) -> Happening:
    names = {"application_name": "A", "deployment_group_name": "G", "deployment_id": "d-75I7MBT7C"}
    return a_happening(1, kind, **{**names, "status": status, "create_time": CREATED, **more})


def test_a_success_as_it_was_captured() -> None:
    overview = Overview(succeeded=1)
    told = a_deployment(HappeningType.DEPLOYMENT_SUCCESS, "Succeeded", complete_time=COMPLETED, overview=overview)
    assert sns_message(told, ORIGIN, "T") == (
        '{"region":"eu-west-2","accountId":"111222333444","eventTriggerName":"T","applicationName":"A",'
        '"deploymentId":"d-75I7MBT7C","deploymentGroupName":"G","createTime":"Thu Oct 13 15:50:45 UTC 2022",'
        '"completeTime":"Thu Oct 13 15:59:37 UTC 2022","deploymentOverview":"{\\"Succeeded\\":1,\\"Failed\\":0,'
        '\\"Skipped\\":0,\\"InProgress\\":0,\\"Pending\\":0}","status":"SUCCEEDED"}'
    )
    assert sns_subject(told, ORIGIN, "T") == "SUCCEEDED: AWS CodeDeploy d-75I7MBT7C in eu-west-2 to A"


def test_a_start_has_no_end_and_no_overview() -> None:
    message = json.loads(sns_message(a_deployment(HappeningType.DEPLOYMENT_START, "Created"), ORIGIN, "T"))
    assert list(message) == [
        *("region", "accountId", "eventTriggerName", "applicationName", "deploymentId", "deploymentGroupName"),
        *("createTime", "completeTime", "status"),
    ]
    assert (message["completeTime"], message["status"]) == (None, "CREATED")


def test_a_failure_says_why_and_that_nothing_rolls_it_back() -> None:
    told = a_deployment(
        HappeningType.DEPLOYMENT_FAILURE, "Failed", error_code="HEALTH_CONSTRAINTS", error_message='too "many"'
    )
    text = sns_message(told, ORIGIN, "T")
    assert text.endswith(
        '"status":"FAILED","errorInformation":"{\\"ErrorCode\\":\\"HEALTH_CONSTRAINTS\\",\\"ErrorMessage\\":'
        '\\"too \\\\\\"many\\\\\\"\\"}","rollbackInformation":"{}"}'
    )


def test_every_change_of_a_rollback_names_what_it_rolls_back() -> None:
    about = {"rollback_message": "because", "rollback_triggering_deployment_id": "d-BAD"}
    changes = [
        (HappeningType.DEPLOYMENT_START, "Created", "CREATED"),
        (HappeningType.DEPLOYMENT_ROLLBACK, "InProgress", "IN_PROGRESS"),
        (HappeningType.DEPLOYMENT_SUCCESS, "Succeeded", "SUCCEEDED"),
    ]
    for kind, status, word in changes:
        message = json.loads(
            sns_message(a_deployment(kind, status, creator="codeDeployRollback", **about), ORIGIN, "T")
        )
        assert message["status"] == word
        assert message["rollbackInformation"] == (
            '{"RollbackMessage":"because","RollbackTriggeringDeploymentId":"d-BAD"}'
        )


def test_an_instance_with_its_events() -> None:
    event = EventTold(event=Event.INSTALL, status=EventStatus.SUCCEEDED, start_time=CREATED, end_time=CREATED + 61)
    told = a_happening(0, at=COMPLETED, lifecycle_events=(event, EventTold(event=Event.INSTALL, status="Skipped")))
    message = json.loads(sns_message(told, ORIGIN, "T"))
    events = json.loads(message.pop("lifecycleEvents"))
    assert message == {
        "region": "eu-west-2",
        "accountId": "111222333444",
        "eventTriggerName": "T",
        "deploymentId": "d-AAAAAAAAA",
        "instanceId": "arn:aws:codedeploy:us-east-1:1:instance/web-1_AAAAAAAAAA",
        "lastUpdatedAt": "Thu Oct 13 15:59:37 UTC 2022",
        "instanceStatus": "SUCCEEDED",
    }
    assert events == [
        {
            "LifecycleEvent": "Install",
            "LifecycleEventStatus": "Succeeded",
            "StartTime": "Thu Oct 13 15:50:45 UTC 2022",
            "EndTime": "Thu Oct 13 15:51:46 UTC 2022",
        },
        {"LifecycleEvent": "Install", "LifecycleEventStatus": "Skipped", "StartTime": None, "EndTime": None},
    ]
    assert sns_subject(told, ORIGIN, "T") == "SUCCEEDED: AWS CodeDeploy d-AAAAAAAAA in eu-west-2 to shop on web-1"


def test_a_test_message() -> None:
    told = a_happening(0, HappeningType.TRIGGER_TEST, status="TEST", deployment_id="", at=CREATED)
    assert json.loads(sns_message(told, ORIGIN, "T")) == {
        "region": "eu-west-2",
        "accountId": "111222333444",
        "eventTriggerName": "T",
        "applicationName": "shop",
        "deploymentGroupName": "web",
        "createTime": "Thu Oct 13 15:50:45 UTC 2022",
        "status": "TEST",
    }
    assert sns_subject(told, ORIGIN, "T") == "TEST: AWS CodeDeploy trigger T in eu-west-2 to shop"


def test_a_subject_is_as_sns_takes_it() -> None:
    subject = sns_subject(a_happening(application_name="a" * 100, instance_id="größer\n"), ORIGIN, "T")
    assert len(subject) == 99
    short = sns_subject(a_happening(instance_id="größer\n"), ORIGIN, "T")
    assert short.endswith("on gr??er?")


@pytest.mark.parametrize(
    ("at", "text"),
    [(0.0, "Thu Jan 01 00:00:00 UTC 1970"), (1709164800.9, "Thu Feb 29 00:00:00 UTC 2024"), (None, None)],
)
def test_dates(at: float | None, text: str | None) -> None:
    assert java_date(at) == text


def test_every_status_has_a_word() -> None:
    words = {status.value: status_word(status) for status in (*DeploymentStatus, *TargetStatus)}
    assert words["Stopped"] == "ABORTED"
    assert all(word == word.upper() and " " not in word for word in words.values())
    assert words["InProgress"] == words["Baking"] == "IN_PROGRESS"


def test_a_deployment_event() -> None:
    told = a_deployment(HappeningType.DEPLOYMENT_STOP, "Stopped", at=COMPLETED)
    event = eventbridge_event(told, ORIGIN)
    assert event is not None
    assert event.pop("id") == eventbridge_event(told, ORIGIN)["id"]  # type: ignore[index]
    assert event == {
        "version": "0",
        "detail-type": "CodeDeploy Deployment State-change Notification",
        "source": "aws.codedeploy",
        "account": "111222333444",
        "time": "2022-10-13T15:59:37Z",
        "region": "eu-west-2",
        "resources": [
            "arn:aws:codedeploy:eu-west-2:111222333444:application:A",
            "arn:aws:codedeploy:eu-west-2:111222333444:deploymentgroup:A/G",
        ],
        "detail": {
            "instanceGroupId": "8cd3bfa8-9e72-4cbe-a1e5-da4efc7efd49",
            "region": "eu-west-2",
            "application": "A",
            "deploymentId": "d-75I7MBT7C",
            "state": "STOP",
            "deploymentGroup": "G",
        },
    }


def test_an_instance_event() -> None:
    event = eventbridge_event(a_happening(1, HappeningType.INSTANCE_FAILURE), ORIGIN)
    assert event is not None
    assert event["detail-type"] == "CodeDeploy Instance State-change Notification"
    assert event["resources"] == [
        "arn:aws:codedeploy:us-east-1:1:instance/web-1_AAAAAAAAAA",
        "arn:aws:codedeploy:eu-west-2:111222333444:deploymentgroup:shop/web",
        "arn:aws:codedeploy:eu-west-2:111222333444:application:shop",
    ]
    assert (event["detail"]["instanceId"], event["detail"]["state"]) == ("web-1", "FAILURE")


def test_states_are_those_of_eventbridge() -> None:
    assert set(STATES.values()) == {"START", "QUEUED", "READY", "SUCCESS", "FAILURE", "STOP"}
    assert TRIGGER_EVENTS - STATES.keys() == {HappeningType.DEPLOYMENT_ROLLBACK}
    assert eventbridge_event(a_happening(1, HappeningType.TRIGGER_TEST), ORIGIN) is None
    assert eventbridge_event(a_happening(1, HappeningType.INSTANCE_SKIPPED), ORIGIN) is None


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("kind", HappeningType)
def test_every_form_is_json_of_all_that_it_has_a_word_for(form: Form, kind: HappeningType) -> None:
    if kind in form.kinds:
        assert isinstance(json.loads(form.text(a_happening(1, kind), ORIGIN, "chat")), dict)
    else:
        assert kind not in TRIGGER_EVENTS - {HappeningType.DEPLOYMENT_ROLLBACK}
