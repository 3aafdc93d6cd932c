"""The `files` section of an AppSpec: what to copy where.

Source: AWS CodeDeploy user guide, "AppSpec 'files' section".
"""

from __future__ import annotations

from domain.appspec import FileMapping
from workflows.appspec_findings import Findings, kind_of, shown, warn_unknown_keys
from workflows.appspec_nodes import Entries, Node, Refused
from workflows.appspec_scalars import Symbol
from workflows.appspec_shapes import member, members_of, plain_text, warn_text_for_mapping

KEYS = ("source", "destination")

_SPECIAL = {
    "file_exists_behavior": "it counts only at the top level of the file, for all files alike",
    "object": "permissions belong in the `permissions` section",
    "mode": "permissions belong in the `permissions` section",
    "owner": "permissions belong in the `permissions` section",
}


def read_files(node: Node, os: str, found: Findings) -> list[tuple[FileMapping, Node]]:
    """The entries of `files`, each with the place of its source."""
    entries = [_read_entry(entry, os, found) for entry in members_of(node, "files", found)]
    return [entry for entry in entries if entry is not None]


def _read_entry(entry: Node, os: str, found: Findings) -> tuple[FileMapping, Node] | None:
    if isinstance(entry.value, Refused):
        return None
    if not isinstance(entry.value, (Entries, str, Symbol)):
        hint = "write `- source: …` and below it `  destination: …`"
        found.error(entry, f"`files` entry: expected a mapping with source and destination, got {kind_of(entry)}", hint)
        return None
    if isinstance(entry.value, Entries):
        warn_unknown_keys(entry.value, KEYS, "a `files` entry", found, special=_SPECIAL)
    return _read_pair(entry, os, found)


def _read_pair(entry: Node, os: str, found: Findings) -> tuple[FileMapping, Node] | None:
    source, destination = member(entry, "source"), member(entry, "destination")
    if source is None:
        given = "" if isinstance(entry.value, Entries) else f" ({kind_of(entry)} is no mapping)"
        found.error(entry, f"`files` entry: no source was given{given}", "add `source:`, a path inside the bundle")
        return None
    source_text = plain_text(source, "`source`", found)
    if destination is None:
        message = f"`files` entry: only a source ({shown(source_text)}) was given, expected a destination too"
        found.error(entry, message, "add `destination:`, a directory on the host")
        return None
    if not isinstance(entry.value, Entries):
        warn_text_for_mapping(entry, "a `files` entry", found)
    destination_text = plain_text(destination, "`destination`", found)
    if os == "linux" and not destination_text.startswith("/") and not isinstance(destination.value, Refused):
        message = f"the destination {shown(destination_text)} is not absolute"
        found.warn(destination, message, "begin it with /; what it is relative to differs from agent to agent")
    return FileMapping(source=source_text, destination=destination_text), source
