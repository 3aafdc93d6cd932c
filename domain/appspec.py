"""An AppSpec file as a value: what to copy where, with which permissions, and which scripts to run at which event.

Source: AWS CodeDeploy user guide, "AppSpec file structure" for EC2/On-premises.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from domain.values import Value


class FileExistsBehavior(StrEnum):
    """What to do where a file of the revision meets one that no deployment of the group made."""

    DISALLOW = "DISALLOW"
    OVERWRITE = "OVERWRITE"
    RETAIN = "RETAIN"


class ObjectType(StrEnum):
    """What a permission applies to."""

    FILE = "file"
    DIRECTORY = "directory"


class FileMapping(Value):
    """One entry of `files`: a path in the bundle, and the directory on the host that it goes to."""

    source: str
    destination: str


class AclEntry(Value):
    """One POSIX ACL entry: `[default:]kind:name:perms`, perms as three characters of `rwx-`."""

    default: bool = False
    kind: str
    name: str = ""
    perms: str

    def __str__(self) -> str:
        return f"{'default:' if self.default else ''}{self.kind}:{self.name}:{self.perms}"


class SelinuxContext(Value):
    """An SELinux context: the user may be left out, the range is normalised (`s0-s3:c1.c3`)."""

    user: str | None = None
    type: str
    range: str | None = None


class Permission(Value):
    """One entry of `permissions`: who owns what below `object`, and how it may be used."""

    object: str
    pattern: str = "**"
    exclude: tuple[str, ...] = ()
    """The entries of `except`."""
    types: frozenset[ObjectType] = frozenset(ObjectType)
    owner: str | None = None
    group: str | None = None
    mode: int | None = None
    acls: tuple[AclEntry, ...] | None = None
    context: SelinuxContext | None = None


class Script(Value):
    """One script of a hook: its path in the bundle, limit in seconds and the user it runs as."""

    location: str
    timeout: int = 3600
    runas: str | None = None
    sudo: bool = False


class AppSpec(Value):
    """A whole AppSpec file for servers."""

    version: str = "0.0"
    os: str = "linux"
    file_exists_behavior: FileExistsBehavior | None = None
    files: tuple[FileMapping, ...] = ()
    permissions: tuple[Permission, ...] = ()
    hooks: Mapping[str, tuple[Script, ...]] = {}

    def scripts(self, event: str) -> tuple[Script, ...]:
        """The scripts for an event, in the order they run; empty where there are none."""
        return self.hooks.get(event, ())


class Severity(StrEnum):
    """Whether a problem rejects the file or only deserves a look."""

    ERROR = "error"
    WARNING = "warning"


class Problem(Value):
    """Something about an AppSpec that a person should know; line and column count from 1, 0 where unknown."""

    line: int
    column: int
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
