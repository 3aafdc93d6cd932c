"""Messages of the trigger queue: what is read, what is refused and why, and what answers and dead letters hold."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.deployments import CreateDeployment
from domain.errors import DeploymentGroupDoesNotExist, DeploymentLimitExceeded
from domain.triggers import Incoming
from workflows import triggering
from workflows.triggering import DEEPEST, LARGEST, LONGEST_ID, Unreadable

REQUEST = {
    "applicationName": "shop",
    "deploymentGroupName": "web",
    "revision": {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k.zip", "bundleType": "zip"}},
}


def parse_request(incoming: Incoming) -> CreateDeployment:
    """The request for a deployment in a message."""
    request = triggering.parse_request(incoming)
    assert isinstance(request, CreateDeployment)
    return request


def message(body: bytes, **about: Any) -> Incoming:
    return Incoming(body=body, receipt=None, **about)


def written(content: object) -> Incoming:
    return message(json.dumps(content).encode())


def nested(levels: int) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for _ in range(levels - 1):
        content = {"targetInstances": content}
    return content


def test_a_request_is_read_and_what_it_does_not_know_ignored() -> None:
    request = parse_request(written({**REQUEST, "description": "größer", "computePlatform": "Server", "x": [1]}))
    assert request.application_name == "shop"
    assert request.revision is not None
    assert request.revision.s3_location is not None
    assert request.revision.s3_location.key == "k.zip"
    assert request.description == "größer"


@pytest.mark.parametrize(
    ("about", "given", "token"),
    [
        ({"message_id": "m-1"}, {}, "trigger:m-1"),
        ({"message_id": "m-1"}, {"clientRequestToken": "build-7"}, "client:build-7"),
        ({}, {"clientRequestToken": "build-7"}, "client:build-7"),
        ({}, {}, None),
    ],
)
def test_the_token_of_a_request(about: dict[str, str], given: dict[str, str], token: str | None) -> None:
    body = json.dumps({**REQUEST, **given}).encode()
    assert parse_request(message(body, **about)).client_request_token == token


def test_nobody_asks_in_the_name_of_the_engine() -> None:
    assert parse_request(written({**REQUEST, "creator": "codeDeployRollback"})).creator == "user"
    assert parse_request(written({**REQUEST, "backTo": 1.0})).back_to is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON: Expecting value at line 1, column 1"),
        (b'{"a": 1,\n }', "not JSON: Illegal trailing comma before end of object|line 2"),
        (b"\xff\xfe", "not UTF-8: invalid start byte at byte 0"),
        (b"[1]", "expected a JSON object in the shape of CreateDeployment, got a list"),
        (b'"words"', "got a text"),
        (b"null", "got null"),
        (b"true", "got a truth value"),
        (b"7", "got a number"),
        (b'{"a": NaN}', "NaN is no JSON value"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not readable JSON"),
        (b"[" * 100_000, f"nested too deeply: at most {DEEPEST} levels"),
        (json.dumps(nested(DEEPEST + 1)).encode(), f"nested too deeply: at most {DEEPEST} levels"),
        (b" " * (LARGEST + 1), f"has {LARGEST + 1} bytes; at most {LARGEST} are read"),
        (b'{"applicationName": "\\ud800"}', "applicationName: expected text"),
        (b'{"targetInstances": {"list": ["\\ud800"]}}', "targetInstances.list.0: expected text"),
        (b'{"targetInstances": {"\\ud800": 1}}', "a member's name in targetInstances: expected text"),
        (b'{"applicationName": 7}', "applicationName: Input should be a valid string"),
        (b'{"revision": {"revisionType": "Nowhere"}}', "revision.revisionType: Input should be 'S3'"),
        (b'{"revision": {"revisionType": "S3", "s3Location": {"bucket": "b"}}}', "revision.s3Location.key: Field req"),
        (b'{"ignoreApplicationStopFailures": "perhaps"}', "ignoreApplicationStopFailures: Input should be a valid bo"),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_what_is_no_request_says_where_and_what_was_expected(body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as raised:
        parse_request(message(body))
    # Python 3.13 and later word one complaint of the JSON parser otherwise.
    assert any(each in str(raised.value) for each in reason.split("|"))


def test_the_limits_are_limits_not_less() -> None:
    assert parse_request(written(nested(DEEPEST)))
    body = json.dumps(REQUEST).encode()
    assert parse_request(message(body.ljust(LARGEST), message_id="m" * LONGEST_ID)).application_name == "shop"


@pytest.mark.parametrize("message_id", ["m" * (LONGEST_ID + 1), "\ud800"])
def test_a_message_id_that_cannot_be_kept_is_refused(message_id: str) -> None:
    with pytest.raises(Unreadable, match="message id"):
        parse_request(message(json.dumps(REQUEST).encode(), message_id=message_id))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.sampled_from(sorted(REQUEST)), inner),
    max_leaves=20,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_request_that_can_be_kept_or_a_reason(body: bytes) -> None:
    with contextlib.suppress(Unreadable):
        request = parse_request(message(body))
        assert CreateDeployment.model_validate_json(request.model_dump_json()) == request


def test_answers() -> None:
    assert triggering.made("d-1") == {"deploymentId": "d-1"}
    assert triggering.refused(DeploymentGroupDoesNotExist("no group web")) == {
        "error": {"code": "DeploymentGroupDoesNotExistException", "message": "no group web"}
    }
    assert triggering.refused(DeploymentLimitExceeded("busy", running="d-2"))["error"] == {
        "code": "DeploymentLimitExceededException",
        "message": "busy",
        "runningDeploymentId": "d-2",
    }
    assert triggering.unreadable("why") == {"error": {"code": "InvalidInputException", "message": "why"}}


@given(st.binary(max_size=200))
def test_a_dead_letter_keeps_every_byte(body: bytes) -> None:
    letter = json.loads(json.dumps(triggering.dead_letter(message(body, message_id="m"), "why", 5.0)))
    kept = base64.b64decode(letter["body"]) if letter.get("encoding") == "base64" else letter["body"].encode()
    assert kept == body
    assert (letter["reason"], letter["at"], letter["messageId"]) == ("why", 5.0, "m")
    assert "bytes" not in letter


def test_a_dead_letter_keeps_the_beginning_of_what_is_too_large() -> None:
    letter = triggering.dead_letter(message(b"x" * (LARGEST + 5)), "why", 5.0)
    assert letter["body"] == "x" * LARGEST
    assert letter["bytes"] == LARGEST + 5


@pytest.mark.parametrize(
    "queue",
    [
        "answers",
        "answers.team-1:x/y",
        "amq.gen-JzTY20BRgKO-HjmUJj0wLg",
        "amq.rabbitmq.reply-to.g1h2AA5yZXBseUA0NTM2MzQyNwAABk0AAAAAYvFmOQ==.8Ow0kkGDTTYTbXq2DhvN8g==",
        "x" * 200,
    ],
)
def test_queues_that_take_answers(queue: str) -> None:
    assert triggering.may_reply_to(queue)


@pytest.mark.parametrize(
    "queue",
    [
        "",
        "x" * 201,
        "two words",
        "line\nbreak",
        "queue\x06\x163",
        "größer",
        "\ud800",
        "slipway",
        "slipway.trigger",
        "Slipway:d:1",
        "host.web-1",
        "_kombu.binding.x",
        "unacked",
        "celery-task-meta-1",
        "agent@web-1.celery.pidbox",
    ],
)
def test_names_that_get_no_answer(queue: str) -> None:
    assert not triggering.may_reply_to(queue)


@given(st.text(st.characters()))
def test_a_strangers_text_stays_on_one_line_of_the_log(text: str) -> None:
    shown = triggering.printable(text)
    assert shown.isprintable()
    assert shown.encode().decode() == shown
    assert shown == text or not text.isprintable() or len(text) > 500


def test_a_long_text_is_cut() -> None:
    assert triggering.printable("x" * 20, 5) == "xxxxx…"
    assert triggering.printable("a\nb\x1b[1m") == "a\\nb\\x1b[1m"
