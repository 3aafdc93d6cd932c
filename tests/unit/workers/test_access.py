"""Who calls: keys in the store, judged call by call through the real server, and what is written down of it."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.store.memory import MemoryStore
from api.operations import OPERATIONS
from api.server import api_app
from api.wire.values import SignedRequest
from config.settings import InvalidSettings, Settings
from domain.access import AccessKey, Policy
from domain.errors import AccessKeyDoesNotExist, WorldError
from tests.unit.api.api_site import ask
from tests.unit.api.operations.calling import S3, Api, dump
from tests.unit.api.wire.clients import Tap
from workers.access import Gate, audit, create_key, list_keys, revoke_key, start_audit
from workers.api import make_api
from workflows.access import secret_of

INSTALLATION = b"the installation's key"
NAMED: dict[str, Any] = {"applicationName": "shop", "deploymentGroupName": "web"}
DESCRIPTION = "a description that stands in no record"


@functools.cache
def signer(access_key_id: str, secret: str) -> Tap:
    """A client that signs with a key; making one takes a while."""
    return Tap("json", key=access_key_id, secret=secret)


@dataclass
class Installation:
    """A server behind the gate, on the store in memory, and the lines of its audit."""

    api: Api = field(default_factory=Api)
    late: float = 0.0
    lines: list[dict[str, Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def key(self, policy: Policy = Policy.ADMINISTRATOR, *applications: str) -> AccessKey:
        return create_key(self.api.store, policy=policy, applications=applications, now=1.0)

    def sign(self, key: AccessKey, operation: str, *, secret: str | None = None, **given: Any) -> SignedRequest:
        return signer(key.access_key_id, secret or secret_of(INSTALLATION, key)).request(operation, given)

    def call(self, key: AccessKey, operation: str, *, secret: str | None = None, **given: Any) -> str:
        """How a call ends: OK, or the error's name."""
        return self.send(self.sign(key, operation, secret=secret, **given))

    def send(self, request: SignedRequest) -> str:
        stamp = datetime.fromisoformat(request.headers["x-amz-date"]).timestamp()
        gate = Gate(self.api.store, installation_key=INSTALLATION, now=lambda: stamp + self.late)
        app = api_app(
            {name: partial(self._carry_out, name) for name in OPERATIONS},
            authenticate=gate.authenticate,
            authorize=gate.authorize,
            audit=audit,
            ready=lambda: None,
            metrics=lambda: b"",
            now=lambda: 5.0,
            request_id=lambda: "request-1",
        )
        answer = ask(app, request.path, request.headers, [request.body])
        body = json.loads(answer.body)
        return "OK" if answer.status == 200 else str(body["__type"]).removesuffix("Exception")

    def _carry_out(self, name: str, _caller: AccessKey, given: Mapping[str, Any]) -> Any:
        return OPERATIONS[name](self.api.site, given)

    def last(self) -> dict[str, Any]:
        return dict(json.loads(self.texts[-1]))


@pytest.fixture
def here(caplog: pytest.LogCaptureFixture) -> Iterator[Installation]:
    made = Installation()
    made.api.group()

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            made.texts.append(record.getMessage())

    log, keep = logging.getLogger("slipway.audit"), Keep()
    log.addHandler(keep)
    log.setLevel(logging.INFO)
    yield made
    log.removeHandler(keep)


def test_a_key_opens_the_door_until_it_is_revoked(here: Installation) -> None:
    key = here.key()
    assert here.call(key, "ListApplications") == "OK"
    assert here.call(key, "CreateApplication", applicationName="other") == "OK"
    ended = revoke_key(here.api.store, key.access_key_id, now=9.0)
    assert ended.revoke_time == 9.0
    assert here.call(key, "ListApplications") == "UnrecognizedClient"
    assert revoke_key(here.api.store, key.access_key_id, now=10.0).revoke_time == 9.0


