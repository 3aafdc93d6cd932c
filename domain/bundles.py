"""Bundles: the kinds a revision can come as, how big and how odd one may be, and how patiently it is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field

from domain.errors import BundleError
from domain.values import Value

_MIB = 1024 * 1024
_GIB = 1024 * _MIB


class BundleType(StrEnum):
    """What a bundle is packed as. `directory` is not packed at all and lies on the host."""

    TAR = "tar"
    TGZ = "tgz"
    ZIP = "zip"
    DIRECTORY = "directory"


ENDINGS: Mapping[str, BundleType] = {
    ".tar": BundleType.TAR,
    ".tar.gz": BundleType.TGZ,
    ".tgz": BundleType.TGZ,
    ".zip": BundleType.ZIP,
}
"""What the end of a file's name says of its kind."""


def bundle_type_of(name: str) -> BundleType:
    """The kind of archive a file name stands for, whatever its case; raises BundleError."""
    for ending, kind in ENDINGS.items():
        if name.lower().endswith(ending):
            return kind
    raise BundleError(f"{name!r} is no bundle by its name: use a directory or a file ending in {', '.join(ENDINGS)}")


class BundleLimits(Value):
    """What a bundle may cost the host; more is refused before it is written."""

    max_bytes: int = Field(4 * _GIB, ge=1)
    """The bundle itself."""
    max_files: int = Field(100_000, ge=1)
    """Files, directories and links in it."""
    max_unpacked_bytes: int = Field(16 * _GIB, ge=1)
    """All its files together, holes included."""
    max_ratio: float = Field(200.0, ge=1)
    """How many times its own size a bundle may unpack to. Honest ones stay below 20."""
    ratio_from_bytes: int = Field(64 * _MIB, ge=0)
    """Up to so many unpacked bytes the ratio does not matter: small files of zeros are no bomb."""
    max_depth: int = Field(100, ge=1)
    """Names in one path."""


class UnpackSummary(Value):
    """What came out of a bundle."""

    files: int
    """Files and links; directories are not counted."""
    bytes: int


class Retries(Value):
    """How patiently something is fetched over the network, times in seconds."""

    attempts: int = Field(5, ge=1)
    first_wait: float = Field(0.5, ge=0)
    longest_wait: float = Field(30.0, ge=0)
    connect_seconds: float = Field(10.0, gt=0)
    read_seconds: float = Field(60.0, gt=0)
    """No byte for so long counts as a broken connection."""
    proxy: str | None = None
    """The URL of a proxy; none otherwise, whatever the environment says."""
    ca_file: str | None = None
    """A file of certificates to trust in place of the usual ones."""

    def pause(self, attempt: int, jitter: float, asked: float = 0.0) -> float:
        """Seconds to wait after the failed `attempt` (from 1): doubled each time, less up to half by `jitter` (0 to 1).

        `asked` is what the server wants (Retry-After); nothing is longer than `longest_wait`.
        """
        doubled = min(self.first_wait * 2.0 ** min(attempt - 1, 30), self.longest_wait)
        return min(max(doubled * (1 - jitter / 2), asked), self.longest_wait)
