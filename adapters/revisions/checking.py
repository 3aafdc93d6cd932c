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


def check_size(what: str, size: int, limits: BundleLimits) -> None:
    """Raise BundleError if a bundle is too big."""
    if size > limits.max_bytes:
        raise BundleError(f"{what} has {size} bytes or more; the limit max_bytes allows {limits.max_bytes}")