def test_strangers_are_refused(here: Installation) -> None:
    key = here.key()
    assert here.call(key, "ListApplications", secret="another") == "InvalidSignature"
    unknown = key.model_copy(update={"access_key_id": "SLIPAAAAAAAAAAAAAAAA"})
    assert here.call(unknown, "ListApplications") == "UnrecognizedClient"
    request = here.sign(key, "GetApplication", applicationName="shop")
    assert here.send(replace(request, body=request.body.replace(b"shop", b"shup"))) == "InvalidSignature"
    assert here.send(request) == "OK"
    here.late = 301
    assert here.send(request) == "InvalidSignature"


def test_the_key_of_another_installation_is_of_no_use(here: Installation) -> None:
    key = here.key()
    assert here.call(key, "ListApplications", secret=secret_of(b"theirs", key)) == "InvalidSignature"


def test_a_reader_reads(here: Installation) -> None:
    key = here.key(Policy.READ_ONLY)
    assert here.call(key, "GetDeploymentGroup", **NAMED) == "OK"
    before = dump(here.api.store)
    for operation, given in (("DeleteApplication", {"applicationName": "shop"}), ("CreateDeployment", NAMED)):
        assert here.call(key, operation, **given) == "AccessDenied"
    assert dump(here.api.store) == before


def test_a_deployer_deploys_to_what_the_key_names(here: Installation) -> None:
    key = here.key(Policy.DEPLOY, "shop")
    here.api.group(application="other")
    theirs = here.api.deployment(application="other")
    assert here.call(key, "CreateDeployment", **{**NAMED, "applicationName": "other"}, revision=S3) == "AccessDenied"
    assert here.call(key, "StopDeployment", deploymentId=theirs) == "AccessDenied"
    assert here.call(key, "GetDeployment", deploymentId=theirs) == "OK"
    assert here.call(key, "RegisterApplicationRevision", applicationName="shop", revision=S3) == "OK"
    assert here.call(key, "CreateDeployment", **NAMED, revision=S3) == "OK"
    (mine,) = here.api("ListDeployments", **NAMED)["deployments"]
    assert here.call(key, "StopDeployment", deploymentId=mine) == "OK"
    current = {"applicationName": "shop", "currentDeploymentGroupName": "web"}
    assert here.call(key, "UpdateDeploymentGroup", **current) == "AccessDenied"
    assert here.call(key, "DeleteDeploymentGroup", **NAMED) == "AccessDenied"
    assert here.call(key, "DeleteApplication", applicationName="shop") == "AccessDenied"


def test_a_deployment_that_is_not_there_is_named_as_such(here: Installation) -> None:
    key = here.key(Policy.DEPLOY, "shop")
    assert here.call(key, "StopDeployment", deploymentId="d-NOTTHERE0") == "DeploymentDoesNotExist"
    assert here.call(key, "StopDeployment", deploymentId="1") == "InvalidDeploymentId"
    assert here.call(key, "ContinueDeployment") == "DeploymentIdRequired"


def test_a_key_holds_names_and_not_what_had_them(here: Installation) -> None:
    """As an AWS policy does: who renames an application, an administrator, takes it from the keys of the old name."""
    key = here.key(Policy.DEPLOY, "shop")
    deployment_id = here.api.deployment()
    here.api("UpdateApplication", applicationName="shop", newApplicationName="store")
    renamed = {**NAMED, "applicationName": "store"}
    assert here.call(key, "CreateDeployment", **renamed, revision=S3) == "AccessDenied"
    assert here.call(key, "StopDeployment", deploymentId=deployment_id) == "AccessDenied"
    assert here.call(key, "CreateDeployment", **NAMED, revision=S3) == "ApplicationDoesNotExist"
    here.api.group()
    assert here.call(key, "CreateDeployment", **NAMED, revision=S3) == "OK"


