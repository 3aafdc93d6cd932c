"""Turns a bundle into the unpacked revision, whole or not at all. Bundles are taken to be hostile; directories that lie
on the host are only copied.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from adapters.host.copying import Copier
from adapters.host.growing import GrowingTree, Stamp, put_stamp, refused
from adapters.host.staging import put_in_place, staged
from adapters.host.untar import untar
from adapters.host.unzip import unzip
from domain.bundles import BundleLimits, BundleType, UnpackSummary
from domain.errors import BundleError

OWN_FOLDER = ".slipway"
"""Slipway's own files in the root of a directory; no part of a revision."""


def unpack(
    bundle: Path, kind: BundleType, into: Path, limits: BundleLimits, *, subfolder: str | None = None
) -> UnpackSummary:
    """Make `into` the contents of an archive; its parent must be there. What was there goes, but only on success.

    If the root holds one directory only, with something like an AppSpec in it, that directory is the root. A subfolder
    is the root instead, also below that one directory; nothing outside of it is kept. Raises BundleError, which names
    the member where there is one; nothing is left behind then.

    Source: aws-codedeploy-agent, command_executor.rb (`unpack_bundle`), for the leading directory, modes and owners.
    """
    try:
        size = _size_of(bundle, limits)
        with staged(into) as work:
            root = work / "tree"
            root.mkdir()
            tree = GrowingTree(str(root), limits, bundle_bytes=size)
            if kind is BundleType.ZIP:
                unzip(bundle, tree, max_files=limits.max_files)
            elif kind is BundleType.DIRECTORY:
                raise BundleError(f"{bundle} is to be unpacked as a directory: say tar, tgz or zip")
            else:
                untar(bundle, kind, tree)
            place, summary, stamp = tree.finish(subfolder)
            put_in_place(place, into, work)
            put_stamp(str(into), stamp)
            return summary
    except OSError as error:
        raise BundleError(f"cannot unpack {bundle} to {into}: {_cause(error)}") from error


def copy_directory(source: Path, into: Path, limits: BundleLimits) -> UnpackSummary:
    """Make `into` a copy of a directory on this host, without its `.slipway`; whole or not at all, as often as wanted.

    Links are copied as they are, wherever they lead: whoever wrote them has the host already. Raises BundleError.
    """
    try:
        _refuse_nesting(source, into)
        with staged(into) as work:
            root = work / "tree"
            root.mkdir()
            summary = _Copying(str(source), str(root), limits).run()
            put_in_place(str(root), into, work)
            _copy_stamp(str(source), str(into))
            return summary
    except OSError as error:
        raise BundleError(f"cannot copy {source} to {into}: {_cause(error)}") from error


def _size_of(bundle: Path, limits: BundleLimits) -> int:
    status = bundle.stat()
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"the bundle {bundle} is no file")
    if status.st_size > limits.max_bytes:
        raise BundleError(
            f"the bundle {bundle} has {status.st_size} bytes; the limit max_bytes allows {limits.max_bytes}"
        )
    return status.st_size


def _refuse_nesting(source: Path, into: Path) -> None:
    if not source.is_dir():
        raise BundleError(f"there is no directory {source}: it must be on the host itself")
    inside = os.path.relpath(into.parent.resolve(), source.resolve())
    if inside.split("/")[0] not in {"..", OWN_FOLDER}:
        raise BundleError(f"the directory {source} holds {into.parent}, where its copy is to go: keep them apart")


class _Copying:
    def __init__(self, source: str, root: str, limits: BundleLimits) -> None:
        self._source, self._root, self._limits = source, root, limits
        self._copier = Copier()
        self._entries = self._files = self._bytes = 0

    def run(self) -> UnpackSummary:
        directories = []
        for path, item in self._items():
            target = f"{self._root}/{path}"
            if item.is_symlink():
                os.symlink(os.readlink(item.path), target)
            elif item.is_dir():
                os.mkdir(target, 0o700)
                directories.append((item.path, target))
            else:
                self._copier.copy(item.path, target)
        for origin, target in reversed(directories):
            _copy_stamp(origin, target)
        return UnpackSummary(files=self._files, bytes=self._bytes)

    def _items(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        waiting = [""]
        while waiting:
            inside = waiting.pop()
            with os.scandir(f"{self._source}/{inside}") as listing:
                for item in listing:
                    path = inside + item.name
                    if path == OWN_FOLDER:
                        continue
                    self._admit(path, item)
                    yield path, item
                    if item.is_dir(follow_symlinks=False):
                        waiting.append(path + "/")

    def _admit(self, path: str, item: os.DirEntry[str]) -> None:
        status = item.stat(follow_symlinks=False)
        self._entries += 1
        self._files += not stat.S_ISDIR(status.st_mode)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            raise refused(path, "is a socket, pipe or device")
        if stat.S_ISREG(status.st_mode):
            self._bytes += status.st_size
        if self._entries > self._limits.max_files:
            raise refused(path, f"is one too many: the limit max_files is {self._limits.max_files}")
        if self._bytes > self._limits.max_unpacked_bytes:
            raise refused(path, f"is too much: the limit max_unpacked_bytes is {self._limits.max_unpacked_bytes}")
        if path.count("/") >= self._limits.max_depth:
            raise refused(path, f"lies too deep; the limit max_depth is {self._limits.max_depth}")


def _copy_stamp(origin: str, target: str) -> None:
    status = os.stat(origin)
    owner = (status.st_uid, status.st_gid) if os.geteuid() == 0 else None
    put_stamp(target, Stamp(stat.S_IMODE(status.st_mode), status.st_mtime, owner))


def _cause(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}"
