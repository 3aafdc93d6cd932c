"""Links that work for a while: a path and the moment it expires, signed with a key (HMAC-SHA256). Asks no clock."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlencode

from domain.values import Instant

_PURPOSE = b"slipway link 1"
"""Keeps signatures for other ends, made with the same key, from being links."""
EXPIRED = "the link has expired; a new one comes with each deployment"
FORGED = "the link's signature is missing or does not match"


def sign_path(path: str, *, key: bytes, expires: int) -> str:
    """The path with `expires` (epoch seconds) and `signature` as its query. The query is a secret while it lasts."""
    return f"{path}?{urlencode({'expires': expires, 'signature': _signature(path, str(expires), key)})}"


def commit_path(repository: str, commit: str) -> str:
    """Where the bundle server gives out a commit of a GitHub repository, `owner/name`."""
    return f"/revisions/github/{repository}/{commit}"


def check_path(path: str, *, key: bytes, expires: str, signature: str, now: Instant) -> str | None:
    """None if the link is good at `now`, else why not. `expires` and `signature` are as they stand in the query."""
    wanted = _signature(path, expires, key)
    if not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace")):
        return FORGED
    return EXPIRED if now >= int(expires) else None


def _signature(path: str, expires: str, key: bytes) -> str:
    if not key:
        raise ValueError("links cannot be signed with an empty key")
    text = b"\n".join((_PURPOSE, path.encode("utf-8", "replace"), expires.encode("utf-8", "replace")))
    return hmac.new(key, text, hashlib.sha256).hexdigest()
