"""Requests as clients sent them: bytes that were captured, and what botocore sends today."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from api.wire.protocols import operation_of, protocol_of
from api.wire.shapes import read_input
from api.wire.values import Limits, SignedRequest
from tests.unit.api.wire.clients import PROTOCOLS, Tap

START, END = 1704164645.678, 1704240000.0
RANGE = {"createTimeRange": {"start": START, "end": END}, "includeOnlyStatuses": ["Succeeded"]}
JSON_HEADERS = {
    "x-amz-target": "CodeDeploy_20141006.ListDeployments",
    "content-type": "application/x-amz-json-1.1",
    "content-length": "103",
}
CBOR_HEADERS = {
    "smithy-protocol": "rpc-v2-cbor",
    "accept": "application/cbor",
    "content-type": "application/cbor",
    "content-length": "75",
}
CBOR_BODY = (
    "a2 6f 63726561746554696d6552616e6765 a2 65 7374617274 c1 fb 41d964df496b645a 63 656e64 c1 1a 6594a380"
    " 73 696e636c7564654f6e6c795374617475736573 81 69 537563636565646564"
)


def read(request: SignedRequest) -> tuple[str, dict[str, Any]]:
    protocol = protocol_of(request.path)
    operation = operation_of(protocol, request.path, request.headers)
    return operation, read_input(operation, protocol.decode(request.body, Limits()), Limits())


def test_boto3_in_json() -> None:
    body = b'{"createTimeRange": {"start": 1704164645.678, "end": 1704240000}, "includeOnlyStatuses": ["Succeeded"]}'
    assert read(SignedRequest("POST", "/", "", JSON_HEADERS, body)) == ("ListDeployments", RANGE)


def test_boto3_in_cbor() -> None:
    path = "/service/CodeDeploy_20141006/operation/ListDeployments"
    request = SignedRequest("POST", path, "", CBOR_HEADERS, bytes.fromhex(CBOR_BODY))
    assert read(request) == ("ListDeployments", RANGE)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("ListApplications", {}),
        ("StopDeployment", {"deploymentId": "d-1", "autoRollbackEnabled": True}),
        ("TagResource", {"ResourceArn": "arn:x", "Tags": [{"Key": "a", "Value": "ä"}]}),
        ("ListDeploymentTargets", {"deploymentId": "d-1", "targetFilters": {"TargetStatus": ["Failed"]}}),
        ("ListDeployments", RANGE),
    ],
)
def test_what_botocore_sends_is_read(protocol: str, operation: str, given: dict[str, Any]) -> None:
    sent = _with_datetimes(given)
    assert read(Tap(protocol).request(operation, sent)) == (operation, given)


def _with_datetimes(given: dict[str, Any]) -> dict[str, Any]:
    if given is not RANGE:
        return given
    return {
        **given,
        "createTimeRange": {name: datetime.fromtimestamp(at, UTC) for name, at in (("start", START), ("end", END))},
    }
