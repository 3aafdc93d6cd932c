"""The tree of an AppSpec text: values that remember their place. Knows how the original turns any value into text;
knows neither YAML's syntax nor the AppSpec's grammar.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from workflows.appspec_scalars import Scalar, Symbol, number_text


@dataclass(frozen=True, slots=True)
class Refused:
    """Stands where a value was refused; the problem is noted already, so nobody complains of it again."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it begins; line and column count from 1."""

    value: Scalar | tuple[Node, ...] | Entries | Refused
    line: int
    column: int
    text: str = ""
    """A scalar as written, without its quotes."""
    plain: bool = False
    """Written without quotes and tag."""

    @property
    def absent(self) -> bool:
        """Null counts as not given."""
        return self.value is None

    @property
    def off(self) -> bool:
        """Null and false count as not given in many places."""
        return self.value is None or self.value is False


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping: pairs in order, each key once (the last value wins, at the first one's place)."""

    pairs: tuple[tuple[Node, Node], ...]
    _by_name: dict[str, tuple[Node, Node]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named = {key.value: (key, value) for key, value in self.pairs if isinstance(key.value, str)}
        object.__setattr__(self, "_by_name", named)

    def has(self, name: str) -> bool:
        """Whether the key is there, be it with null."""
        return name in self._by_name

    def get(self, name: str) -> Node | None:
        """The value under a key; None if the key is missing or its value null."""
        pair = self._by_name.get(name)
        return None if pair is None or pair[1].absent else pair[1]

    def given(self, name: str) -> Node | None:
        """The value under a key; None if missing, null or false."""
        value = self.get(name)
        return None if value is None or value.off else value

    def __iter__(self) -> Iterator[tuple[Node, Node]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)


def text_of(node: Node) -> str:
    """A value as text: strings as they are, null empty, lists and mappings written out."""
    value = node.value
    if isinstance(value, str):
        return value
    if isinstance(value, Symbol):
        return value.name
    return "" if value is None else _written(node)


def key_text(key: Node) -> str:
    """The name of a key, as written."""
    return key.text if key.text else text_of(key)


def _written(node: Node) -> str:
    value = node.value
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, Symbol):
        return ":" + value.name
    if isinstance(value, Entries):
        return "{" + ", ".join(f"{_written(key)}=>{_written(item)}" for key, item in value) + "}"
    return "[" + ", ".join(_written(item) for item in value) + "]" if isinstance(value, tuple) else ""
