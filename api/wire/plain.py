"""What a decoded body may hold, whichever protocol it came by: text, numbers, truth values, null, lists and maps."""

from __future__ import annotations

import math

from api.wire.errors import unreadable
from api.wire.values import Moment

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def check_plain(value: object, depth: int) -> None:
    """Refuse what no member of any shape can hold, also where it is in members that nobody reads."""
    match value:
        case None | bool():
            return
        case str():
            _check_text(value)
        case int():
            if not _SMALLEST <= value <= _LARGEST:
                raise unreadable("a number is larger than 64 bits")
        case float() | Moment():
            if not math.isfinite(value):
                raise unreadable("a number is not finite")
        case list() | dict():
            _check_items(value, depth)
        case _:
            raise unreadable(f"no member holds a value of the kind {type(value).__name__}")


def _check_items(value: list[object] | dict[object, object], depth: int) -> None:
    if depth <= 0:
        raise unreadable("the body is nested too deeply")
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise unreadable("the name of a member is not text")
            _check_text(name)
    for item in value.values() if isinstance(value, dict) else value:
        check_plain(item, depth - 1)


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise unreadable("text holds half a character (a lone surrogate)") from None
