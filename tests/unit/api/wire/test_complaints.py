"""Whatever is wrong with a member is answered with an error that its operation models, wherever there is one."""

from __future__ import annotations

from typing import Any

import pytest

from api.wire.complaints import FORM, MISSING, TOO_MANY
from api.wire.errors import WireError
from api.wire.model import MODEL, OPERATIONS, errors_of
from api.wire.shapes import read_input
from api.wire.values import Limits
from tests.unit.api.wire.walking import Broken, broken_inputs

NOTHING_MODELLED = {
    "ListDeploymentInstances:instanceStatusFilter:too many",
    "ListDeploymentInstances:instanceTypeFilter:too many",
    "ListDeploymentTargets:targetFilters{}:null item",
    "ListDeploymentTargets:targetFilters{}:too many",
    "ListDeployments:includeOnlyStatuses:too many",
}
"""Where the service has no word for the problem."""

BROKEN = list(broken_inputs())


def refused(operation: str, given: dict[str, Any]) -> WireError:
    with pytest.raises(WireError) as caught:
        read_input(operation, given, Limits())
    return caught.value


def expected(broken: Broken) -> frozenset[str]:
    if broken.rule == "type":
        return frozenset({"SerializationException"})
    return frozenset({"ValidationException"}) if str(broken) in NOTHING_MODELLED else errors_of(broken.operation)


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_every_broken_member_is_answered_as_the_operation_models_it(operation: str) -> None:
    mine = [broken for broken in BROKEN if broken.operation == operation]
    assert mine
    answered = {str(broken): refused(operation, broken.given).code for broken in mine}
    assert not {str(broken): answered[str(broken)] for broken in mine if answered[str(broken)] not in expected(broken)}


@pytest.mark.parametrize(
    ("operation", "given", "code"),
    [
        ("GetApplication", {}, "ApplicationNameRequired"),
        ("GetApplication", {"applicationName": ""}, "ApplicationNameRequired"),
        ("GetApplication", {"applicationName": None}, "ApplicationNameRequired"),
        ("GetApplication", {"applicationName": "two words"}, "InvalidApplicationName"),
        ("GetApplication", {"applicationName": "a\n"}, "InvalidApplicationName"),
        ("GetApplication", {"applicationName": "a" * 101}, "InvalidApplicationName"),
        ("BatchGetApplications", {"applicationNames": []}, "ApplicationNameRequired"),
        ("BatchGetApplications", {"applicationNames": ["a", None]}, "ApplicationNameRequired"),
        ("BatchGetDeployments", {"deploymentIds": []}, "DeploymentIdRequired"),
        ("CreateDeploymentGroup", {"applicationName": "a", "deploymentGroupName": "g"}, "RoleRequired"),
        ("TagResource", {"ResourceArn": "arn", "Tags": []}, "TagRequired"),
        ("UntagResource", {"Tags": []}, "ResourceArnRequired"),
        ("CreateDeployment", {"applicationName": "a", "deploymentGroupName": ""}, "DeploymentGroupNameRequired"),
        ("CreateDeployment", {"applicationName": "a", "deploymentConfigName": ""}, "InvalidDeploymentConfigName"),
        ("CreateDeployment", {"applicationName": "a", "fileExistsBehavior": "KEEP"}, "InvalidFileExistsBehavior"),
        ("CreateDeployment", {"applicationName": "a", "revision": {"revisionType": "FTP"}}, "InvalidRevision"),
        (
            "CreateDeployment",
            {"applicationName": "a", "targetInstances": {"tagFilters": [{"Type": "KEY"}]}},
            "InvalidTargetInstances",
        ),
        (
            "UpdateDeploymentGroup",
            {"applicationName": "a", "currentDeploymentGroupName": "g", "ec2TagFilters": [{"Type": "KEY"}]},
            "InvalidEC2Tag",
        ),
        ("ListOnPremisesInstances", {"tagFilters": [{"Type": "KEY"}]}, "InvalidTagFilter"),
        ("ListDeployments", {"includeOnlyStatuses": ["Done"]}, "InvalidDeploymentStatus"),
        (
            "ListDeploymentTargets",
            {"deploymentId": "d-1", "targetFilters": {"Colour": ["Blue"]}},
            "InvalidTargetFilterName",
        ),
        (
            "CreateDeploymentConfig",
            {"deploymentConfigName": "c", "minimumHealthyHosts": {"type": "ALL", "value": 1}},
            "InvalidMinimumHealthyHostValue",
        ),
    ],
)
def test_problems_have_the_names_that_aws_gives_them(operation: str, given: dict[str, Any], code: str) -> None:
    assert refused(operation, given).code == f"{code}Exception"


def test_what_is_missing_is_told_before_what_is_wrong() -> None:
    error = refused("CreateDeploymentGroup", {"applicationName": "two words", "deploymentGroupName": "g"})
    assert error.code == "RoleRequiredException"


def test_a_wrong_type_is_told_before_what_is_missing() -> None:
    assert refused("CreateDeploymentGroup", {"tags": "none"}).code == "SerializationException"


def test_messages_are_in_the_words_of_aws() -> None:
    assert refused("CreateDeployment", {"applicationName": "a", "fileExistsBehavior": "KEEP"}).message == (
        "Value 'KEEP' at 'fileExistsBehavior' failed to satisfy constraint: "
        "Member must satisfy enum value set: [DISALLOW, OVERWRITE, RETAIN]"
    )
    many = {"includeOnlyStatuses": ["Created"] * 1001}
    assert refused("ListDeployments", many).message == (
        "1 validation error detected: Value '1001 items' at 'includeOnlyStatuses' failed to satisfy constraint: "
        "Member must have length less than or equal to 1000"
    )


def test_a_strangers_text_stays_short_and_on_one_line() -> None:
    error = refused("CreateDeployment", {"applicationName": "a", "fileExistsBehavior": "\n" + "x" * 100_000})
    assert len(error.message) < 400
    assert "\n" not in error.message


@pytest.mark.parametrize("names", [MISSING, TOO_MANY, FORM], ids=["missing", "too many", "form"])
def test_the_tables_name_shapes_and_errors_of_the_model(names: dict[str, tuple[str, ...]]) -> None:
    known = set(MODEL.shape_names)
    errors = {f"{error}Exception" for each in names.values() for error in each}
    assert not (names.keys() | errors) - known - {"InvalidInputException"}
    assert errors <= frozenset().union(*map(errors_of, OPERATIONS))
