"""The API's server with stub operations behind it, and a client that speaks both protocols in the same process."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from api.server import CallRecord, api_app
from api.wire.model import OPERATIONS
from api.wire.values import Limits, SignedRequest
from domain.errors import CallerError

NOW = 1_790_000_000.0


class Stranger(CallerError):
    """Nobody knows this caller."""

    code = "UnrecognizedClientException"


class Denied(CallerError):
    """The caller may not do this."""

    code = "AccessDeniedException"


@dataclass
class Site:
    """What stands around the operations, and what it heard."""

    records: list[CallRecord[str]] = field(default_factory=list)
    authorized: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    broken_audit: Exception | None = None
    not_ready: Exception | None = None
    limits: Limits = field(default_factory=Limits)

    def app(self, **operations: Callable[[str, Mapping[str, Any]], Mapping[str, Any] | None]) -> Starlette:
        """The server; operations that are not named answer nothing."""
        ids = itertools.count(1)
        return api_app(
            {**dict.fromkeys(OPERATIONS, _nothing), **operations},
            authenticate=_authenticate,
            authorize=self._authorize,
            audit=self._audit,
            ready=self._ready,
            metrics=lambda: b"",
            now=lambda: NOW,
            request_id=lambda: f"request-{next(ids)}",
            limits=self.limits,
        )

    def _authorize(self, caller: str, operation: str, given: Mapping[str, Any]) -> None:
        self.authorized.append((caller, operation, given))
        if given.get("applicationName") == "forbidden":
            raise Denied

    def _audit(self, record: CallRecord[str]) -> None:
        self.records.append(record)
        if self.broken_audit:
            raise self.broken_audit

    def _ready(self) -> None:
        if self.not_ready:
            raise self.not_ready


def _nothing(_caller: str, _given: Mapping[str, Any]) -> None:
    return None


def _authenticate(request: SignedRequest) -> str:
    caller = request.headers.get("authorization")
    if not caller:
        raise Stranger
    return caller


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(
    app: Starlette,
    path: str,
    headers: Mapping[str, str],
    body: Iterable[bytes | None] = (),
    *,
    method: str = "POST",
    end: bool = True,
) -> Answer:
    """One request in pieces. None is a client that goes away; without an end, it stays and says nothing more."""
    messages: list[Message] = [
        {"type": "http.disconnect"} if each is None else {"type": "http.request", "body": each, "more_body": True}
        for each in body
    ]
    if end:
        messages.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Message] = []

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(_called(app, _scope(method, path, headers), receive, send))
    return Answer(
        sent[0]["status"],
        {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]},
        b"".join(each.get("body", b"") for each in sent[1:]),
    )


async def _called(app: Starlette, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def _scope(method: str, path: str, headers: Mapping[str, str]) -> Scope:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "server": ("127.0.0.1", 80),
        "scheme": "http",
        "http_version": "1.1",
    }


@dataclass(frozen=True)
class Client:
    """Calls operations in one of the protocols."""

    app: Starlette
    cbor: bool = False

    def call(self, operation: str, given: object) -> tuple[int, Any]:
        """Status and content of the answer."""
        return self.read(self.send(operation, self.written(given)))

    def send(self, operation: str, *body: bytes, **headers: str) -> Answer:
        """The answer to any bytes, which may come in pieces."""
        mine = {**(SMITHY if self.cbor else target(operation)), "authorization": "someone", **headers}
        mine["content-length"] = str(sum(map(len, body)))
        return ask(self.app, operation_path(operation) if self.cbor else "/", mine, body)

    def written(self, given: object) -> bytes:
        return cbor2.dumps(given) if self.cbor else json.dumps(given).encode()

    def read(self, answer: Answer) -> tuple[int, Any]:
        if not answer.body:
            return answer.status, None
        return answer.status, cbor2.loads(answer.body) if self.cbor else json.loads(answer.body)


SMITHY = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}


def target(operation: str) -> dict[str, str]:
    """Headers of a JSON request."""
    return {"x-amz-target": f"CodeDeploy_20141006.{operation}", "content-type": "application/x-amz-json-1.1"}


def operation_path(operation: str) -> str:
    """The path of a CBOR request."""
    return f"/service/CodeDeploy_20141006/operation/{operation}"
