"""AppSpec text -> tree of nodes: encoding, limits, YAML syntax, aliases, tags, duplicate and merge keys. Reads the
first document only and stops at the limits; knows nothing of the AppSpec's grammar.

Works on the parser's events rather than on its composer, because the composer recurses and hostile nesting would
overflow the stack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import yaml

from domain.appspec import Problem
from workflows.appspec_findings import Findings, shown, shown_bare
from workflows.appspec_nodes import Entries, Node, Refused, key_text
from workflows.appspec_scalars import Scalar, Symbol, Unreadable, is_ordered, read_plain, read_tagged, refuses_tag

MAX_BYTES = 1024 * 1024
"""The largest AppSpec that is read; real ones have a few kilobytes."""
MAX_DEPTH = 100
"""Levels of nesting; an AppSpec needs six."""
MAX_VALUES = 100_000
"""Values in one file."""

# libyaml gives the original's verdict on syntax to the letter; the pure parser stands in where it was not built.
_LOADER = yaml.CLoader if getattr(yaml, "__with_libyaml__", False) else yaml.Loader
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")

_HINTS = (
    ("cannot start any token", "quote the value if it begins with one of @ ` % or a tab; indent with spaces, not tabs"),
    ("mapping values are not allowed", "check the indentation of this line, or quote a value that contains ': '"),
    ("did not find expected key", "check that this line is indented like its neighbours"),
    ("did not find expected '-' indicator", "check that the entries of this list are indented alike"),
    ("could not find expected ':'", "check for a missing colon after a key, and for tabs in the indentation"),
    ("block sequence entries are not allowed", "put the list on a new line below its key"),
    ("control characters are not allowed", "remove the character"),
)


class _Stop(Exception):
    """The rest of the text is not worth reading; the reason is noted."""


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end was not seen yet."""

    event: yaml.SequenceStartEvent | yaml.MappingStartEvent
    children: list[Node] = field(default_factory=list)
    tags: list[str | None] = field(default_factory=list)


def compose(text: bytes | str, found: Findings) -> Node | None:
    """The tree of the first document; None if there is none or it cannot be read (then `found` says why)."""
    try:
        return _Composer(found).read(_decode(text, found))
    except _Stop:
        return None


def lines_of(text: str) -> list[str]:
    """The lines of a text, split where YAML counts a new one."""
    return _BREAK.split(text)


def _decode(text: bytes | str, found: Findings) -> str:
    if len(text) > MAX_BYTES:
        found.add(_at_start(f"the file is larger than {MAX_BYTES:,} bytes", "an AppSpec needs a few kilobytes at most"))
        raise _Stop
    decoded = _decode_bytes(text, found) if isinstance(text, bytes) else text
    decoded = decoded.removeprefix("\ufeff")
    if bad := _SURROGATE.search(decoded):
        found.error(_place(decoded, bad.start()), "half a surrogate pair is no character", "save the file as UTF-8")
        raise _Stop
    return decoded


def _decode_bytes(data: bytes, found: Findings) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        found.add(_at_start("the file is UTF-16, expected UTF-8", "save the file as UTF-8"))
        raise _Stop
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").removeprefix("\ufeff")
        byte = f"0x{data[error.start]:02x}"
        found.error(_place(before, len(before)), f"byte {byte} is not valid UTF-8", "save the file as UTF-8")
        raise _Stop from None


def _place(text: str, index: int) -> Node:
    lines = lines_of(text[:index])
    return Node(None, len(lines), len(lines[-1]) + 1)


def _at_start(message: str, hint: str) -> Problem:
    return Problem(line=1, column=1, message=message, hint=hint)


