"""An installation as values: what was found on the disk, the plan made from it, and the record of what it made.

Paths of the host are absolute, without the root they may be moved under, and spelled as `os.fsdecode` gives them. The
many-times values are named tuples: a plan may hold tens of thousands. Knows no disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import NamedTuple, Protocol, TypeAlias

from domain.values import Value


class Kind(StrEnum):
    """What lies at a path."""

    FILE = "file"
    LINK = "link"
    DIRECTORY = "directory"
    OTHER = "other"
    """A socket, pipe or device."""


class Entry(NamedTuple):
    """Something in the bundle. `path` is relative to the source it was found in; empty for the source directory."""

    path: str
    kind: Kind
    target: str = ""
    """The text of a link."""
    mode: int | None = None
    """Permission bits; looked up for directories, and for files that something of ours lies at already."""
    uid: int = -1
    gid: int = -1


class Tree(NamedTuple):
    """One entry of `files`, looked up. `source` is a path of the machine, `destination` a directory of the host."""

    given: str
    source: str
    destination: str
    entries: tuple[Entry, ...]
    missing: bool = False
    outside: bool = False
    """The source leaves the bundle; it was looked at only if that is allowed."""


class Found(NamedTuple):
    """What lies at a path of the host."""

    kind: Kind
    mode: int = 0
    uid: int = -1
    gid: int = -1
    leads: Kind | None = None
    """What a link leads to; None for one that leads nowhere."""
    outside: bool = False
    """A link to a directory that leaves the host's root."""
    same: bool = False
    """A file with the bytes, or a link with the text, that the bundle has for this place."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Its ACLs as extended attributes: name and value in hexadecimal."""
    children: frozenset[str] = frozenset()
    """The names in a directory of the previous revision."""
    size: int = 0


class Context(NamedTuple):
    """An SELinux context; user and range may be empty."""

    type: str
    user: str = ""
    range: str = ""


class Recorded(NamedTuple):
    """One thing the current installation made on the host."""

    kind: Kind
    path: str
    context: Context | None = None
    """The SELinux rule that was added for it."""


class Stamp(NamedTuple):
    """What tells a file or link from one that others put in its place: its size, and when it was written."""

    size: int
    modified: int
    """In nanoseconds."""


class Changed(StrEnum):
    """When something came to lie at a path that Install did not put there."""

    MEANWHILE = "meanwhile"
    """While the scripts of that deployment ran, or nobody can tell."""
    SINCE = "since"
    """After them."""


class Kept(NamedTuple):
    """A copy of what others had at a path before a deployment of the group replaced it."""

    copy: str
    """Its name among the copies of the group, a number."""
    path: str
    kind: Kind
    size: int
    began: float
    """When the deployment began that replaced it."""
    age: int = 0
    """Installations since the group has left the path."""
    installed: Stamp | None = None
    """What is ours at the path, as Install left it; None if nothing is."""
    latest: Stamp | None = None
    """The same, as the scripts that ran after it left it."""


class Facts(NamedTuple):
    """Everything planning needs to know of bundle and host."""

    archive: str
    trees: tuple[Tree, ...]
    there: Mapping[str, Found] = {}
    """What lies where the revision wants to put something, or the previous one did; absent paths have no entry."""
    record: tuple[Recorded, ...] = ()
    objects: Mapping[str, tuple[str, str]] = {}
    """Each `object` of the permissions with links resolved: only those above it, and all."""
    owners: Mapping[str, int | None] = {}
    groups: Mapping[str, int | None] = {}
    tools: frozenset[str] = frozenset()
    """Those of setfacl, semanage and restorecon that the host has."""
    uid: int = 0
    gids: frozenset[int] = frozenset({0})
    directory_mode: int = 0o755
    """What a directory without a counterpart in the bundle gets."""
    kept: tuple[Kept, ...] = ()
    """Copies that are kept of others' files, oldest first."""
    unfit: Mapping[str, str] = {}
    """Copies that cannot be put back, and why."""
    changed: Mapping[str, Changed] = {}
    """Paths of ours, over copies, where something else lies than Install put there."""
    foreign: frozenset[str] = frozenset()
    """Those on record that are others' by now."""


class RemoveFile(NamedTuple):
    """Take away a file or link of the previous revision."""

    file: str


class RemoveDirectory(NamedTuple):
    """Take away an empty directory of the previous revision; what it was is kept for undo."""

    directory: str
    mode: int
    uid: int
    gid: int
    attributes: tuple[tuple[str, str], ...] = ()


class ForgetContext(NamedTuple):
    """Drop the SELinux rule the previous revision added."""

    file: str
    context: Context


class MakeDirectory(NamedTuple):
    """Make a directory; owner and group are -1 to be left as they come."""

    directory: str
    mode: int
    uid: int = -1
    gid: int = -1


class KeepDirectory(NamedTuple):
    """A directory of the previous revision stays, and is about to get other rights; what it had is kept for undo."""

    directory: str
    mode: int
    uid: int
    gid: int
    attributes: tuple[tuple[str, str], ...] = ()


class CopyFile(NamedTuple):
    """Copy a file with mode and times. With `replaces` something lies there that is put aside first."""

    source: str
    destination: str
    replaces: bool = False


