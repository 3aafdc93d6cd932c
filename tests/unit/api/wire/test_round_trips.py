"""botocore's own serializers and parsers on the other side of ours: what it writes we read, and the other way round."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.model import OperationModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.wire.protocols import CBOR, JSON, operation_of, protocol_of
from api.wire.replies import Refusal, reply_refusing, reply_with
from api.wire.shapes import read_input
from api.wire.values import Limits
from tests.unit.api.wire.clients import OPERATION_MODELS, PROTOCOLS, as_seconds, values_of

OURS = {"json": JSON, "smithy-rpc-v2-cbor": CBOR}
READ = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

each_operation = pytest.mark.parametrize("operation", OPERATION_MODELS, ids=lambda each: each.name)
each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


def written_by_botocore(
    protocol: str, given: dict[str, Any], operation: OperationModel
) -> tuple[str, dict[str, str], bytes]:
    serializer = create_serializer(protocol, include_validation=False)
    request = serializer.serialize_to_request(given, operation)
    body = request["body"]
    headers = {name.lower(): value for name, value in request["headers"].items()}
    return request["url_path"], headers, body if isinstance(body, bytes) else body.encode()


def read_by_botocore(protocol: str, reply: Any, operation: OperationModel) -> dict[str, Any]:
    response = {"status_code": reply.status, "headers": reply.headers, "body": reply.body}
    parsed: dict[str, Any] = create_parser(protocol).parse(response, operation.output_shape)  # type: ignore[arg-type]
    parsed.pop("ResponseMetadata", None)
    return parsed


@each_protocol
@each_operation
@READ
@given(data=st.data())
def test_what_botocore_writes_is_read(protocol: str, operation: OperationModel, data: st.DataObject) -> None:
    assert operation.input_shape
    given = data.draw(values_of(operation.input_shape))
    path, headers, body = written_by_botocore(protocol, given, operation)
    ours = protocol_of(path)
    assert ours is OURS[protocol]
    assert operation_of(ours, path, {**headers, "content-length": str(len(body))}) == operation.name
    read = read_input(operation.name, ours.decode(body, Limits()), Limits())
    assert read == close_to(as_seconds(given))


@each_protocol
@each_operation
@READ
@given(data=st.data())
def test_what_we_write_botocore_reads(protocol: str, operation: OperationModel, data: st.DataObject) -> None:
    output = data.draw(values_of(operation.output_shape)) if operation.output_shape else {}
    reply = reply_with(OURS[protocol], operation.name, output, "an-id")
    assert as_seconds(read_by_botocore(protocol, reply, operation)) == close_to(as_seconds(output))


@each_protocol
@given(message=st.text())
def test_errors_are_read_by_their_names(protocol: str, message: str) -> None:
    refusal = Refusal("DeploymentDoesNotExistException", message, extra={"runningDeploymentId": "d-1"})
    parsed = read_by_botocore(protocol, reply_refusing(OURS[protocol], refusal, "an-id"), OPERATION_MODELS[0])
    assert parsed["Error"] == {"Code": "DeploymentDoesNotExistException", "Message": message}


def close_to(value: Any) -> Any:
    """The same, with room for what a double cannot hold of a millisecond."""
    if isinstance(value, dict):
        return {name: close_to(each) for name, each in value.items()}
    if isinstance(value, list):
        return [close_to(each) for each in value]
    return pytest.approx(value, abs=0.0005) if isinstance(value, float) else value
