"""JSON 1.1 of AWS: bytes to plain values and back. Knows no shapes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NoReturn

from api.wire.errors import WireError, unreadable
from api.wire.plain import check_plain
from api.wire.values import Limits


def decode(body: bytes, limits: Limits) -> object:
    """The value in a body; raises WireError. No body at all is an empty object."""
    value = _parsed(body) if body else {}
    check_plain(value, limits.depth)
    return value


def encode(value: object) -> bytes:
    """A body that holds the value. Moments are numbers, as every SDK reads them."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_members)
    except WireError:
        raise
    except json.JSONDecodeError as error:
        raise unreadable(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise unreadable("the body is nested too deeply") from None
    except ValueError:  # not UTF-8, or a number of thousands of digits
        raise unreadable("the body is not readable JSON") from None


def _members(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    # Whoever looked at the request on its way may have seen the other one.
    if len(members) != len(pairs):
        raise unreadable("an object has two members of one name")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise unreadable(f"{name} is no JSON value")
