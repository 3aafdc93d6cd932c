"""Paths of a host whose `/` may be a directory of the machine: turns one into the other, and lets nothing get out."""

from __future__ import annotations

import os
import stat
from collections.abc import Container
from pathlib import PurePath

from domain.errors import InstallError
from domain.install import Kind


def kind_of(mode: int) -> Kind:
    """The kind of a file by its `st_mode`."""
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISLNK(mode):
        return Kind.LINK
    return Kind.DIRECTORY if stat.S_ISDIR(mode) else Kind.OTHER


def lstat(path: str) -> os.stat_result | None:
    """The status of a path itself, None where nothing is."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


class Rooted:
    """A host's file tree. `prefix` is what a path of the host is written behind; empty for the machine's own `/`."""

    def __init__(self, root: PurePath) -> None:
        real = os.path.realpath(root)
        self.prefix = "" if real == "/" else real

    def holds(self, path: str) -> bool:
        """Whether a path of the machine, links resolved, is inside."""
        return path == self.prefix or path.startswith(self.prefix + "/")

    def resolve(self, path: str, passing: Container[str] = ()) -> str:
        """A path of the host without links and dots; the part that does not exist is kept as it is.

        Links in `passing` are about to go and count as absent. Raises InstallError for a way out of the root, and for
        `..` below something that is not there.
        """
        here = ""
        for part in path.split("/"):
            if part == "..":
                here = self._above(path, here)
            elif part not in {"", "."}:
                here = self._into(path, f"{here}/{part}", passing)
        return here or "/"

    def _above(self, path: str, here: str) -> str:
        if not here and self.prefix:
            raise InstallError(f"{path} leads out of this host's root with `..`: write it without.")
        if not os.path.lexists(self.prefix + here):
            raise InstallError(f"{path} goes back with `..` from {here}, which does not exist: write it without.")
        return here.rpartition("/")[0]

    def _into(self, path: str, here: str, passing: Container[str]) -> str:
        if here in passing or not os.path.islink(self.prefix + here):
            return here
        real = os.path.realpath(self.prefix + here)
        if not self.holds(real):
            raise InstallError(f"{path} leads out of this host's root through the link {here}: choose another place.")
        return real[len(self.prefix) :].rstrip("/")

    def leads_out(self, path: str) -> bool:
        """Whether links make a path of the host end outside its root."""
        return bool(self.prefix) and not self.holds(os.path.realpath(self.prefix + path))
