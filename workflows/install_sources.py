"""What the `files` of an AppSpec ask for, before and after looking at the disk: refuses paths that mean nothing or
leave the bundle, and lays out which files and directories are wanted where.

Source: AppSpec `files` section; destinations name directories, the contents of a source directory go into them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from domain.appspec import AppSpec, FileExistsBehavior
from domain.errors import InstallError
from domain.install import Entry, Facts, Kind, Question, Tree
from workflows.install_cleanup import ours_in


def ask(archive: PurePath, spec: AppSpec, *, allow_outside: bool = False) -> Question:
    """What to look up for an AppSpec.

    A destination must be absolute; an empty one is `/`. Relative ones are refused, for they would mean another place on
    every host, and so is `~`, which nothing expands. Raises InstallError.
    """
    return Question(
        archive=archive,
        mappings=tuple((_text(each.source), _destination(each.source, each.destination)) for each in spec.files),
        objects=tuple(dict.fromkeys(each.object for each in spec.permissions if each.object.startswith("/"))),
        owners=frozenset(each.owner for each in spec.permissions if each.owner is not None),
        groups=frozenset(each.group for each in spec.permissions if each.group is not None),
        allow_outside=allow_outside,
    )


def _text(path: str) -> str:
    if "\0" in path:
        raise InstallError(f"The path {path!r} in `files` holds a NUL character: no file can have that name.")
    return path


def _destination(source: str, destination: str) -> str:
    entry = f"The destination {destination!r} of source {source!r}"
    if _text(destination) == "":
        return "/"
    if destination.startswith("~"):
        raise InstallError(f"{entry} begins with ~, which is not expanded: write the home directory out.")
    if not destination.startswith("/"):
        raise InstallError(f"{entry} is relative: begin it with / so that it means the same place on every host.")
    return destination


@dataclass(frozen=True, slots=True)
class Wanted:
    """Everything the revision wants on the host, by path, in order."""

    directories: dict[str, Entry | None] = field(default_factory=dict)
    """Parents come before children. None for those without a counterpart in the bundle."""
    files: dict[str, tuple[str, Entry]] = field(default_factory=dict)
    """Files and links, each with its path in the bundle."""
    retained: list[str] = field(default_factory=list)


def gather(facts: Facts, behavior: FileExistsBehavior, *, back: Iterable[str] = ()) -> Wanted:
    """Lay out what the revision wants; two wishes for one path raise InstallError.

    RETAIN keeps what others have, or get `back` by this very installation.
    """
    wanted = Wanted()
    keep = _foreign(facts).union(back) if behavior is FileExistsBehavior.RETAIN else frozenset()
    for tree in facts.trees:
        _refuse(tree, facts.archive)
        _want_tree(wanted, tree, keep)
    return wanted


def _foreign(facts: Facts) -> frozenset[str]:
    """Paths where something of others lies that RETAIN keeps; a link that leads nowhere does not count."""
    ours = ours_in(facts)
    return frozenset(
        path
        for path, found in facts.there.items()
        if path not in ours and not (found.kind is Kind.LINK and found.leads is None)
    )


def _refuse(tree: Tree, archive: str) -> None:
    if tree.outside:
        raise InstallError(
            f"The source {tree.given!r} leaves the bundle {archive}: "
            "put it inside, or allow sources outside the bundle."
        )
    if tree.missing:
        raise InstallError(f"The source {tree.given!r} is not in the bundle {archive}.")
    for entry in tree.entries:
        if entry.kind is Kind.OTHER:
            where = posixpath.join(tree.source, entry.path)
            raise InstallError(f"{where} in the bundle is no file, directory or link: it cannot be installed.")


def _want_tree(wanted: Wanted, tree: Tree, keep: frozenset[str]) -> None:
    for parent in parents(tree.destination):
        _want_directory(wanted, parent, None)
    base = tree.destination.rstrip("/") + "/"
    for entry in tree.entries:
        if entry.kind is not Kind.DIRECTORY:
            _want_file(wanted, base + entry.path, f"{tree.source}/{entry.path}", entry, keep)
        elif entry.path:
            _want_directory(wanted, base + entry.path, entry)
        elif tree.destination != "/":
            wanted.directories[tree.destination] = wanted.directories[tree.destination] or entry


def parents(destination: str) -> Iterator[str]:
    """A directory and those above it but `/`, topmost first."""
    parts = [part for part in destination.split("/") if part]
    for count in range(1, len(parts) + 1):
        yield "/" + "/".join(parts[:count])


def _want_directory(wanted: Wanted, path: str, entry: Entry | None) -> None:
    if path in wanted.files:
        raise InstallError(f"{path} would be a directory for one entry of `files` and a file for another.")
    if wanted.directories.get(path) is None:
        wanted.directories[path] = entry


def _want_file(wanted: Wanted, path: str, source: str, entry: Entry, keep: frozenset[str]) -> None:
    if path in keep:
        wanted.retained.append(path)
    elif path in wanted.files:
        raise InstallError(f"{path} would be installed twice: from {wanted.files[path][0]} and from {source}.")
    elif path in wanted.directories:
        raise InstallError(f"{path} would be a file for one entry of `files` and a directory for another.")
    else:
        wanted.files[path] = (source, entry)
