"""What a fetched bundle is held against: its SHA-256 and the size allowed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from domain.bundles import BundleLimits
from domain.errors import BundleError


def hash_file(path: Path) -> str:
    """The SHA-256 of a file in 64 lower-case hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_hash(what: str, actual: str, expected: str | None) -> None:
    """Raise BundleError if a SHA-256 is expected and is another; case does not matter."""
    if expected is not None and actual != expected.lower():
        raise BundleError(
            f"the SHA-256 of {what} is {actual}, but {expected} was expected: "
            "it was changed or damaged; upload the revision again"
        )


def check_tag(what: str, actual: str | None, expected: str | None) -> None:
    """Raise BundleError if an eTag is expected and the server gives another or none; quotes do not count."""
    if expected is None or (actual is not None and bare_tag(actual) == bare_tag(expected)):
        return
    found = "the server gives none" if actual is None else f"the server has {bare_tag(actual)}"
    raise BundleError(
        f"the eTag of {what} is to be {bare_tag(expected)}, but {found}: the object was overwritten since the "
        "deployment was made; deploy the revision with its new eTag, or upload the old bytes again"
    )


def bare_tag(tag: str) -> str:
    """An eTag without quotes and without the mark that a proxy may put before it."""
    return tag.strip().removeprefix("W/").strip('"')


def check_size(what: str, size: int, limits: BundleLimits) -> None:
    """Raise BundleError if a bundle is too big."""
    if size > limits.max_bytes:
        raise BundleError(f"{what} has {size} bytes or more; the limit max_bytes allows {limits.max_bytes}")
