"""Bundles that lie on the host already."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from adapters.revisions.checking import check_hash, check_size, hash_file
from domain.bundles import BundleLimits
from domain.errors import BundleError


def fetch_local(path: str | Path, to: Path, *, sha256: str | None = None, limits: BundleLimits | None = None) -> Path:
    """Give a file of this host the name `to`, without copying it where a link will do; answers `to`.

    Raises BundleError if it is no file, too big, or not the one that is expected.
    """
    source = Path(path)
    if not source.is_file():
        raise BundleError(f"there is no file {source} on this host: local bundles must be on every host they go to")
    check_size(str(source), source.stat().st_size, limits or BundleLimits())
    if sha256 is not None:
        check_hash(str(source), hash_file(source), sha256)
    try:
        return _link(source.resolve(), to)
    except OSError as error:
        raise BundleError(f"cannot take {source} to {to}: {error.strerror or error}") from error


def _link(source: Path, to: Path) -> Path:
    to.unlink(missing_ok=True)
    for link in (to.hardlink_to, to.symlink_to):
        with suppress(OSError):
            link(source)
            return to
    shutil.copyfile(source, to)
    return to