class _Composer:
    """Builds the tree from events with a stack of its own."""

    def __init__(self, found: Findings) -> None:
        self._found = found
        self._open: list[_Open] = []
        self._count = 0
        self._root: Node | None = None

    def read(self, text: str) -> Node | None:
        """The first document's root."""
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                if isinstance(event, yaml.DocumentEndEvent):
                    break
                self._take(event)
        except yaml.reader.ReaderError as error:
            self._complain_of_character(text, error)
        except yaml.MarkedYAMLError as error:
            self._complain_of_syntax(error)
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            self._found.add(_at_start(f"not valid YAML: {shown_bare(str(error))}", ""))
            raise _Stop from None
        return self._root

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._place(self._scalar(event), event.tag)
        elif isinstance(event, yaml.AliasEvent):
            self._place(self._alias(event), None)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self._begin(event)
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            finished = self._open.pop()
            self._place(self._collection(finished), finished.event.tag)

    def _begin(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise self._too_deep(_node(None, event))
        self._open.append(_Open(event))

    def _too_deep(self, node: Node) -> _Stop:
        self._found.error(node, f"nested deeper than {MAX_DEPTH} levels", "an AppSpec needs six levels")
        return _Stop()

    def _place(self, node: Node, tag: str | None) -> None:
        self._count += 1
        if self._count > MAX_VALUES:
            self._found.error(node, f"the file holds more than {MAX_VALUES:,} values", "an AppSpec needs a few hundred")
            raise _Stop
        if self._open:
            self._open[-1].children.append(node)
            self._open[-1].tags.append(tag)
        else:
            self._root = node

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        plain = event.tag is None and not event.implicit[1]
        return _node(self._value(event), event, text=event.value, plain=plain)

    def _value(self, event: yaml.ScalarEvent) -> Scalar | Refused:
        try:
            if _SURROGATE.search(event.value):
                raise Unreadable("half a surrogate pair is no character", "write the character itself")
            if event.implicit[1]:
                return event.value
            return read_plain(event.value) if event.tag is None else read_tagged(event.tag, event.value)
        except Unreadable as error:
            self._found.error(_node(None, event), shown_bare(error.message), shown_bare(error.hint))
            return Refused()

    def _alias(self, event: yaml.AliasEvent) -> Node:
        node = _node(Refused(), event)
        name = shown_bare(event.anchor or "")
        self._found.error(node, f"the alias *{name} is refused", "write the value out; quote it if it begins with *")
        return node

    def _collection(self, finished: _Open) -> Node:
        event, children = finished.event, finished.children
        if event.tag and refuses_tag(event.tag, mapping=isinstance(event, yaml.MappingStartEvent)):
            node = _node(Refused(), event)
            message = f"the tag {shown_bare(event.tag)} names a class, which is refused"
            self._found.error(node, message, "remove the tag")
            return node
        if isinstance(event, yaml.MappingStartEvent):
            pairs = list(zip(children[::2], children[1::2], finished.tags[::2], strict=True))
            return _node(self._entries(pairs), event)
        return self._ordered(event, children) if is_ordered(event.tag) else _node(tuple(children), event)

    def _entries(self, pairs: list[tuple[Node, Node, str | None]]) -> Entries:
        kept: dict[object, tuple[Node, Node]] = {}
        for key, value, tag in pairs:
            if key.value == "<<" and tag != "tag:yaml.org,2002:str" and (merged := _merged(value)) is not None:
                kept.update(merged)
                continue
            identity = _identity(key)
            if identity in kept:
                self._note_repeat(kept[identity][0], key)
            kept[identity] = (key, value)
        return Entries(tuple(kept.values()))

    def _note_repeat(self, earlier: Node, key: Node) -> None:
        message = f"the key {shown(key_text(key))} was given in line {earlier.line} already; only this one counts"
        self._found.warn(key, message, "merge the two, or remove one")

    def _ordered(self, event: yaml.SequenceStartEvent, children: list[Node]) -> Node:
        pairs: dict[object, tuple[Node, Node]] = {}
        for child in children:
            ends = _ends(child)
            if ends is None:
                self._found.error(child, "an ordered mapping (!!omap) takes one pair an entry", "remove the tag")
                return _node(Refused(), event)
            pairs[_identity(ends[0])] = ends
        return _node(Entries(tuple(pairs.values())), event)

    def _complain_of_character(self, text: str, error: yaml.reader.ReaderError) -> None:
        bad = _FORBIDDEN.search(text)
        what = f"the character U+{ord(bad.group()):04X}" if bad else "a character"
        place = _place(text, bad.start()) if bad else Node(None, 1, 1)
        message = f"{what} is not allowed in YAML: {error.reason}"
        self._found.error(place, message, "save the file as UTF-8 text without it")
        raise _Stop from None

    def _complain_of_syntax(self, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        place = Node(None, mark.line + 1, mark.column + 1) if mark else Node(None, 1, 1)
        context = f" {error.context}" if error.context else ""
        if error.context_mark and error.context_mark.line + 1 != place.line:
            context += f" that began in line {error.context_mark.line + 1}"
        problem = error.problem or "cannot be read"
        if "maximum nesting depth" in problem:  # the parser's own limit, reached while it looks ahead
            raise self._too_deep(place)
        hint = next((hint for part, hint in _HINTS if part in problem), "")
        self._found.error(place, f"not valid YAML: {shown_bare(problem)}{context}", hint)
        raise _Stop from None


def _node(
    value: Scalar | tuple[Node, ...] | Entries | Refused, event: yaml.NodeEvent, *, text: str = "", plain: bool = False
) -> Node:
    mark = event.start_mark
    return Node(value, mark.line + 1, mark.column + 1, text, plain) if mark else Node(value, 1, 1, text, plain)


def _identity(key: Node) -> object:
    """What makes two keys the same: type and value; a list or mapping equals only itself."""
    if isinstance(key.value, (tuple, Entries, Refused)):
        return id(key)
    return (type(key.value).__name__, key.value if not isinstance(key.value, Symbol) else key.value.name)


def _merged(value: Node) -> dict[object, tuple[Node, Node]] | None:
    """The pairs that a merge key brings in; None if its value cannot be merged and the key is an ordinary one."""
    if isinstance(value.value, Entries):
        return {_identity(key): (key, item) for key, item in value.value}
    if isinstance(value.value, tuple) and all(isinstance(part.value, Entries) for part in value.value):
        pairs: dict[object, tuple[Node, Node]] = {}
        for part in reversed(value.value):
            pairs.update(_merged(part) or {})
        return pairs
    return None


def _ends(child: Node) -> tuple[Node, Node] | None:
    if isinstance(child.value, Entries) and len(child.value):
        return child.value.pairs[0][0], child.value.pairs[-1][1]
    if isinstance(child.value, tuple) and child.value:
        return child.value[0], child.value[-1]
    return None
