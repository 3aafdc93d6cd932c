"""The CodeDeploy API over HTTP: one path for every call, from bytes to an answer and a record. Knows the wire and what
it was handed, not what an operation does, where keys are kept or what a record is for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.wire.errors import WireError, unknown_operation
from api.wire.model import OPERATIONS
from api.wire.protocols import JSON, Protocol, operation_of, protocol_of
from api.wire.replies import Refusal, Reply, reply_refusing, reply_with
from api.wire.shapes import read_input
from api.wire.sigv4 import claimed_key
from api.wire.values import Limits, SignedRequest
from domain.errors import CallerError, DeploymentLimitExceeded, WorldError

logger = logging.getLogger(__name__)

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of Prometheus' text format."""

Caller = TypeVar("Caller")
Given = Mapping[str, Any]
Operation = Callable[[Caller, Given], Given | None]
"""Carries out one operation; runs in a thread. It is given what was validated, by the wire's member names."""

_UNAVAILABLE = Refusal(
    "ServiceUnavailableException", "The service cannot reach what it needs; try again in a moment.", 503
)
_TOO_SLOW = 408
_LONGEST_NAME = 100
_BUG = Refusal("InternalFailure", "The service failed; its log knows this request by its id.", 500)


@dataclass(frozen=True)
class CallRecord(Generic[Caller]):
    """What became of one call, for an audit and for metrics: no secret, no body."""

    at: float
    request_id: str
    protocol: str
    operation: str | None
    """None where no operation of the service was asked for."""
    access_key: str | None
    """The id that the request named, also where the signature was refused."""
    caller: Caller | None
    application: str | None
    group: str | None
    deployment: str | None
    code: str
    """`OK`, or the name of the error."""
    status: int
    seconds: float


@dataclass(frozen=True)
class Doors(Generic[Caller]):
    """What stands between a request and an operation, and what is told afterwards. All of it runs in a thread."""

    authenticate: Callable[[SignedRequest], Caller]
    """Raises CallerError for whom nobody knows."""
    authorize: Callable[[Caller, str, Given], None]
    """Raises CallerError for what the caller may not do."""
    audit: Callable[[CallRecord[Caller]], None]
    """Hears of every call exactly once."""


def api_app(
    operations: Mapping[str, Operation[Caller]],
    *,
    authenticate: Callable[[SignedRequest], Caller],
    authorize: Callable[[Caller, str, Given], None],
    audit: Callable[[CallRecord[Caller]], None],
    ready: Callable[[], None],
    metrics: Callable[[], bytes],
    now: Callable[[], float],
    request_id: Callable[[], str],
    limits: Limits | None = None,
) -> Starlette:
    """Both protocols on `POST /` and `POST …/service/{prefix}/operation/{Op}`; `/healthz`, and `/readyz`, which answers
    503 when `ready` raises WorldError; `/metrics`, in Prometheus' text format."""
    if strangers := operations.keys() - OPERATIONS:
        raise ValueError(f"the service has no operation {', '.join(sorted(strangers))}")
    doors = Doors(authenticate, authorize, audit)
    site = _Site(operations, doors, now=now, request_id=request_id, limits=limits or Limits())

    async def readyz(_request: Request) -> Response:
        return await run_in_threadpool(_readiness, ready)

    async def measured(_request: Request) -> Response:
        return Response(await run_in_threadpool(metrics), headers={"content-type": METRICS_TYPE})

    return Starlette(
        routes=[
            Route("/healthz", _healthz, methods=["GET"]),
            Route("/readyz", readyz, methods=["GET"]),
            Route("/metrics", measured, methods=["GET"]),
            Route("/{path:path}", site.call, methods=["POST"]),
        ],
        exception_handlers={HTTPException: site.refuse_http, Exception: site.refuse_bug},
    )


@dataclass
class _Call(Generic[Caller]):
    """What a call has become so far."""

    id: str
    at: float
    began: float
    protocol: Protocol = JSON
    operation: str = ""
    access_key: str | None = None
    caller: Caller | None = None
    given: Given = field(default_factory=dict)


