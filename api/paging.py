"""Paging tokens: opaque, signed, and good only for the call that gave them out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from domain.api_errors import InvalidNextToken

PAGE = 100
"""Items of one answer; AWS names no number."""
_TAG_BYTES = 16
_TOKEN_MEMBERS = ("nextToken", "NextToken")


def seal(key: bytes, operation: str, given: Mapping[str, Any], cursor: object) -> str:
    """A token with which the same call goes on from `cursor` (JSON values)."""
    content = json.dumps(cursor, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_tag(key, operation, given, content) + content).decode()


def unseal(key: bytes, operation: str, given: Mapping[str, Any]) -> Any:
    """The cursor that the call is to go on from, None at its beginning; raises InvalidNextToken."""
    token = next((given[member] for member in _TOKEN_MEMBERS if given.get(member)), None)
    if token is None:
        return None
    try:
        sealed = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidNextToken from None
    tag, content = sealed[:_TAG_BYTES], sealed[_TAG_BYTES:]
    # base64 has several spellings of the same bytes; only ours is a token.
    if base64.urlsafe_b64encode(sealed).decode() != token:
        raise InvalidNextToken
    if not hmac.compare_digest(tag, _tag(key, operation, given, content)):
        raise InvalidNextToken
    return json.loads(content)


def _tag(key: bytes, operation: str, given: Mapping[str, Any], content: bytes) -> bytes:
    asked = {name: value for name, value in given.items() if name not in _TOKEN_MEMBERS}
    said = json.dumps([operation, asked], sort_keys=True, separators=(",", ":")).encode()
    return hmac.digest(key, hashlib.sha256(said).digest() + content, "sha256")[:_TAG_BYTES]


def page_of_names(names: Sequence[str]) -> tuple[Sequence[str], str | None]:
    """Of one name more than a page has: the page, and the name to go on after if there is more."""
    page = names[:PAGE]
    return page, page[-1] if len(names) > PAGE else None
