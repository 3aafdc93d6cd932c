"""Real clients against a real server: boto3 in both protocols and the aws command line, with stubs behind it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from botocore.exceptions import ClientError

from api.server import CallRecord, api_app
from api.wire.model import OPERATIONS
from api.wire.sigv4 import authenticate
from api.wire.values import Limits
from domain.errors import ApplicationDoesNotExist, WorldError
from tests.unit.api.wire.clients import KEY, PROTOCOLS, SECRET, make_client

PAGES = {None: (["d-1", "d-2"], "more"), "more": (["d-3"], None)}
STARTED = datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
Given = Mapping[str, Any]


def list_deployments(_caller: str, given: Given) -> Given:
    found, following = PAGES[given.get("nextToken")]
    return {"deployments": found, "nextToken": following}


def get_deployment(_caller: str, given: Given) -> Given:
    return {"deploymentInfo": {**given, "createTime": STARTED.timestamp(), "status": "Succeeded"}}


def get_application(_caller: str, _given: Given) -> Given:
    raise ApplicationDoesNotExist


def get_deployment_config(_caller: str, _given: Given) -> Given:
    raise WorldError("redis://10.0.0.1 does not answer")


def nothing(_caller: str, _given: Given) -> None:
    return None


STUBS = {
    "ListDeployments": list_deployments,
    "GetDeployment": get_deployment,
    "GetApplication": get_application,
    "GetDeploymentConfig": get_deployment_config,
}


class Served:
    """A server on a free port of this machine."""

    def __init__(self) -> None:
        self.records: list[CallRecord[str]] = []
        app = api_app(
            {**dict.fromkeys(OPERATIONS, nothing), **STUBS},
            authenticate=lambda request: authenticate(request, {KEY: SECRET}.get, time.time()),
            authorize=lambda _caller, _operation, _given: None,
            audit=self.records.append,
            ready=lambda: None,
            metrics=lambda: b"",
            now=time.time,
            request_id=lambda: str(uuid.uuid4()),
            limits=Limits(body_seconds=1.0),
        )
        # Named, or asyncio does not see that it is TCP and leaves 40 ms between packets.
        self._socket = socket.socket(proto=socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self.url = f"http://127.0.0.1:{self.address[1]}"
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, log_level="warning", timeout_keep_alive=1))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})

    def __enter__(self) -> Served:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served() as server:
        yield server


@pytest.fixture(scope="module", params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def client(served: Served, protocol: str) -> Iterator[Any]:
    with contextlib.closing(make_client(protocol, served.url)) as made:
        yield made


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_pages_are_followed(client: Any) -> None:
    pages = client.get_paginator("list_deployments").paginate(createTimeRange={"start": STARTED})
    assert list(pages.search("deployments[]")) == ["d-1", "d-2", "d-3"]


def test_timestamps_are_datetimes(client: Any) -> None:
    info = client.get_deployment(deploymentId="d-1")["deploymentInfo"]
    assert info == {"deploymentId": "d-1", "createTime": STARTED, "status": "Succeeded"}


def test_a_waiter_is_satisfied(client: Any) -> None:
    client.get_waiter("deployment_successful").wait(deploymentId="d-1")


def test_answers_carry_the_id_of_the_request(client: Any, served: Served) -> None:
    answer = client.get_deployment(deploymentId="d-1")
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"] == served.records[-1].request_id


def test_operations_without_output_answer_nothing(client: Any) -> None:
    assert set(client.delete_application(applicationName="a")) == {"ResponseMetadata"}


def test_errors_are_the_modelled_exceptions(client: Any) -> None:
    with pytest.raises(client.exceptions.ApplicationDoesNotExistException, match="No application has this name"):
        client.get_application(applicationName="shop")
    with pytest.raises(client.exceptions.InvalidApplicationNameException):
        client.get_application(applicationName="two words")
    with pytest.raises(client.exceptions.ApplicationNameRequiredException):
        client.get_application()


def test_the_world_fails_with_503(client: Any) -> None:
    with pytest.raises(ClientError) as error:
        client.get_deployment_config(deploymentConfigName="c")
    assert code_of(error) == "ServiceUnavailableException"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert "10.0.0.1" not in str(error.value)


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        ({"secret": "another"}, "InvalidSignatureException"),
        ({"key": "AKIDOTHER"}, "UnrecognizedClientException"),
        ({"token": "a-session"}, "UnrecognizedClientException"),
    ],
)
def test_strangers_are_refused(served: Served, protocol: str, credentials: dict[str, str], code: str) -> None:
    with (
        contextlib.closing(make_client(protocol, served.url, **credentials)) as stranger,
        pytest.raises(ClientError) as error,
    ):
        stranger.list_applications()
    assert code_of(error) == code
    assert served.records[-1].code == code
    assert served.records[-1].caller is None


def test_large_bodies_are_refused_while_they_come(client: Any) -> None:
    with pytest.raises(ClientError) as error:
        client.list_deployments(externalId="x" * 1_100_000)
    assert code_of(error) == "RequestEntityTooLarge"


def test_the_aws_command_line_is_served(served: Served, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_ENDPOINT_URL_CODEDEPLOY": served.url,
    }
    command = [sys.executable, "-m", "awscli", "deploy", "list-deployments", "--include-only-statuses", "Failed"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"deployments": ["d-1", "d-2", "d-3"]}


def raw(served: Served, text: bytes) -> bytes:
    """Everything that the server answers to these bytes until it hangs up."""
    with socket.create_connection(served.address, timeout=10) as line:
        line.sendall(text)
        answer = bytearray()
        while data := line.recv(65536):
            answer += data
    return bytes(answer)


CALL = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: CodeDeploy_20141006.ListApplications\r\n" + (
    b"Content-Type: application/x-amz-json-1.1\r\n"
)


def test_a_body_that_never_ends_is_answered_in_time(served: Served) -> None:
    answer = raw(served, CALL + b"Content-Length: 10\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"RequestTimeoutException" in answer


def test_chunks_without_end_are_answered(served: Served) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    answer = raw(served, CALL + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 17)
    assert answer.startswith(b"HTTP/1.1 413")


def test_many_stuck_clients_hold_up_nobody(served: Served) -> None:
    with contextlib.ExitStack() as stack, contextlib.closing(make_client("json", served.url)) as client:
        for _ in range(100):
            line = stack.enter_context(socket.create_connection(served.address, timeout=10))
            line.sendall(CALL + b"Content-Length: 10\r\n\r\n{")
        before = time.monotonic()
        client.list_deployments()
        assert time.monotonic() - before < 1.0
