"""CBOR of smithy-rpc-v2: bytes to plain values and back, with tag 1 for moments and no other tag. Knows no shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from io import BytesIO
from typing import Any, NoReturn

import cbor2

from api.wire.errors import WireError, unreadable
from api.wire.plain import check_plain
from api.wire.values import Limits, Moment

_MOMENT_TAG = 1
_TAGS_READ_BY_CBOR2 = (
    *(0, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799),
)
"""Big numbers, regular expressions, shared references, … : what nobody may make us build."""


def decode(body: bytes, limits: Limits) -> object:
    """The value in a body; raises WireError. No body at all is an empty map."""
    value = _parsed(body, limits) if body else {}
    check_plain(value, limits.depth)
    return value


def encode(value: object) -> bytes:
    """A body that holds the value, all lengths definite."""
    return cbor2.dumps(value, encoders={Moment: _write_moment})


def _parsed(body: bytes, limits: Limits) -> object:
    source = BytesIO(body)
    decoder = cbor2.CBORDecoder(
        source,
        max_depth=limits.depth,
        allow_duplicate_keys=False,
        strict_hashable_types=True,
        tag_hook=_refuse_tag,
        semantic_decoders={_MOMENT_TAG: _read_moment, **dict.fromkeys(_TAGS_READ_BY_CBOR2, _refuse_tag)},
        object_hook=_without_undefined,
    )
    try:
        value: object = decoder.decode()
    except cbor2.CBORDecodeError as error:
        raise _refusal(error) from None
    if source.tell() != len(body):
        raise unreadable("the body goes on after its value")
    return value


def _refusal(error: cbor2.CBORDecodeError) -> WireError:
    """What a hook said, or what cbor2 says without the value it met."""
    if isinstance(error.__cause__, WireError):
        return error.__cause__
    return unreadable(f"the body is not CBOR: {str(error).partition(':')[0]}")


def _refuse_tag(_value: object, _immutable: bool) -> NoReturn:
    raise unreadable("the only tag that is read is 1, a timestamp")


def _read_moment(value: Any, _immutable: bool) -> Moment:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise unreadable("a timestamp is not a number of seconds")
    return Moment(value)


def _without_undefined(members: Mapping[Any, Any], _immutable: bool) -> dict[Any, Any]:
    """What is undefined is null, and null is absent."""
    return {name: None if value is cbor2.undefined else value for name, value in members.items()}


def _write_moment(encoder: cbor2.CBOREncoder, moment: Any) -> None:
    seconds = float(moment)
    encoder.encode_semantic(_MOMENT_TAG, int(seconds) if seconds.is_integer() else seconds)
