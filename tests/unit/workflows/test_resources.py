"""What applications, groups, configurations and instances must look like to be kept."""

from __future__ import annotations

from typing import Any

import pytest

from domain.configs import DeploymentConfig
from domain.errors import (
    CallerError,
    DeploymentConfigNameRequired,
    DeploymentGroupNameRequired,
    IamArnRequired,
    InstanceNameRequired,
    InvalidApplicationName,
    InvalidDeploymentConfigName,
    InvalidDeploymentGroupName,
    InvalidEC2Tag,
    InvalidEC2TagCombination,
    InvalidIamSessionArn,
    InvalidIamUserArn,
    InvalidInstanceName,
    InvalidMinimumHealthyHostValue,
    InvalidOnPremisesTagCombination,
    InvalidTag,
    MultipleIamArnsProvided,
    TagLimitExceeded,
    TagSetListLimitExceeded,
)
from domain.limits import Quotas
from tests.unit.workflows.engine_values import a_group
from workflows.resources import check_application_name, check_config, check_group, check_iam_arns, check_instance

ALLOWED = "AZaz09+=,.@_-"


def test_names_of_the_allowed_characters() -> None:
    for name in (ALLOWED, "a", "a" * 100):
        check_application_name(name)
        check_group(a_group(deployment_group_name=name), Quotas())


@pytest.mark.parametrize("name", ["a b", "a/b", "a\n", "ü", "a" * 101, "a:b", "a\x00"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(InvalidApplicationName):
        check_application_name(name)
    with pytest.raises(InvalidDeploymentGroupName):
        check_group(a_group(deployment_group_name=name), Quotas())
    with pytest.raises(InvalidInstanceName):
        check_instance(name, {})
    with pytest.raises(InvalidDeploymentConfigName):
        check_config(a_config(name=name))


def tag(key: str | None = "role", value: str | None = "web", **more: Any) -> dict[str, Any]:
    return {"key": key, "value": value, **more}


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"deployment_group_name": ""}, DeploymentGroupNameRequired),
        ({"event_seconds": 0}, CallerError),
        ({"event_seconds": -1}, CallerError),
        ({"ec2_tag_filters": [tag()], "ec2_tag_set": [[tag()]]}, InvalidEC2TagCombination),
        (
            {"on_premises_instance_tag_filters": [tag()], "on_premises_tag_set": [[tag()]]},
            InvalidOnPremisesTagCombination,
        ),
        ({"ec2_tag_set": [[tag()]] * 4}, TagSetListLimitExceeded),
        ({"on_premises_tag_set": [[tag()]] * 4}, TagSetListLimitExceeded),
        ({"ec2_tag_filters": [tag()] * 11}, InvalidEC2Tag),
        ({"on_premises_instance_tag_filters": [tag()] * 11}, InvalidTag),
        ({"ec2_tag_set": [[tag()], [tag()] * 11]}, InvalidEC2Tag),
        ({"ec2_tag_filters": [tag(key=None)]}, InvalidEC2Tag),
        ({"ec2_tag_filters": [tag(key=None, type="KEY_ONLY")]}, InvalidEC2Tag),
        ({"ec2_tag_filters": [tag(value=None)]}, InvalidEC2Tag),
        ({"on_premises_tag_set": [[tag(value=None, type="VALUE_ONLY")]]}, InvalidTag),
        ({"on_premises_instance_tag_filters": [tag(key="k" * 129)]}, InvalidTag),
        ({"on_premises_instance_tag_filters": [tag(value="v" * 257)]}, InvalidTag),
    ],
)
def test_a_group_that_cannot_be_kept(members: dict[str, Any], error: type[CallerError]) -> None:
    with pytest.raises(error):
        check_group(a_group(**members), Quotas())


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"ec2_tag_filters": [tag()] * 10, "on_premises_tag_set": [[tag()]] * 3},
        {"ec2_tag_filters": [tag(value=None, type="KEY_ONLY")]},
        {"ec2_tag_filters": [tag(key=None, type="VALUE_ONLY")]},
        {"ec2_tag_filters": [tag(value="")]},
        {"ec2_tag_filters": [tag(key="k" * 128, value="v" * 256)]},
        {"event_seconds": 1},
    ],
)
def test_a_group_that_can_be_kept(members: dict[str, Any]) -> None:
    check_group(a_group(**members), Quotas())


