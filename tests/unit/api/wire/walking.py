"""Every member of every operation's input, with a way to break each rule that its shape states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from api.wire.model import OPERATIONS, input_of

WRONG_TYPES: Mapping[str, Any] = {
    "structure": [],
    "list": {},
    "map": "text",
    "string": 7,
    "boolean": "true",
    "integer": "7",
    "long": 1.5,
    "timestamp": "2024-01-02T03:04:05Z",
}
TOO_MANY = 1001


@dataclass(frozen=True)
class Broken:
    """An input with one thing wrong with it."""

    operation: str
    path: str
    shape: str
    rule: str
    given: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.operation}:{self.path}:{self.rule}"


def whole(shape: Shape) -> Any:
    """The smallest value that the shape accepts."""
    match shape:
        case StructureShape():
            return {name: whole(shape.members[name]) for name in shape.required_members}
        case ListShape():
            return [whole(shape.member)]
        case MapShape():
            return {}
        case StringShape():
            return shape.enum[0] if shape.enum else "a"
        case _:
            return {"boolean": True, "timestamp": 1}.get(shape.type_name, 1)


def broken_inputs() -> Iterator[Broken]:
    """All of them."""
    for operation in sorted(OPERATIONS):
        shape = input_of(operation)
        assert shape is not None
        for path, name, rule, given in _breaks_structure(shape, ""):
            # What is broken is added to what is needed, so that nothing else is wrong.
            yield Broken(operation, path, name, rule, {**whole(shape), **given})


Found = tuple[str, str, str, dict[str, Any]]


def _breaks_structure(shape: StructureShape, path: str) -> Iterator[Found]:
    for name, member in shape.members.items():
        here = f"{path}.{name}" if path else name
        if name in shape.required_members:
            yield here, member.name, "missing", {name: None}
            if isinstance(member, StringShape | ListShape):
                yield here, member.name, "empty", {name: whole(member)[:0]}
        for where, broken_shape, rule, value in _breaks(member, here):
            yield where, broken_shape, rule, {name: value}


def _breaks(shape: Shape, path: str) -> Iterator[tuple[str, str, str, Any]]:
    yield path, shape.name, "type", WRONG_TYPES[shape.type_name]
    match shape:
        case StructureShape():
            for where, name, rule, value in _breaks_structure(shape, path):
                yield where, name, rule, {**whole(shape), **value}
        case ListShape():
            yield path, shape.name, "too many", [whole(shape.member)] * TOO_MANY
            yield path, shape.member.name, "null item", [None]
            for where, name, rule, value in _breaks(shape.member, f"{path}[]"):
                yield where, name, rule, [value]
        case MapShape():
            yield path, shape.key.name, "key", {"no such key": whole(shape.value)}
            for where, name, rule, value in _breaks(shape.value, f"{path}{{}}"):
                yield where, name, rule, {whole(shape.key): value}
        case StringShape():
            yield from ((path, shape.name, rule, value) for rule, value in _breaks_string(shape))


def _breaks_string(shape: StringShape) -> Iterator[tuple[str, str]]:
    if shape.enum:
        yield "enum", "NO_SUCH_VALUE"
    if shape.metadata.get("min"):
        yield "too short", ""
    if "max" in shape.metadata:
        yield "too long", "a" * (shape.metadata["max"] + 1)
    if "pattern" in shape.metadata:
        yield "pattern", "not a name"
