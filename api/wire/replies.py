"""Answers as bytes: what an operation gave, or an error, in the protocol of the request. Knows no server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api.wire.protocols import CBOR, Protocol
from api.wire.shapes import shape_output


@dataclass(frozen=True)
class Reply:
    """A response: all but the connection it goes out on."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Refusal:
    """An error in AWS's words, before it is encoded."""

    code: str
    message: str
    status: int = 400
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the body."""


def reply_with(protocol: Protocol, operation: str, output: Mapping[str, Any] | None, request_id: str) -> Reply:
    """The answer of an operation that was carried out."""
    shaped = shape_output(operation, output)
    headers = {**protocol.headers, "x-amzn-RequestId": request_id}
    # Smithy: no output, no body. JSON clients of old parse whatever comes, so they get an object.
    if shaped is None and protocol is CBOR:
        return Reply(200, headers, b"")
    return Reply(200, {**headers, "Content-Type": protocol.media_type}, protocol.encode(shaped or {}))


def reply_refusing(protocol: Protocol, refusal: Refusal, request_id: str) -> Reply:
    """The answer of a call that failed."""
    headers = {
        **protocol.headers,
        "Content-Type": protocol.media_type,
        "x-amzn-RequestId": request_id,
        "x-amzn-ErrorType": refusal.code,
    }
    # A message may quote what was kept before anyone looked at its characters; an error must not fail on it.
    message = refusal.message.encode(errors="replace").decode()
    told = {**refusal.extra, "__type": f"{protocol.error_prefix}{refusal.code}", "message": message}
    return Reply(refusal.status, headers, protocol.encode(told))
