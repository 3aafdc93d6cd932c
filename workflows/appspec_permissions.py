"""The `permissions` section of an AppSpec: who owns what, and how it may be used.

Source: AWS CodeDeploy user guide, "AppSpec 'permissions' section".
"""

from __future__ import annotations

import re

from domain.appspec import AclEntry, ObjectType, Permission, SelinuxContext
from workflows.appspec_acl import InvalidAcl, odd_name, parse_acl_entry
from workflows.appspec_findings import Findings, did_you_mean, kind_of, shown, shown_bare, warn_unknown_keys
from workflows.appspec_nodes import Entries, Node, Refused, text_of
from workflows.appspec_scalars import Symbol, trimmed
from workflows.appspec_selinux import FORM, InvalidRange, parse_range
from workflows.appspec_shapes import list_hint, mapping_of, member, members_of, plain_text, warn_text_for_mapping

KEYS = ("object", "pattern", "except", "type", "owner", "group", "mode", "acls", "context")
CONTEXT_KEYS = ("user", "name", "type", "range")
HIGHEST_MODE = 0o7777

_TYPES = {kind.value: kind for kind in ObjectType}
_SPECIAL = {"acl": "did you mean `acls`?", "exclude": "did you mean `except`?", "user": "did you mean `owner`?"}
_MODE_HINT = "write up to four digits from 0 to 7, as 0644 or 4755"


def read_permissions(node: Node, os: str, found: Findings) -> list[Permission]:
    """The entries of `permissions`; on Windows any entry is an error."""
    entries = [_read_entry(entry, os, found) for entry in members_of(node, "permissions", found)]
    return [entry for entry in entries if entry is not None]


def read_mode(node: Node, found: Findings) -> int | None:
    """A file mode; None if refused. Unquoted `0644` and `0o644` mean octal, all else is read as the original does."""
    if isinstance(node.value, Refused):
        return None
    text = _mode_text(node)
    name = shown(text)
    if len(text) > 4:
        message = f"the mode {name} has {len(text)} characters, expected up to 4"
        found.error(node, message, _mode_hint(text))
        return None
    bad = next((character for character in text if character not in "01234567"), None)
    if bad is not None:
        found.error(node, f"the mode {name} contains {shown(bad)}, expected digits from 0 to 7", _mode_hint(text))
        return None
    return int(text or "0", 8)


def _mode_text(node: Node) -> str:
    """The digits of a mode: what was written, but for leading zeros that YAML's octal numbers carry."""
    text = text_of(node)
    if re.fullmatch(r"0o[0-7]{1,4}", text):
        return text[2:]
    if not (node.plain and isinstance(node.value, (int, float))) or isinstance(node.value, bool):
        return text
    if isinstance(node.value, int) and re.fullmatch(r"[-+]?0[0-7_,]+", node.text):
        return f"{node.value:o}"
    return text if re.fullmatch(r"[-+]?[0-9][0-9,_]*", node.text) else node.text


def _mode_hint(text: str) -> str:
    if re.fullmatch(r"0+[0-7]{3,4}", text):
        return f"leave out the leading zeros: {text.lstrip('0'):0>3}"
    return "write digits, as 0755 for rwxr-xr-x" if re.fullmatch(r"[-rwxstST]{9,10}", text) else _MODE_HINT


def _read_entry(entry: Node, os: str, found: Findings) -> Permission | None:
    entries = mapping_of(entry, "`permissions` entry", found, hint="write `- object: /path` and the rest below it")
    if entries is None:
        return None
    warn_unknown_keys(entries, KEYS, "a `permissions` entry", found, special=_SPECIAL)
    target = _read_object(entries, entry, found)
    if os != "linux":
        found.error(entry, "`permissions` are not supported on Windows", "remove the section from the Windows AppSpec")
        return None
    types = _read_types(entries, found)
    permission = Permission(
        object=target or "",
        pattern=_read_pattern(entries, found),
        exclude=_read_except(entries, found),
        types=types,
        owner=_read_account(entries, "owner", found),
        group=_read_account(entries, "group", found),
        mode=_optional_mode(entries, found),
        acls=_read_acls(entries, found),
        context=_read_context(entries, found),
    )
    return None if target is None else permission


def _read_object(entries: Entries, entry: Node, found: Findings) -> str | None:
    node = entries.get("object")
    text = trimmed(plain_text(node, "`object`", found)) if node else ""
    if node and isinstance(node.value, Refused):
        return None
    if not text:
        found.error(node or entry, "`permissions` entry: no object was given", "add `object:`, a path on the host")
        return None
    return text


def _read_pattern(entries: Entries, found: Findings) -> str:
    node = entries.given("pattern")
    return plain_text(node, "`pattern`", found) if node else "**"