def test_every_outcome_is_written_down_without_secret_and_body(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, reader = here.key(), here.key(Policy.READ_ONLY)
    given = {**NAMED, "revision": S3, "description": DESCRIPTION}
    long = "d-" + "x" * 500

    def outcomes() -> Iterator[tuple[str, str | None, str | None]]:
        yield here.call(key, "CreateDeployment", **given), "OK", "administrator"
        yield here.call(key, "CreateDeployment", **given), "DeploymentLimitExceeded", "administrator"
        yield here.call(reader, "CreateDeployment", **given), "AccessDenied", "read-only"
        yield here.call(key, "CreateDeployment", secret="another", **given), "InvalidSignature", None
        yield here.call(key, "CreateDeployment", description=DESCRIPTION), "ApplicationNameRequired", "administrator"
        yield here.call(key, "GetDeployment", deploymentId=long), "InvalidDeploymentId", "administrator"
        with monkeypatch.context() as patch:
            patch.setattr(here.api.store, "active_count", raising(WorldError("redis://:secret@x is away")))
            yield here.call(key, "CreateDeployment", **given), "ServiceUnavailable", "administrator"
            patch.setattr(here.api.store, "active_count", raising(KeyError("a secret")))
            yield here.call(key, "CreateDeployment", **given), "InternalFailure", "administrator"

    for number, (ended, expected, policy) in enumerate(outcomes(), 1):
        assert ended == expected
        assert len(here.texts) == number
        line = here.last()
        assert line.keys() == {
            *("at", "requestId", "accessKeyId", "policy", "operation", "application", "group", "deployment"),
            *("outcome", "status", "seconds", "protocol"),
        }
        assert line["outcome"].removesuffix("Exception") == expected
        assert line["policy"] == policy
        assert line["accessKeyId"] in {key.access_key_id, reader.access_key_id}
        assert (line["at"], line["requestId"], line["protocol"]) == (5.0, "request-1", "json-1.1")
    told = "\n".join(here.texts)
    for hidden in (DESCRIPTION, "secret", "x" * 200, *(secret_of(INSTALLATION, each) for each in (key, reader))):
        assert hidden not in told
    assert max(map(len, here.texts)) < 1000


def raising(error: Exception) -> Any:
    def fails() -> int:
        raise error

    return fails


def test_the_store_holds_no_secret(here: Installation) -> None:
    keys = [here.key(), here.key(Policy.READ_ONLY), here.key(Policy.DEPLOY, "shop")]
    for key in keys:
        assert here.call(key, "ListApplications") == "OK"
    held = dump(here.api.store)
    for key in keys:
        assert key.access_key_id in held
        assert secret_of(INSTALLATION, key) not in held
        assert INSTALLATION.decode() not in held


def test_keys_are_listed_page_after_page(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    made = [create_key(store, policy=Policy.READ_ONLY, description=f"{n}", now=1.0).access_key_id for n in range(7)]
    monkeypatch.setattr("workers.access.PAGE", 3)
    assert [key.access_key_id for key in list_keys(store)] == sorted(made)
    with pytest.raises(AccessKeyDoesNotExist, match="slipway keys list"):
        revoke_key(store, "SLIPNOTTHERE", now=1.0)


def test_an_audit_file_takes_one_object_a_line_and_may_be_moved_away(
    here: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging.getLogger("slipway.audit")
    monkeypatch.setattr(log, "handlers", [])
    monkeypatch.setattr(log, "propagate", True)
    file = tmp_path / "logs" / "audit.log"
    start_audit(file)
    key = here.key()
    here.call(key, "ListApplications")
    file.rename(tmp_path / "old.log")
    here.call(key, "ListApplications")
    for each in (tmp_path / "old.log", file):
        (line,) = each.read_text().splitlines()
        assert json.loads(line)["operation"] == "ListApplications"
    for handler in log.handlers:
        handler.close()


def settings(**api: Any) -> Settings:
    return Settings.model_validate(
        {"broker": {"url": "redis://127.0.0.1:1"}, "store": {"url": "redis://127.0.0.1:1"}, "api": api}
    )


def test_an_open_door_is_shouted_about(caplog: pytest.LogCaptureFixture) -> None:
    make_api(settings(key="k", authenticate=False))
    (warning,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert "TAKES EVERY CALL" in warning.getMessage()
    assert "SLIPWAY_API__AUTHENTICATE" in warning.getMessage()
    caplog.clear()
    make_api(settings(key="k"))
    assert caplog.records == []


def test_without_a_key_there_is_no_door() -> None:
    with pytest.raises(InvalidSettings, match="SLIPWAY_API__KEY"):
        make_api(settings())
