"""Which protocol and which operation a request asks for, and how answers to each are labelled."""

from __future__ import annotations

import json

import cbor2
import pytest

from api.wire.errors import WireError
from api.wire.protocols import CBOR, JSON, Protocol, operation_of, protocol_of
from api.wire.replies import Refusal, reply_refusing, reply_with

TARGET = {"x-amz-target": "CodeDeploy_20141006.GetDeployment", "content-type": "application/x-amz-json-1.1"}
SMITHY = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
PATH = "/service/CodeDeploy_20141006/operation/GetDeployment"


@pytest.mark.parametrize(
    ("path", "protocol"),
    [
        ("/", JSON),
        ("", JSON),
        ("/anything", JSON),
        (PATH, CBOR),
        (f"/a/prefix{PATH}", CBOR),
        ("/service/Other/operation/X", CBOR),
        (f"{PATH}/", JSON),
        ("/service//operation/X", JSON),
        ("/%73ervice/CodeDeploy_20141006/operation/GetDeployment", JSON),
        (f"/#{PATH}", JSON),
    ],
)
def test_the_path_decides_the_protocol(path: str, protocol: Protocol) -> None:
    assert protocol_of(path) is protocol


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", TARGET),
        ("/", {**TARGET, "content-type": "application/x-amz-json-1.1; charset=utf-8", "content-length": "2"}),
        ("/", {"x-amz-target": TARGET["x-amz-target"], "content-length": "0"}),
        (PATH, SMITHY),
        (f"/a/prefix{PATH}", {**SMITHY, "x-amz-target": "CodeDeploy_20141006.StopDeployment"}),
        (PATH, {"smithy-protocol": "rpc-v2-cbor"}),
    ],
)
def test_the_operation_is_found(path: str, headers: dict[str, str]) -> None:
    assert operation_of(protocol_of(path), path, headers) == "GetDeployment"


@pytest.mark.parametrize(
    ("path", "headers", "code", "status"),
    [
        ("/", {}, "UnknownOperation", 400),
        ("/", SMITHY, "UnknownOperation", 400),
        ("/", {**TARGET, "x-amz-target": "GetDeployment"}, "UnknownOperation", 400),
        ("/", {**TARGET, "x-amz-target": "CodeDeploy_20141006.Deploy"}, "UnknownOperation", 400),
        ("/", {**TARGET, "x-amz-target": "CodeDeploy_20141006.GetDeployment.x"}, "UnknownOperation", 400),
        ("/", {**TARGET, "x-amz-target": "DynamoDB_20120810.GetDeployment"}, "UnknownOperation", 400),
        ("/elsewhere", TARGET, "UnknownOperation", 404),
        ("/", {**TARGET, "content-type": "application/json"}, "UnsupportedMediaType", 415),
        ("/", {"x-amz-target": TARGET["x-amz-target"], "content-length": "2"}, "UnsupportedMediaType", 415),
        ("/", {"x-amz-target": TARGET["x-amz-target"], "transfer-encoding": "chunked"}, "UnsupportedMediaType", 415),
        (PATH, TARGET, "UnknownOperation", 400),
        (PATH, {**SMITHY, "smithy-protocol": "rpc-v2-json"}, "UnknownOperation", 400),
        (PATH, {**SMITHY, "content-type": "application/x-amz-json-1.1"}, "UnsupportedMediaType", 415),
        ("/service/Other/operation/GetDeployment", SMITHY, "UnknownOperation", 400),
        ("/service/CodeDeploy_20141006/operation/Deploy", SMITHY, "UnknownOperation", 400),
    ],
)
def test_what_asks_for_nothing_is_refused(path: str, headers: dict[str, str], code: str, status: int) -> None:
    with pytest.raises(WireError) as caught:
        operation_of(protocol_of(path), path, headers)
    assert (caught.value.code, caught.value.status) == (f"{code}Exception", status)


def test_answers_in_json() -> None:
    reply = reply_with(JSON, "ListDeployments", {"deployments": ["d-1"], "nextToken": None}, "an-id")
    assert (reply.status, reply.body) == (200, b'{"deployments":["d-1"]}')
    assert reply.headers == {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": "an-id"}


def test_answers_in_cbor() -> None:
    reply = reply_with(CBOR, "ListDeployments", {"deployments": ["d-1"]}, "an-id")
    assert (reply.status, cbor2.loads(reply.body)) == (200, {"deployments": ["d-1"]})
    assert reply.headers == {
        "smithy-protocol": "rpc-v2-cbor",
        "Content-Type": "application/cbor",
        "x-amzn-RequestId": "an-id",
    }


def test_operations_without_output_answer_an_empty_object_or_nothing() -> None:
    assert reply_with(JSON, "DeleteApplication", None, "an-id").body == b"{}"
    silent = reply_with(CBOR, "DeleteApplication", None, "an-id")
    assert silent.body == b""
    assert "Content-Type" not in silent.headers
    assert reply_with(CBOR, "TagResource", None, "an-id").body == b"\xa0"


def test_errors_in_json() -> None:
    refusal = Refusal("DeploymentLimitExceededException", "busy", extra={"runningDeploymentId": "d-1"})
    reply = reply_refusing(JSON, refusal, "an-id")
    assert reply.status == 400
    assert json.loads(reply.body) == {
        "__type": "DeploymentLimitExceededException",
        "message": "busy",
        "runningDeploymentId": "d-1",
    }
    assert reply.headers["x-amzn-ErrorType"] == "DeploymentLimitExceededException"
    assert reply.headers["x-amzn-RequestId"] == "an-id"


def test_errors_in_cbor() -> None:
    reply = reply_refusing(CBOR, Refusal("InternalFailure", "sorry", 500), "an-id")
    assert reply.status == 500
    assert cbor2.loads(reply.body) == {"__type": "com.amazonaws.codedeploy#InternalFailure", "message": "sorry"}
    assert reply.headers["smithy-protocol"] == "rpc-v2-cbor"
    assert reply.headers["Content-Type"] == "application/cbor"


def test_half_a_character_in_a_message_does_not_stop_an_error() -> None:
    for protocol in (JSON, CBOR):
        assert b"half ?" in reply_refusing(protocol, Refusal("InternalFailure", "half \ud800"), "an-id").body
