"""Values against shapes: what is kept of what a caller gave, and of what an operation answers."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest

from api.wire.errors import WireError
from api.wire.shapes import read_input, shape_output
from api.wire.values import Limits, Moment

LIMITS = Limits()


class Colour(str, Enum):  # noqa: UP042 - the kind of enum whose str() is not its value
    BLUE = "Blue"


def test_unknown_members_and_nulls_are_dropped() -> None:
    given = {"applicationName": "a", "description": None, "__type": "x", "revision": {"s3Location": None, "colour": 1}}
    assert read_input("RegisterApplicationRevision", given, LIMITS) == {"applicationName": "a", "revision": {}}


@pytest.mark.parametrize("given", [1704164645, 1704164645.0, Moment(1704164645)])
def test_timestamps_are_seconds(given: Any) -> None:
    read = read_input("ListDeployments", {"createTimeRange": {"start": given}}, LIMITS)
    start = read["createTimeRange"]["start"]
    assert (start, type(start)) == (1704164645.0, float)


@pytest.mark.parametrize("given", [True, "1704164645", 1e300, -1e300, 253_402_300_800, [1]])
def test_what_is_no_timestamp_is_refused(given: Any) -> None:
    with pytest.raises(WireError, match="timestamp"):
        read_input("ListDeployments", {"createTimeRange": {"start": given}}, LIMITS)


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 1.0, True, "1", Moment(1)])
def test_what_is_no_integer_is_refused(value: Any) -> None:
    given = {"deploymentConfigName": "c", "minimumHealthyHosts": {"type": "HOST_COUNT", "value": value}}
    with pytest.raises(WireError, match="number"):
        read_input("CreateDeploymentConfig", given, LIMITS)


@pytest.mark.parametrize("given", [None, [], "text", 1, Moment(1)])
def test_an_input_is_an_object(given: Any) -> None:
    with pytest.raises(WireError, match="expected an object"):
        read_input("ListDeployments", given, LIMITS)


def test_an_empty_list_that_is_not_needed_is_kept() -> None:
    given = {"applicationName": "a", "currentDeploymentGroupName": "g", "autoScalingGroups": []}
    assert read_input("UpdateDeploymentGroup", given, LIMITS) == given


def test_answers_hold_what_the_shape_knows() -> None:
    info = {
        "deploymentId": "d-1",
        "description": None,
        "secret": "x",
        "createTime": 1704164645.67891,
        "status": "Failed",
    }
    assert shape_output("GetDeployment", {"deploymentInfo": info, "more": 1}) == {
        "deploymentInfo": {"deploymentId": "d-1", "status": "Failed", "createTime": 1704164645.679}
    }


def test_answers_may_hold_datetimes_enums_and_tuples() -> None:
    answer = shape_output("GetDeployment", {"deploymentInfo": {"createTime": datetime(2024, 1, 2, tzinfo=UTC)}})
    assert answer == {"deploymentInfo": {"createTime": Moment(1704153600)}}
    assert shape_output("ListDeployments", {"deployments": ("d-1", Colour.BLUE)}) == {"deployments": ["d-1", "Blue"]}


@pytest.mark.parametrize("deployments", ["d-1", [1], [["d-1"]], {"d-1": 1}])
def test_an_answer_that_does_not_fit_is_our_bug(deployments: Any) -> None:
    with pytest.raises(TypeError, match="the answer holds"):
        shape_output("ListDeployments", {"deployments": deployments})


def test_an_operation_without_output_answers_none() -> None:
    assert shape_output("DeleteApplication", None) is None
    assert shape_output("TagResource", None) == {}
