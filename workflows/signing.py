"""Links to bundles that end after a while: signed with HMAC-SHA-256 over the path and its last second.

Source: RFC 2104 for HMAC. The time comes in as an argument.
"""

from __future__ import annotations

import hashlib
import hmac


def sign_path(path: str, *, key: bytes, expires: int) -> str:
    """The path with a query that lets it be fetched until `expires` (epoch seconds)."""
    return f"{path}?expires={expires}&signature={_signature(path, key, expires)}"


def check_path(path: str, *, key: bytes, expires: str, signature: str, now: float) -> bool:
    """Whether the query lets the path be fetched now."""
    try:
        last = int(expires)
    except ValueError:
        return False
    return now <= last and hmac.compare_digest(_signature(path, key, last).encode(), signature.encode())


def _signature(path: str, key: bytes, expires: int) -> str:
    return hmac.new(key, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()
