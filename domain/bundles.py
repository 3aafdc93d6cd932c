"""Bundles: the kinds there are, and what a host is ready to take."""

from __future__ import annotations

from enum import StrEnum

from domain.errors import InvalidRevision
from domain.values import Value


class BundleType(StrEnum):
    """How a revision is packed."""

    TAR = "tar"
    TGZ = "tgz"
    ZIP = "zip"
    DIRECTORY = "directory"


class BundleLimits(Value):
    """What is the most that a bundle may be."""

    max_bytes: int = 2 * 1024**3
    """Bytes of the bundle itself."""
    max_files: int = 200_000
    max_unpacked_bytes: int = 8 * 1024**3
    max_ratio: float = 200.0
    """Unpacked bytes for each packed one, once more than a megabyte was unpacked."""


def bundle_type_of(name: str) -> BundleType:
    """The kind that a file name tells; raises InvalidRevision."""
    endings = {".zip": BundleType.ZIP, ".tar": BundleType.TAR, ".tgz": BundleType.TGZ, ".tar.gz": BundleType.TGZ}
    for ending, kind in endings.items():
        if name.lower().endswith(ending):
            return kind
    raise InvalidRevision(f"{name} is not a bundle that hosts can unpack: use .zip, .tar, .tgz or .tar.gz")
