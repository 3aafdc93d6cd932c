"""Requests with any JSON value in any member: answered with a deployment or an error of the caller's, never a bug. And
whatever token a caller gives, it meets none of the engine's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.trigger.redis import read
from domain.deployments import StopDeployment
from domain.triggers import Incoming
from tasks.admitting import create_deployment
from tasks.steering import stop
from tests.unit.tasks.engine import Engine
from tests.unit.workers.test_trigger import Queue
from tests.unit.workflows.engine_values import a_deployment

CREATE: dict[str, Any] = {
    "operation": "CreateDeployment",
    "applicationName": "shop",
    "deploymentGroupName": "web",
    "revision": {
        "revisionType": "S3",
        "s3Location": {"bucket": "b", "key": "k.zip", "bundleType": "zip", "version": "1", "eTag": "e"},
    },
    "deploymentConfigName": "CodeDeployDefault.OneAtATime",
    "description": "a note",
    "ignoreApplicationStopFailures": True,
    "updateOutdatedInstancesOnly": False,
    "fileExistsBehavior": "OVERWRITE",
    "autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
    "overrideAlarmConfiguration": {"enabled": True, "ignorePollAlarmFailure": False, "alarms": [{"name": "a"}]},
    "ec2DeploymentOptions": {"processesToSuspendBehavior": "NONE", "processesToSuspend": ["x"]},
    "deploymentMode": "STANDARD",
    "clientRequestToken": "build-7",
    "creator": "user",
    "backTo": 1.0,
    "messageId": "m-1",
    "replyTo": "answers",
    "correlationId": "c-1",
}
GREEN: dict[str, Any] = {
    **CREATE,
    "revision": {"revisionType": "GitHub", "gitHubLocation": {"repository": "owner/name", "commitId": "0" * 40}},
    "targetInstances": {
        "tagFilters": [{"Key": "k", "Value": "v", "Type": "KEY_AND_VALUE"}],
        "autoScalingGroups": ["asg"],
        "ec2TagSet": {"ec2TagSetList": [[{"Key": "k", "Value": "v", "Type": "KEY_AND_VALUE"}]]},
    },
}
STOP: dict[str, Any] = {
    "operation": "StopDeployment",
    "deploymentId": "d-AAAAAAAAA",
    "autoRollbackEnabled": True,
    "now": False,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=6,
)
Path = tuple[str | int, ...]


def paths(content: object, path: Path = ()) -> Iterator[Path]:
    """Where there is a member or an item, at any depth."""
    if path:
        yield path
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, member in items:
        yield from paths(member, (*path, name))


def with_(content: dict[str, Any], path: Path, value: object) -> dict[str, Any]:
    """The content with another value at that place."""
    changed: dict[str, Any] = deepcopy(content)
    inner: Any = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


def answer_to(engine: Engine, incoming: Incoming) -> dict[str, Any]:
    """What a message is answered, by an engine that has a group and a deployment."""
    world = engine.world()

    def halt(request: StopDeployment) -> Any:
        return stop(world, request.deployment_id, now=request.now, rollback=request.auto_rollback_enabled)

    queue = Queue(incoming)
    queue.run(lambda request: create_deployment(world, request), halt)
    assert not [letter for letter in queue.letters if letter["reason"].startswith("internal error")]
    ((_, answer),) = queue.answers
    json.dumps(answer)
    return answer


def an_engine() -> Engine:
    engine = Engine()
    engine.store.admit(a_deployment(deployment_group_id="g-2"), token=None, queue=False)
    return engine


def check(content: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps(content).encode()
    answer = answer_to(an_engine(), Incoming(body=body, receipt=None, message_id="m-1", reply_to="answers"))
    assert "deploymentId" in answer or answer["error"]["code"].endswith("Exception")
    read(body)
    return answer


@pytest.mark.parametrize("value", [[], {}, [["CreateDeployment"]], {"StopDeployment": 1}, 7, True, None])
def test_an_operation_that_is_no_text_is_answered(value: object) -> None:
    error = check({**CREATE, "operation": value})["error"]
    assert error["code"] == "InvalidInputException"
    assert error["message"].startswith("operation is CreateDeployment or StopDeployment, not ")


def test_messages_that_are_well_are_carried_out() -> None:
    """Otherwise the first complaint would hide what comes after it."""
    assert "deploymentId" in check(CREATE)
    assert check(STOP) == {"deploymentId": "d-AAAAAAAAA", "status": "Pending"}


ODD: tuple[object, ...] = ([], {}, [[]], {"x": {}}, 7, -1.5, True, None, "", "\0", "x" * 300, [None], [[[]]])
PLACES = [(each, path) for each in (CREATE, GREEN, STOP) for path in paths(each)]


@pytest.mark.parametrize(("content", "path"), PLACES, ids=lambda value: ".".join(map(str, value)) or "members")
def test_every_member_may_be_of_any_type(content: dict[str, Any], path: Path) -> None:
    for value in ODD:
        check(with_(content, path, value))


@given(st.sampled_from(PLACES), JSON)
def test_every_member_may_be_anything(place: tuple[dict[str, Any], Path], value: object) -> None:
    content, path = place
    check(with_(content, path, value))


@given(JSON, JSON, JSON)
def test_what_says_where_an_answer_goes_may_be_anything(message_id: object, reply_to: object, about: object) -> None:
    members = {"messageId": message_id, "replyTo": reply_to, "correlationId": about}
    envelope = {"properties": {"message_id": message_id, "reply_to": reply_to, "correlation_id": about}, "body": "{}"}
    for content in (members, envelope, {"properties": about, "body": message_id}):
        incoming = read(json.dumps(content).encode())
        assert incoming.message_id is None or isinstance(incoming.message_id, str)
        assert incoming.reply_to is None or isinstance(incoming.reply_to, str)


@pytest.mark.parametrize("token", ["rollback:d-AAAAAAAAA", "lifecycle:a/b", "client:x", "trigger:m-1", "delivery:1"])
def test_a_callers_token_is_none_of_the_engines(token: str) -> None:
    engine = Engine()
    asked: dict[str, Any] = {"applicationName": "shop", "deploymentGroupName": "web", "clientRequestToken": token}
    asked["revision"] = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k.zip", "bundleType": "zip"}}
    incoming = Incoming(body=json.dumps(asked).encode(), receipt=None, reply_to="answers")
    made = answer_to(engine, incoming)["deploymentId"]
    assert answer_to(engine, incoming) == {"deploymentId": made}
    engines_own = engine.store.admit(a_deployment(deployment_id="d-BBBBBBBBB"), token=token, queue=True)
    assert engines_own.deployment_id == "d-BBBBBBBBB"
    assert not engines_own.repeated