def a_config(kind: str = "HOST_COUNT", value: int = 1, name: str = "mine") -> DeploymentConfig:
    return DeploymentConfig.model_validate(
        {
            "deployment_config_name": name,
            "deployment_config_id": "0",
            "minimum_healthy_hosts": {"type": kind, "value": value},
        }
    )


@pytest.mark.parametrize(
    ("kind", "value"), [("HOST_COUNT", 0), ("HOST_COUNT", 5000), ("FLEET_PERCENT", 0), ("FLEET_PERCENT", 99)]
)
def test_a_configuration_that_can_be_kept(kind: str, value: int) -> None:
    check_config(a_config(kind, value))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("HOST_COUNT", -1),
        ("FLEET_PERCENT", -1),
        ("FLEET_PERCENT", 100),
        ("MOST_CONCURRENCY", 0),
        ("MOST_CONCURRENCY", 1),
    ],
)
def test_a_minimum_that_nobody_can_ask_for(kind: str, value: int) -> None:
    with pytest.raises(InvalidMinimumHealthyHostValue):
        check_config(a_config(kind, value))


def test_the_names_of_predefined_configurations_are_taken() -> None:
    with pytest.raises(InvalidDeploymentConfigName):
        check_config(a_config(name="CodeDeployDefault.Mine"))
    with pytest.raises(DeploymentConfigNameRequired):
        check_config(a_config(name=""))
    check_config(a_config(name="CodeDeployDefaults"))


@pytest.mark.parametrize(
    ("name", "tags", "error"),
    [
        ("", {}, InstanceNameRequired),
        ("i-0123", {}, InvalidInstanceName),
        ("web", {f"k{number}": "" for number in range(11)}, TagLimitExceeded),
        ("web", {"": "v"}, InvalidTag),
        ("web", {"k" * 129: "v"}, InvalidTag),
        ("web", {"k": "v" * 257}, InvalidTag),
    ],
)
def test_an_instance_that_cannot_be_registered(name: str, tags: dict[str, str], error: type[CallerError]) -> None:
    with pytest.raises(error):
        check_instance(name, tags)


def test_an_instance_that_can_be_registered() -> None:
    check_instance(ALLOWED, {f"k{number}": "" for number in range(10)})
    check_instance("I-1", {"k" * 128: "v" * 256})


USER = "arn:aws:iam::123456789012:user/deploy/web-1"
SESSION = "arn:aws:sts::123456789012:assumed-role/Deploy/web-1"


@pytest.mark.parametrize(
    ("user", "session", "error"),
    [
        (None, None, IamArnRequired),
        ("", "", IamArnRequired),
        (USER, SESSION, MultipleIamArnsProvided),
        (SESSION, None, InvalidIamUserArn),
        ("arn:aws:iam::12345:user/x", None, InvalidIamUserArn),
        (USER + " ", None, InvalidIamUserArn),
        (None, USER, InvalidIamSessionArn),
        (None, "arn:aws:sts::123456789012:assumed-role/Deploy", InvalidIamSessionArn),
    ],
)
def test_identities_that_are_refused(user: str | None, session: str | None, error: type[CallerError]) -> None:
    with pytest.raises(error):
        check_iam_arns(user, session)


def test_identities_that_are_taken() -> None:
    check_iam_arns(USER, None)
    check_iam_arns(USER.replace("arn:aws:", "arn:aws-cn:"), None)
    check_iam_arns(None, SESSION.replace("arn:aws:", "arn:aws-us-gov:"))