def _read_except(entries: Entries, found: Findings) -> tuple[str, ...]:
    node = entries.given("except")
    if node is None or isinstance(node.value, Refused):
        return ()
    if isinstance(node.value, tuple):
        return tuple(plain_text(item, "an `except` item", found) for item in node.value)
    if isinstance(node.value, Entries):
        found.warn(node, "`except`: expected a list of names, got a mapping", "begin each name with '- '")
        return tuple(text_of(Node(pair, node.line, node.column)) for pair in node.value)
    found.error(node, f"`except`: expected a list of names, got {kind_of(node)}", list_hint(node, "names"))
    return ()


def _read_types(entries: Entries, found: Findings) -> frozenset[ObjectType]:
    node = entries.given("type")
    if node is None:
        return frozenset(ObjectType)
    types = [_read_type(item, found) for item in members_of(node, "type", found, of="file and directory")]
    return frozenset(kind for kind in types if kind is not None)


def _read_type(item: Node, found: Findings) -> ObjectType | None:
    if isinstance(item.value, str) and item.value in _TYPES:
        return _TYPES[item.value]
    if not isinstance(item.value, Refused):
        hint = did_you_mean(text_of(item), _TYPES) or "write file, directory or both"
        found.error(item, f"`type`: expected file or directory, got {kind_of(item)}", hint)
    return None


def _read_account(entries: Entries, name: str, found: Findings) -> str | None:
    node = entries.get(name)
    if node is None:
        return None
    text = text_of(node)
    if re.fullmatch(r"[0-9]+", text):
        message = f"`{name}`: {shown(text)} is a number, but is looked up as a name, so Install will fail"
        found.warn(node, message, f"write the name of the {'user' if name == 'owner' else 'group'}")
    elif not isinstance(node.value, (str, Refused)):
        plain_text(node, f"`{name}`", found)
    elif not text and isinstance(node.value, str):
        found.warn(node, f"`{name}` is empty, and Install will not find it", "write a name or remove the key")
    return text


def _optional_mode(entries: Entries, found: Findings) -> int | None:
    node = entries.get("mode")
    return read_mode(node, found) if node else None


def _read_acls(entries: Entries, found: Findings) -> tuple[AclEntry, ...] | None:
    node = entries.get("acls")
    if node is None:
        return None
    parsed = [_read_acl(item, found) for item in members_of(node, "acls", found, of="entries")]
    return tuple(entry for entry in parsed if entry is not None)


def _read_acl(item: Node, found: Findings) -> AclEntry | None:
    if isinstance(item.value, Refused):
        return None
    if not isinstance(item.value, str):
        hint = f'quote it: "{shown_bare(item.text)}"' if item.text else "write each entry as text, as user:deploy:rwx"
        found.error(item, f"`acls` entry: expected text, got {kind_of(item)}", hint)
        return None
    try:
        entry = parse_acl_entry(item.value)
    except InvalidAcl as error:
        message = f"`acls` entry {shown(item.value)}: {shown_bare(error.message)}"
        found.error(item, message, error.hint)
        return None
    if meant := odd_name(entry):
        message = f"`acls` entry {shown(item.value)} means a {entry.kind} called {shown(entry.name)}"
        found.warn(item, message, f"an entry of the kind {meant} is written {meant}:name:perms")
    return entry


def _read_context(entries: Entries, found: Findings) -> SelinuxContext | None:
    node = entries.get("context")
    if node is None or isinstance(node.value, Refused):
        return None
    if not isinstance(node.value, (Entries, str, Symbol)):
        mapping_of(node, "`context`", found, hint="write `type:` and, if wanted, `user:` and `range:` below it")
        return None
    if isinstance(node.value, Entries):
        warn_unknown_keys(node.value, CONTEXT_KEYS, "a `context`", found, special={"role": "roles are not supported"})
    kind = member(node, "type")
    if kind is None:
        found.error(node, "`context`: no type was given", "add `type:`, as httpd_sys_content_t")
        return None
    if not isinstance(node.value, Entries):
        warn_text_for_mapping(node, "`context`", found)
    return SelinuxContext(
        user=_context_user(node, found), type=plain_text(kind, "`type`", found), range=_context_range(node, found)
    )


def _context_user(node: Node, found: Findings) -> str | None:
    name = member(node, "name")
    user = member(node, "user") if isinstance(node.value, Entries) else None
    if name and user and text_of(name) != text_of(user):
        found.warn(user, "`context`: `name` and `user` differ; `name` counts", "keep one of them")
    chosen = name or user
    return plain_text(chosen, "`user`", found) if chosen else None


def _context_range(node: Node, found: Findings) -> str | None:
    given = member(node, "range")
    if given is None or isinstance(given.value, Refused):
        return None
    if not isinstance(given.value, str):
        found.error(given, f"`range`: expected text, got {kind_of(given)}", FORM)
        return None
    try:
        return parse_range(given.value)
    except InvalidRange as error:
        found.error(given, f"`range` {shown(given.value)}: {shown_bare(str(error))}", FORM)
        return None
