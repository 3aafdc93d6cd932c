"""The path of a call through the server: what is asked first, what is answered, and what is recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from api.server import api_app
from api.wire.values import Limits
from domain.errors import (
    ApplicationDoesNotExist,
    CallerError,
    Conflict,
    DeploymentLimitExceeded,
    WorldError,
)
from tests.unit.api.api_site import NOW, SMITHY, Client, Site, ask, operation_path

SECRET = "redis://:hunter2@10.0.0.1"


def raises(error: Exception) -> Callable[[str, Mapping[str, Any]], NoReturn]:
    def operation(_caller: str, _given: Mapping[str, Any]) -> NoReturn:
        raise error

    return operation


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture(params=[False, True], ids=["json", "cbor"])
def cbor(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def client(site: Site, cbor: bool = False, **operations: Any) -> Client:
    return Client(site.app(**operations), cbor)


def code_of(answer: tuple[int, Any]) -> tuple[int, str]:
    status, body = answer
    return status, body["__type"].removeprefix("com.amazonaws.codedeploy#").removesuffix("Exception")


def test_an_operation_is_given_what_was_validated(site: Site, cbor: bool) -> None:
    heard = []

    def list_deployments(caller: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        heard.append((caller, given))
        return {"deployments": ["d-1"], "nextToken": None}

    given = {"includeOnlyStatuses": ["Failed"], "createTimeRange": {"start": None}, "colour": "red"}
    answer = client(site, cbor, ListDeployments=list_deployments).call("ListDeployments", given)
    assert answer == (200, {"deployments": ["d-1"]})
    assert heard == [("someone", {"includeOnlyStatuses": ["Failed"], "createTimeRange": {}})]


def test_a_call_is_recorded_once(site: Site, cbor: bool) -> None:
    given = {"applicationName": "shop", "currentDeploymentGroupName": "web", "serviceRoleArn": "secret"}
    client(site, cbor).call("UpdateDeploymentGroup", given)
    (record,) = site.records
    assert (record.operation, record.caller, record.application, record.group) == (
        *("UpdateDeploymentGroup", "someone", "shop", "web"),
    )
    assert (record.at, record.request_id, record.code, record.status) == (NOW, "request-1", "OK", 200)
    assert 0 <= record.seconds < 5
    assert "secret" not in repr(record)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ApplicationDoesNotExist(), 400, "ApplicationDoesNotExist"),
        (CallerError("no"), 400, "InvalidInput"),
        (WorldError(SECRET), 503, "ServiceUnavailable"),
        (Conflict(SECRET), 503, "ServiceUnavailable"),
        (KeyError(SECRET), 500, "InternalFailure"),
        (RecursionError(SECRET), 500, "InternalFailure"),
    ],
)
def test_errors_are_answered_by_whose_fault_they_are(
    site: Site, cbor: bool, error: Exception, status: int, code: str
) -> None:
    http = client(site, cbor, GetApplication=raises(error))
    response = http.send("GetApplication", http.written({"applicationName": "shop"}))
    assert code_of(http.read(response)) == (status, code)
    assert SECRET.encode() not in response.body
    assert response.headers["x-amzn-requestid"] == "request-1"
    assert response.headers["x-amzn-errortype"].removesuffix("Exception") == code
    assert [(record.code.removesuffix("Exception"), record.status) for record in site.records] == [(code, status)]


def test_a_bug_is_logged_with_the_id_of_the_request(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    client(site, GetApplication=raises(KeyError("a bug"))).call("GetApplication", {"applicationName": "shop"})
    (entry,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "request-1" in entry.getMessage()
    assert entry.exc_info


def test_an_answer_that_does_not_fit_is_a_bug(site: Site, cbor: bool) -> None:
    http = client(site, cbor, ListApplications=lambda _caller, _given: {"applications": [1]})
    assert code_of(http.call("ListApplications", {})) == (500, "InternalFailure")


def test_a_busy_group_names_what_runs(site: Site, cbor: bool) -> None:
    error = DeploymentLimitExceeded("busy", running="d-1")
    answer = client(site, cbor, CreateDeployment=raises(error)).call("CreateDeployment", {"applicationName": "a"})
    assert code_of(answer) == (400, "DeploymentLimitExceeded")
    assert answer[1]["message"] == "busy"
    assert answer[1]["runningDeploymentId"] == "d-1"


def test_who_asks_is_checked_before_what_they_ask(site: Site, cbor: bool) -> None:
    http = client(site, cbor)
    assert code_of(http.read(http.send("GetApplication", b"\xff", authorization=""))) == (400, "UnrecognizedClient")
    assert code_of(http.read(http.send("GetApplication", b"\xff"))) == (400, "Serialization")
    assert code_of(http.call("GetApplication", {})) == (400, "ApplicationNameRequired")
    assert site.authorized == []
    assert code_of(http.call("GetApplication", {"applicationName": "forbidden"})) == (400, "AccessDenied")
    assert [record.caller for record in site.records] == [None, "someone", "someone", "someone"]


def test_no_operation_is_known_before_anyone_is(site: Site, cbor: bool) -> None:
    http = client(site, cbor)
    response = http.send("Deploy", b"", authorization="")
    assert code_of(http.read(response)) == (400, "UnknownOperation")
    assert [record.operation for record in site.records] == [None]


def test_an_operation_that_is_not_served_is_unknown(site: Site) -> None:
    app = api_app(
        {},
        authenticate=lambda _request: "someone",
        authorize=lambda _caller, _operation, _given: None,
        audit=site.records.append,
        ready=lambda: None,
        metrics=lambda: b"",
        now=lambda: NOW,
        request_id=lambda: "an-id",
    )
    assert code_of(Client(app).call("ListApplications", {})) == (400, "UnknownOperation")


def test_operations_that_the_service_does_not_have_are_refused_at_once(site: Site) -> None:
    with pytest.raises(ValueError, match="Deploy"):
        site.app(Deploy=lambda _caller, _given: None)


@pytest.mark.parametrize("prefix", ["", "/api", "/a/b"])
def test_cbor_may_stand_behind_a_prefix(site: Site, prefix: str) -> None:
    answer = ask(site.app(), prefix + operation_path("ListApplications"), {**SMITHY, "authorization": "someone"})
    assert answer.status == 200


def test_too_large_a_body_is_refused(site: Site, cbor: bool) -> None:
    site.limits = Limits(body_bytes=100)
    http = client(site, cbor)
    assert code_of(http.read(http.send("ListApplications", b" " * 101))) == (413, "RequestEntityTooLarge")
    assert [record.code for record in site.records] == ["RequestEntityTooLarge"]


def test_a_call_stands_even_if_it_cannot_be_recorded(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.broken_audit = WorldError("the store is away")
    assert client(site).call("ListApplications", {}) == (200, {})
    assert len(site.records) == 1
    assert "could not be recorded" in caplog.text


def test_the_process_is_up_and_ready_or_not(site: Site) -> None:
    app = site.app()
    assert ask(app, "/healthz", {}, method="GET").body == b'{"status":"ok"}'
    assert ask(app, "/readyz", {}, method="GET").body == b'{"status":"ready"}'
    site.not_ready = WorldError(SECRET)
    answer = ask(app, "/readyz", {}, method="GET")
    assert (answer.status, answer.body) == (503, b'{"status":"unavailable"}')
    assert site.records == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_what_is_no_call_is_answered_and_not_recorded(site: Site, method: str) -> None:
    answer = ask(site.app(), "/", {}, method=method)
    assert answer.status == 405
    assert b'"UnknownOperationException"' in answer.body
    assert site.records == []


def test_limits_hold_for_lists_and_depth(site: Site, cbor: bool) -> None:
    site.limits = replace(site.limits, list_items=2, depth=4)
    http = client(site, cbor)
    assert code_of(http.call("BatchGetDeployments", {"deploymentIds": ["d"] * 3})) == (400, "BatchLimitExceeded")
    assert code_of(http.call("ListApplications", {"x": [[[[]]]]})) == (400, "Serialization")