class _Site(Generic[Caller]):
    def __init__(
        self,
        operations: Mapping[str, Operation[Caller]],
        doors: Doors[Caller],
        *,
        now: Callable[[], float],
        request_id: Callable[[], str],
        limits: Limits,
    ) -> None:
        self._operations, self._doors, self._limits = operations, doors, limits
        self._now, self._request_id = now, request_id

    async def call(self, request: Request) -> Response:
        """One call, whatever becomes of it."""
        call: _Call[Caller] = _Call(self._request_id(), self._now(), time.monotonic())
        taken = await self._take_in(call, request)
        # One hop to a thread for all the rest: keys, operations and the audit may wait for the store.
        return await run_in_threadpool(self._answer, call, taken)

    async def refuse_http(self, _request: Request, problem: Exception) -> Response:
        """What is no call at all: another method, mostly."""
        status = problem.status_code if isinstance(problem, HTTPException) else 404
        error = unknown_operation("Calls are POST requests.", status=status)
        return _response(reply_refusing(JSON, _refusal(error), self._request_id()))

    async def refuse_bug(self, _request: Request, _problem: Exception) -> Response:
        """What went wrong outside any call; Starlette has it logged."""
        return _response(reply_refusing(JSON, _BUG, self._request_id()))

    async def _take_in(self, call: _Call[Caller], request: Request) -> SignedRequest | WireError:
        """Find out what is asked for, then read the body."""
        path, headers = _path_of(request), _headers_of(request)
        call.protocol, call.access_key = protocol_of(path), claimed_key(headers)
        try:
            call.operation = self._known(operation_of(call.protocol, path, headers))
            body = await _body_of(request, self._limits)
        except WireError as error:
            return error
        return SignedRequest(request.method, path, request.url.query, headers, body)

    def _known(self, operation: str) -> str:
        if operation not in self._operations:
            raise unknown_operation("The operation is not served here.")
        return operation

    def _answer(self, call: _Call[Caller], taken: SignedRequest | WireError) -> Response:
        try:
            if isinstance(taken, WireError):
                raise taken
            reply, code = self._carry_out(call, taken), "OK"
        except Exception as error:
            refusal = _refusal(error)
            _log(error, call)
            reply, code = reply_refusing(call.protocol, refusal, call.id), refusal.code
        self._record(call, code, reply.status)
        # Who was too slow once may not have the connection for a second try.
        return _response(reply, last=reply.status == _TOO_SLOW)

    def _carry_out(self, call: _Call[Caller], signed: SignedRequest) -> Reply:
        caller = call.caller = self._doors.authenticate(signed)
        value = call.protocol.decode(signed.body, self._limits)
        call.given = read_input(call.operation, value, self._limits)
        self._doors.authorize(caller, call.operation, call.given)
        output = self._operations[call.operation](caller, call.given)
        return reply_with(call.protocol, call.operation, output, call.id)

    def _record(self, call: _Call[Caller], code: str, status: int) -> None:
        given = call.given
        record = CallRecord(
            at=call.at,
            request_id=call.id,
            protocol=call.protocol.name,
            operation=call.operation or None,
            access_key=call.access_key,
            caller=call.caller,
            application=_name(given.get("applicationName")),
            group=_name(given.get("deploymentGroupName") or given.get("currentDeploymentGroupName")),
            deployment=_name(given.get("deploymentId")),
            code=code,
            status=status,
            seconds=time.monotonic() - call.began,
        )
        try:
            self._doors.audit(record)
        except Exception:
            # The call has had its effect; an answer that says otherwise would be sent again.
            logger.exception("call %s ended with %s and could not be recorded", call.id, code)


def _name(text: str | None) -> str | None:
    """What may stand in a record: whatever is longer than any name is no name, and may be anything."""
    return text if text is None or len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"


def _refusal(error: Exception) -> Refusal:
    match error:
        case WireError():
            return Refusal(error.code, error.message, error.status)
        case DeploymentLimitExceeded(running=str(running)):
            return Refusal(error.code, error.message, extra={"runningDeploymentId": running})
        case CallerError():
            return Refusal(error.code, error.message)
        case WorldError():
            return _UNAVAILABLE
        case _:
            return _BUG


def _log(error: Exception, call: _Call[Any]) -> None:
    match error:
        case CallerError():
            logger.debug("call %s: %s was refused with %s", call.id, call.operation, error.code)
        case WorldError():
            logger.warning("call %s: %s could not be carried out: %s", call.id, call.operation, error.message)
        case _:
            logger.error("call %s: %s failed", call.id, call.operation, exc_info=error)


def _response(reply: Reply, *, last: bool = False) -> Response:
    return Response(reply.body, reply.status, {**reply.headers, **({"connection": "close"} if last else {})})


def _path_of(request: Request) -> str:
    """The path as it was signed, before anyone unquoted it."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


def _headers_of(request: Request) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


async def _body_of(request: Request, limits: Limits) -> bytes:
    """The whole body; raises WireError where it is too large, too slow or cut off."""
    declared = request.headers.get("content-length", "")
    _check_size(int(declared) if declared.isdecimal() and len(declared) < 20 else 0, limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for data in request.stream():
                _check_size(len(body) + len(data), limits)
                body += data
    except TimeoutError:
        raise WireError("RequestTimeoutException", "The body did not come in time.", status=_TOO_SLOW) from None
    except ClientDisconnect:
        raise WireError("RequestCutOffException", "The request stopped before its end.") from None
    return bytes(body)


def _check_size(size: int, limits: Limits) -> None:
    if size > limits.body_bytes:
        text = f"A request may have at most {limits.body_bytes} bytes."
        raise WireError("RequestEntityTooLarge", text, status=413)


async def _healthz(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _readiness(ready: Callable[[], None]) -> Response:
    try:
        ready()
    except WorldError as error:
        logger.warning("not ready: %s", error.message)
        return JSONResponse({"status": "unavailable"}, status_code=503)
    return JSONResponse({"status": "ready"})
