"""The two protocols on one port, and which of them and which operation a request asks for. Knows no shapes and looks
at no body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from api.wire import cbor, json11
from api.wire.errors import WireError, unknown_operation
from api.wire.model import NAMESPACE, OPERATIONS, TARGET_PREFIX
from api.wire.values import Limits


@dataclass(frozen=True)
class Protocol:
    """How a request and its answer are written."""

    name: str
    media_type: str
    headers: Mapping[str, str]
    """What every answer says beside its Content-Type."""
    error_prefix: str
    """Stands before an error's name in a body."""
    decode: Callable[[bytes, Limits], object]
    encode: Callable[[object], bytes]


JSON: Final = Protocol(
    name="json-1.1",
    media_type="application/x-amz-json-1.1",
    headers={},
    error_prefix="",
    decode=json11.decode,
    encode=json11.encode,
)
CBOR: Final = Protocol(
    name="rpc-v2-cbor",
    media_type="application/cbor",
    headers={"smithy-protocol": "rpc-v2-cbor"},
    error_prefix=f"{NAMESPACE}#",
    decode=cbor.decode,
    encode=cbor.encode,
)

# No percent signs: a path that reads in two ways would be signed in one and called in the other.
_OPERATION_PATH = re.compile(
    r"(?:/[A-Za-z0-9._~-]+)*/service/(?P<prefix>[A-Za-z0-9_.]+)/operation/(?P<name>[A-Za-z0-9_]+)"
)


def protocol_of(path: str) -> Protocol:
    """The protocol that a request to this path is answered in, whatever else is wrong with it."""
    return CBOR if _OPERATION_PATH.fullmatch(path) else JSON


def operation_of(protocol: Protocol, path: str, headers: Mapping[str, str]) -> str:
    """The operation that is asked for; raises WireError. Header names are lower-case."""
    name = _named_by_path(path, headers) if protocol is CBOR else _named_by_target(path, headers)
    if name not in OPERATIONS:
        raise unknown_operation()
    _check_media_type(protocol, headers)
    return name


def _named_by_path(path: str, headers: Mapping[str, str]) -> str:
    match = _OPERATION_PATH.fullmatch(path)
    if not match or match["prefix"] != TARGET_PREFIX:
        raise unknown_operation("The service is not this one.")
    if headers.get("smithy-protocol", "").strip() != "rpc-v2-cbor":
        raise unknown_operation("The header smithy-protocol must be rpc-v2-cbor.")
    return match["name"]


def _named_by_target(path: str, headers: Mapping[str, str]) -> str:
    if path != "/":
        raise unknown_operation("There is nothing at this path.", status=404)
    prefix, _, name = headers.get("x-amz-target", "").strip().partition(".")
    if prefix != TARGET_PREFIX:
        raise unknown_operation(
            f"The header X-Amz-Target must be {TARGET_PREFIX} and an operation, with a dot between."
        )
    return name


def _check_media_type(protocol: Protocol, headers: Mapping[str, str]) -> None:
    given = headers.get("content-type", "").partition(";")[0].strip().lower()
    if given == protocol.media_type or (not given and not _has_body(headers)):
        return
    raise WireError("UnsupportedMediaTypeException", f"The Content-Type must be {protocol.media_type}.", status=415)


def _has_body(headers: Mapping[str, str]) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip() != "0"
