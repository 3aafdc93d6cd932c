"""How the sections of an AppSpec take values apart: lists of mappings, members, texts, each with the complaint that a
wrong shape deserves. Knows shapes, not which keys mean what.
"""

from __future__ import annotations

from collections.abc import Sequence

from workflows.appspec_findings import Findings, kind_of, shown, shown_bare
from workflows.appspec_nodes import Entries, Node, Refused, text_of
from workflows.appspec_scalars import Symbol


def members_of(node: Node, name: str, found: Findings, *, of: str = "mappings") -> Sequence[Node]:
    """The entries of a list; anything else is an error, but for an empty mapping, which the original lets pass."""
    value = node.value
    if isinstance(value, tuple):
        return value
    if isinstance(value, Entries) and not len(value):
        message = f"`{shown_bare(name)}` should be a list of {of}, got an empty mapping"
        found.warn(node, message, "write [] for an empty list")
    elif not isinstance(value, Refused):
        message = f"`{shown_bare(name)}`: expected a list of {of}, got {kind_of(node)}"
        found.error(node, message, list_hint(node, of))
    return ()


def list_hint(node: Node, of: str) -> str:
    """How to turn a value into a list."""
    if isinstance(node.value, Entries):
        return "begin each entry with '- '"
    if isinstance(node.value, str) and of != "mappings":
        return f"write a list: [{shown_bare(node.value) if node.value.isalnum() else shown(node.value)}]"
    return f"write a list: each of the {of} on a line that begins with '- '"


def mapping_of(node: Node, what: str, found: Findings, *, hint: str = "") -> Entries | None:
    """A mapping; anything else is an error."""
    if isinstance(node.value, Entries):
        return node.value
    if not isinstance(node.value, Refused):
        found.error(node, f"{what}: expected a mapping, got {kind_of(node)}", hint)
    return None


def member(node: Node, name: str) -> Node | None:
    """The value under a key; None if missing or null.

    Text that contains the name answers with the name itself, as the original does when a string stands for a mapping.
    """
    if isinstance(node.value, Entries):
        return node.value.get(name)
    text = node.value.name if isinstance(node.value, Symbol) else node.value
    if isinstance(text, str) and name in text:
        return Node(name, node.line, node.column, name)
    return None


def warn_text_for_mapping(node: Node, what: str, found: Findings) -> None:
    """A string stood for a mapping and happened to contain the right words."""
    message = f"{what} should be a mapping; {kind_of(node)} is taken apart by the words in it"
    found.warn(node, message, "write each key on a line of its own, as `key: value`")


def plain_text(node: Node, what: str, found: Findings) -> str:
    """A value as text, with a warning where YAML made something else of what was written."""
    text = text_of(node)
    if isinstance(node.value, (str, Refused)):
        if "\0" in text:
            found.warn(node, f"{what} contains a NUL character", "no path or name can contain one; remove it")
        return text
    if isinstance(node.value, (tuple, Entries)):
        found.warn(node, f"{what} should be text, got {kind_of(node)}", "write it as one line of text")
    elif text != node.text or isinstance(node.value, bool):
        hint = f'quote it: "{shown_bare(node.text)}"'
        found.warn(node, f"{what} is read as {kind_of(node)}, which as text is {shown(text)}", hint)
    return text