class MakeLink(NamedTuple):
    """Make a symbolic link with the text it has in the bundle."""

    source: str
    destination: str
    target: str
    replaces: bool = False


class KeepCopy(NamedTuple):
    """Keep a copy of a file or link of others that is about to be replaced; it may not have grown since the look."""

    file: str
    copy: str
    size: int


class RestoreCopy(NamedTuple):
    """Give a path back what others had there. With `replaces` a file of ours lies there that is put aside first."""

    file: str
    copy: str
    kind: Kind
    replaces: bool = False


class Rescue(NamedTuple):
    """Keep what lies where others get their file back, at a place in the group's records."""

    file: str
    place: str


class SetMode(NamedTuple):
    """Set the permission bits. With `restore` only put back the set-id bits of `mode` that changing the owner took."""

    file: str
    mode: int
    restore: bool = False


class SetAcl(NamedTuple):
    """Replace the ACL by these entries and what the mode implies."""

    file: str
    entries: tuple[str, ...]


class SetContext(NamedTuple):
    """Add an SELinux rule and apply it."""

    file: str
    context: Context


class SetOwner(NamedTuple):
    """Change owner and group; -1 leaves one alone. The names are those of the AppSpec."""

    file: str
    uid: int
    gid: int
    owner: str = ""
    group: str = ""


Instruction: TypeAlias = (
    RemoveFile
    | RemoveDirectory
    | ForgetContext
    | MakeDirectory
    | KeepDirectory
    | CopyFile
    | MakeLink
    | KeepCopy
    | RestoreCopy
    | Rescue
    | SetMode
    | SetAcl
    | SetContext
    | SetOwner
)

TYPES: Mapping[str, type[Instruction]] = {
    "remove": RemoveFile,
    "rmdir": RemoveDirectory,
    "forget": ForgetContext,
    "mkdir": MakeDirectory,
    "keep": KeepDirectory,
    "copy": CopyFile,
    "link": MakeLink,
    "save": KeepCopy,
    "restore": RestoreCopy,
    "rescue": Rescue,
    "chmod": SetMode,
    "setfacl": SetAcl,
    "semanage": SetContext,
    "chown": SetOwner,
}
"""The word each instruction has in install.json."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an installation does, in order, and what it leaves on record. Steps are counted from 0."""

    archive: str
    instructions: tuple[Instruction, ...]
    record: tuple[Recorded, ...] = ()
    """Directories first, parents before children; then files and links."""
    unchanged: int = 0
    """Files and links of the previous revision that are right as they lie."""
    retained: int = 0
    """Files of others that stay and are not recorded."""
    kept: tuple[Kept, ...] = ()
    """Copies that are kept from then on."""
    left: tuple[str, ...] = ()
    """What should be given back to others and cannot be: the path and why."""


class InstallSummary(Value):
    """What an installation did: numbers of files, links and directories, and bytes copied."""

    copied: int = 0
    linked: int = 0
    unchanged: int = 0
    retained: int = 0
    removed: int = 0
    directories: int = 0
    bytes: int = 0
    kept: int = 0
    """Files of others that were replaced and of which a copy is kept."""
    restored: int = 0
    left: tuple[str, ...] = ()
    rescued: tuple[str, ...] = ()
    """What lay where others got their file back and may be somebody's: the path and where it is kept."""

    def __str__(self) -> str:
        kept = f"{self.unchanged} unchanged, {self.retained} retained, {self.removed} removed"
        made = f"{self.directories} directories made"
        others = f", {self.kept} of others kept, {self.restored} given back" if self.kept or self.restored else ""
        left = f"; not given back: {'; '.join(self.left)}" if self.left else ""
        rescued = f"; what lay there is kept: {'; '.join(self.rescued)}" if self.rescued else ""
        copied = f"{self.copied} files copied ({self.bytes} bytes), {self.linked} links made"
        return f"{copied}, {kept}, {made}{others}{left}{rescued}"


class Place(NamedTuple):
    """Where an installation happens: the directory of the group's records, and what `/` of the host is."""

    state: PurePath
    root: PurePath


class Question(NamedTuple):
    """What to look up before planning."""

    archive: PurePath
    mappings: tuple[tuple[str, str], ...]
    objects: tuple[str, ...] = ()
    owners: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    allow_outside: bool = False


class Disk(Protocol):
    """The disk of a host, as installing needs it. Everything raises InstallError."""

    def claimed(self, place: Place) -> AbstractContextManager[None]:
        """Be the only one at work in this place."""

    def recover(self, place: Place) -> None:
        """Undo an installation that a crash cut off, or drop what a finished one kept; harmless where there is none."""

    def look(self, question: Question, place: Place) -> Facts:
        """Find out what planning must know; changes nothing."""

    def run(self, plan: Plan, place: Place) -> InstallSummary:
        """Carry a plan out, or leave everything as it was."""

    def own(self, place: Place) -> None:
        """Scripts have run since Install: what they made of files over others' is the deployment's own doing."""

    def undo(self, place: Place) -> tuple[str, ...]:
        """Put back what the last installation replaced or removed; gives a line for each thing that could not be."""

    def commit(self, place: Place) -> None:
        """Drop what is kept for undo."""

    def describe(self, place: Place) -> str:
        """Say what the last installation has left on the disk."""
