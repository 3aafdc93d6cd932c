"""A bundle, a host's root and a group's records in one folder, and ways to see and to disturb what Install does."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from adapters.host.installer import HostDisk
from domain.appspec import AppSpec, FileExistsBehavior, FileMapping, Permission
from domain.install import InstallSummary
from domain.keeping import Keeping
from tasks import installing

Tree = Mapping[str, str | bytes | None]
"""Paths and what lies there: `-> target` for a link, None for a directory, else the content of a file."""


def lay(folder: Path, tree: Tree) -> None:
    """Put a tree into a folder; every file gets the same old time, as reproducible builds do."""
    for path, content in tree.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            place.mkdir(exist_ok=True)
        elif isinstance(content, str) and content.startswith("-> "):
            place.symlink_to(content[3:])
        else:
            place.write_bytes(content.encode() if isinstance(content, str) else content)
            os.utime(place, (1e9, 1e9))


def seen(folder: Path) -> dict[str, tuple[Any, ...]]:
    """All that can be seen of a tree: kinds, modes, owners, contents, times of files."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(folder))
        rights = (stat.filemode(status.st_mode), status.st_uid, status.st_gid)
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            found[name] = rights
        else:
            found[name] = (*rights, path.read_bytes(), status.st_mtime_ns)
    return found


class Site:
    """One host and one group."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root, self.state = folder, folder / "root", folder / "state"
        self.disk = HostDisk()
        self.spec = AppSpec(files=(FileMapping(source="/", destination="/srv/app"),))
        self.root.mkdir(parents=True)

    def bundle(self, name: str, tree: Tree) -> Path:
        """A new bundle."""
        place = self.folder / name
        place.mkdir()
        lay(place, tree)
        return place

    def with_permissions(self, *permissions: Permission) -> None:
        """Use these permissions from now on."""
        self.spec = self.spec.model_copy(update={"permissions": permissions})

    def with_files(self, *files: tuple[str, str]) -> None:
        """Use these entries of `files` from now on."""
        mappings = tuple(FileMapping(source=source, destination=destination) for source, destination in files)
        self.spec = self.spec.model_copy(update={"files": mappings})

    def install(
        self,
        bundle: Path,
        behavior: str = "DISALLOW",
        *,
        allow_outside_sources: bool = False,
        keeping: Keeping | None = None,
    ) -> InstallSummary:
        """Install a bundle."""
        return installing.install(
            bundle,
            self.spec,
            disk=self.disk,
            state=self.state,
            root=self.root,
            behavior=FileExistsBehavior(behavior),
            allow_outside_sources=allow_outside_sources,
            keeping=keeping,
        )

    def commit(self) -> None:
        """The deployment is over."""
        installing.commit(self.state, disk=self.disk)

    def scripts_ran(self) -> None:
        """Scripts of the deployment have run since its Install."""
        installing.own(self.state, self.root, disk=self.disk)

    def undo(self) -> tuple[str, ...]:
        """Put the previous revision back."""
        return installing.undo(self.state, self.root, disk=self.disk)

    def describe(self) -> str:
        """What is on disk."""
        return installing.describe_state(self.state, self.root, disk=self.disk)

    def seen(self) -> dict[str, tuple[Any, ...]]:
        """The host's tree."""
        return seen(self.root)


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


_TOUCHING = ("mkdir", "rmdir", "unlink", "rename", "symlink", "chmod", "fchmod", "fchown", "chown", "utime", "write")


class Interference:
    """Counts the calls that change the disk, and makes one of them fail, or be the last of the process."""

    def __init__(self, at: int | None = None, error: BaseException | None = None) -> None:
        self.at, self.error, self.calls = at, error, 0

    def meets(self) -> None:
        """Count one call."""
        self.calls += 1
        if self.error is not None and self.at == self.calls:
            raise self.error

    def _wrapped(self, real: Any, *, half: bool = False) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            if half and self.at == self.calls + 1:
                real(*given[:2], max(1, given[2] // 2))  # Cut off in the middle of a copy.
            self.meets()
            return real(*given, **named)

        return call

    def _opening(self, real: Any) -> Any:
        def call(path: Any, flags: int, *given: Any, **named: Any) -> int:
            if flags & os.O_CREAT:
                self.meets()
            return real(path, flags, *given, **named)  # type: ignore[no-any-return]

        return call

    @contextlib.contextmanager
    def at_work(self) -> Iterator[Interference]:
        """Stand between Install and the disk."""
        real = {name: getattr(os, name) for name in (*_TOUCHING, "open", "copy_file_range")}
        for name in _TOUCHING:
            setattr(os, name, self._wrapped(real[name]))
        os.copy_file_range = self._wrapped(real["copy_file_range"], half=True)
        os.open = self._opening(real["open"])
        try:
            yield self
        finally:
            for name, function in real.items():
                setattr(os, name, function)
