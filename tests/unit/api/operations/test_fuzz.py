"""Any values of the model's shapes, valid or not, at the real operations behind the real server, in both protocols:
never a bug, never an error that an operation does not model, and nothing changed by a call that was refused or only
reads."""

from __future__ import annotations

import functools
import uuid
from functools import partial
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.operations import OPERATIONS
from api.server import CallRecord, api_app
from api.wire.model import errors_of, input_of
from domain.deployments import DeploymentStatus
from tests.unit.api.api_site import Client
from tests.unit.api.operations.calling import ACCOUNT, COMMON, GITHUB, NOW, ROLE, S3, SESSION, USER, Api, dump
from tests.unit.api.wire.walking import WRONG_TYPES

SETTINGS = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
ARN = f"arn:aws:codedeploy:us-east-1:{ACCOUNT}"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:t"
KNOWN: dict[str, list[Any]] = {
    "ApplicationName": ["shop", "shop", "other"],
    "DeploymentGroupName": ["web", "web", "db"],
    "DeploymentConfigName": ["mine", "CodeDeployDefault.AllAtOnce", "CodeDeployDefault.ECSAllAtOnce", "new"],
    "DeploymentId": [f"d-{number:09d}" for number in range(1, 5)],
    "TargetId": ["host_0", "i-00000000000000001"],
    "InstanceId": ["host_0", f"{ARN}:instance/host_0_suffix0000", "i-00000000000000001"],
    "InstanceName": ["host-1", "host-2", "host-3"],
    "Arn": [f"{ARN}:application:shop", f"{ARN}:deploymentgroup:shop/web", f"{ARN}:instance/host-1"],
    "Role": [ROLE],
    "IamUserArn": [USER, f"{USER}2"],
    "IamSessionArn": [SESSION],
    "RevisionLocation": [S3, GITHUB],
    "TriggerTargetArn": [TOPIC],
    "GitHubAccountTokenName": ["token"],
    "S3Bucket": ["b"],
    "Key": ["k", "role"],
    "Value": ["v", "web*"],
    "TargetFilterName": ["TargetStatus", "ServerInstanceLabel"],
    "MinimumHealthyHosts": [{"type": "HOST_COUNT", "value": 1}],
    "ComputePlatform": ["Server"],
    "FilterValue": ["Pending", "Blue"],
}
"""What there is, or may well be, by shape."""
ALWAYS = frozenset({"DeploymentGroupName", "RevisionLocation", "DeploymentId", "MinimumHealthyHosts"})
"""Where a member of such a shape is optional by the model alone."""
JUNK = st.one_of(
    st.text(max_size=8), st.sampled_from(["", "two words", "a" * 101, "\0", "a/b", "i-1", "d-1", "ü" * 300])
)


@functools.cache
def anything(shape: Shape, *, needed: bool = False) -> st.SearchStrategy[Any]:
    """Values of a shape, mostly of its type and often such as there are."""
    mostly = st.deferred(lambda: _of_type(shape))
    if shape.name in KNOWN:
        mostly = st.sampled_from(KNOWN[shape.name]) | st.sampled_from(KNOWN[shape.name]) | mostly
    odd = st.sampled_from([None, WRONG_TYPES.get(shape.type_name, [])])
    return st.integers(0, 30).flatmap(lambda chance: odd if chance == 30 and not needed else mostly)


def _of_type(shape: Shape) -> st.SearchStrategy[Any]:
    match shape:
        case StructureShape():
            always = {name for name, each in shape.members.items() if each.name in ALWAYS} | set(shape.required_members)
            needed = {name: anything(each) for name, each in shape.members.items() if name in always}
            optional = {name: anything(each) for name, each in shape.members.items() if name not in needed}
            some = st.lists(st.sampled_from(sorted(optional)), max_size=4, unique=True) if optional else st.just([])
            return some.flatmap(lambda chosen: st.fixed_dictionaries({**needed, **{n: optional[n] for n in chosen}}))
        case ListShape():
            return st.lists(anything(shape.member), max_size=3)
        case MapShape():
            return st.dictionaries(anything(shape.key, needed=True), anything(shape.value), max_size=2)
        case StringShape():
            return st.sampled_from(shape.enum) | st.sampled_from(shape.enum) | JUNK if shape.enum else JUNK
        case _:
            return {
                "boolean": st.booleans(),
                "timestamp": st.sampled_from([0, NOW, NOW + 3, 1.5]),
            }.get(shape.type_name, st.integers(-2, 3000))


def furnished() -> Api:
    """An installation in which there is something of everything."""
    api = Api(github_tokens=("token",))
    api.group(ec2TagFilters=[{"Key": "k", "Type": "KEY_ONLY"}], tags=[{"Key": "k", "Value": "v"}])
    api.group("db")
    api("CreateDeploymentConfig", deploymentConfigName="mine", minimumHealthyHosts={"type": "HOST_COUNT", "value": 1})
    api("RegisterApplicationRevision", applicationName="shop", revision=S3)
    api.instance("host-1")
    api.instance("host-2")
    api("AddTagsToOnPremisesInstances", tags=[{"Key": "role", "Value": "web"}], instanceNames=["host-1"])
    api("DeregisterOnPremisesInstance", instanceName="host-2")
    api.ended(api.deployment(), DeploymentStatus.FAILED)
    api.deployment(targets=2)
    api.deployment()
    return api


def served(api: Api, records: list[CallRecord[str]], *, cbor: bool) -> Client:
    """The server with the operations behind it, open to everyone."""
    app = api_app(
        {name: partial(_carry_out, api, name) for name in OPERATIONS},
        authenticate=lambda _request: "anyone",
        authorize=lambda _caller, _operation, _given: None,
        audit=records.append,
        ready=lambda: None,
        metrics=lambda: b"",
        now=lambda: NOW,
        request_id=lambda: str(uuid.uuid4()),
    )
    return Client(app, cbor)


def _carry_out(api: Api, name: str, _caller: str, given: Any) -> Any:
    return OPERATIONS[name](api.site, given)


@pytest.mark.parametrize("cbor", [False, True], ids=["json", "cbor"])
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
@SETTINGS
@given(data=st.data())
def test_anything_is_answered(operation: str, cbor: bool, data: st.DataObject) -> None:
    shape = input_of(operation)
    assert shape is not None
    asked = data.draw(anything(shape))
    api, records = furnished(), list[CallRecord[str]]()
    before = dump(api.store)
    status, body = served(api, records, cbor=cbor).call(operation, asked)
    assert status in {200, 400}, body
    if status == 400:
        code = body["__type"].rpartition("#")[2]
        assert code in errors_of(operation) | COMMON
        assert body["message"]
    if status == 400 or operation.startswith(("Get", "List", "BatchGet")):
        assert dump(api.store) == before
    assert [record.status for record in records] == [status]


@pytest.mark.parametrize(
    "operation",
    [
        *("UpdateDeploymentGroup", "CreateDeploymentGroup", "CreateDeployment", "CreateDeploymentConfig"),
        *("RegisterOnPremisesInstance", "ListDeploymentTargets", "GetDeploymentInstance", "TagResource"),
    ],
)
def test_not_all_is_refused(operation: str) -> None:
    """What is drawn above is now and then what an operation carries out."""
    assert _gets_through(operation)


def _gets_through(operation: str) -> bool:
    shape, found = input_of(operation), list[int]()
    assert shape is not None

    @settings(max_examples=150, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(asked=anything(shape))
    def attempt(asked: Any) -> None:
        if 200 not in found:
            found.append(served(furnished(), [], cbor=False).call(operation, asked)[0])

    attempt()
    return 200 in found
