"""Decoded values against the shapes of the model: what a caller gave, cleaned, and what an operation answers, ready to
be encoded. Knows no protocol; what a value means is for the operation to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, cast

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from api.wire.complaints import Kind, Problem, complaint
from api.wire.errors import unreadable
from api.wire.model import input_of, output_of
from api.wire.values import Limits, Moment
from workflows.triggering import printable

_FIRST, _LAST = -62_135_596_800, 253_402_300_800
"""The years 1 to 9999: what a datetime can hold."""
_RANGES = {"integer": 2**31, "long": 2**63}
_KINDS = {bool: "a truth value", int: "a number", float: "a number", Moment: "a timestamp", str: "text"}
_EMPTY: tuple[object, ...] = (None, "", [])


def read_input(operation: str, value: object, limits: Limits) -> dict[str, Any]:
    """What the caller gave, by member names of the wire: nulls and unknown members are gone, timestamps are seconds.

    Raises WireError: SerializationException for a wrong type, else what the operation models for the problem.
    """
    shape = input_of(operation)
    given = _structure(shape, value, "") if shape else {}
    for problem in _structure_problems(shape, given, _Place(limits.list_items)) if shape else ():
        raise complaint(operation, problem)
    return given


def shape_output(operation: str, output: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The answer without what the output shape does not know and without None; None if the operation has no output.

    Raises TypeError where the operation answered something that does not fit: a bug of ours.
    """
    shaped = _answer_shaper(operation)
    return None if shaped is None else cast("dict[str, Any]", shaped(output or {}))


# --- from plain values to the types of the shapes ---


def _read(shape: Shape, value: Any, path: str) -> Any:
    return _READERS[shape.type_name](shape, value, path)


def _structure(shape: Shape, value: Any, path: str) -> dict[str, Any]:
    _expect(dict, "an object", value, path)
    members = cast(StructureShape, shape).members
    given = {name: value[name] for name in members if value.get(name) is not None}
    return {name: _read(members[name], item, _joined(path, name)) for name, item in given.items()}


def _list(shape: Shape, value: Any, path: str) -> list[Any]:
    _expect(list, "a list", value, path)
    member = cast(ListShape, shape).member
    # A null among the items stays: it is a name that is missing, not one that was not asked for.
    return [None if item is None else _read(member, item, _item(path, at)) for at, item in enumerate(value)]


def _map(shape: Shape, value: Any, path: str) -> dict[str, Any]:
    _expect(dict, "an object", value, path)
    member = cast(MapShape, shape).value
    return {name: _read(member, item, _joined(path, name)) for name, item in value.items() if item is not None}


def _string(_shape: Shape, value: Any, path: str) -> str:
    _expect(str, "text", value, path)
    return str(value)


def _boolean(_shape: Shape, value: Any, path: str) -> bool:
    _expect(bool, "true or false", value, path)
    return bool(value)


def _whole(shape: Shape, value: Any, path: str) -> int:
    _expect(int, "a whole number", value, path)
    limit = _RANGES[shape.type_name]
    if not -limit <= value < limit:
        raise unreadable(f"'{path}': the number does not fit a member of the type {shape.type_name}")
    return int(value)


def _number(_shape: Shape, value: Any, path: str) -> float:
    if type(value) not in (int, float):
        _expect(float, "a number", value, path)
    return float(value)


def _timestamp(_shape: Shape, value: Any, path: str) -> float:
    if type(value) not in (int, float, Moment):
        _expect(Moment, "a timestamp in seconds since 1970", value, path)
    if not _FIRST <= value < _LAST:
        raise unreadable(f"'{path}': the timestamp is not in the years 1 to 9999")
    return float(value)


_READERS: Mapping[str, Callable[[Shape, Any, str], Any]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "boolean": _boolean,
    "integer": _whole,
    "long": _whole,
    "double": _number,
    "timestamp": _timestamp,
}


def _expect(kind: type, words: str, value: Any, path: str) -> None:
    # Exactly: a truth value is an int to Python, and a moment a float.
    if type(value) is not kind:
        met = _KINDS.get(type(value), "an object" if isinstance(value, dict) else "a list")
        raise unreadable(f"'{printable(path, 200) or 'the body'}': expected {words}, got {met}")


# --- constraints ---


@dataclass(frozen=True)
class _Place:
    """Where in the input we are."""

    list_items: int
    path: str = ""
    shapes: tuple[str, ...] = ()

    def member(self, name: str, shape: Shape) -> _Place:
        return _Place(self.list_items, _joined(self.path, name), (*self.shapes, shape.name))

    def item(self, at: int, shape: Shape) -> _Place:
        return _Place(self.list_items, _item(self.path, at), (*self.shapes, shape.name))

    def problem(self, kind: Kind, value: object, rule: str) -> Problem:
        shown = "null" if value is None else f"'{printable(_plain_text(value), 100)}'"
        where = f"Value {shown} at '{printable(self.path, 200)}' failed to satisfy constraint"
        return Problem(kind, self.shapes, f"{where}: Member must {rule}")


def _problems(shape: Shape, value: Any, place: _Place) -> Iterator[Problem]:
    if value is None:
        yield place.problem(Kind.MISSING, None, "not be null")
    elif isinstance(shape, StringShape):
        yield from _string_problems(shape, value, place)
    elif isinstance(shape, ListShape):
        yield from _list_problems(shape, value, place)
    elif isinstance(shape, StructureShape):
        yield from _structure_problems(shape, value, place)
    elif isinstance(shape, MapShape):
        for name, item in value.items():
            yield from _problems(shape.key, name, place.member(name, shape.key))
            yield from _problems(shape.value, item, place.member(name, shape.value))


def _structure_problems(shape: StructureShape, value: Mapping[str, Any], place: _Place) -> Iterator[Problem]:
    # Whatever is missing is told before anything that is wrong, as AWS does.
    for name in shape.required_members:
        if value.get(name) in _EMPTY:
            yield place.member(name, shape.members[name]).problem(Kind.MISSING, None, "not be null")
    for name, item in value.items():
        yield from _problems(shape.members[name], item, place.member(name, shape.members[name]))


def _list_problems(shape: ListShape, value: Sequence[Any], place: _Place) -> Iterator[Problem]:
    most = min(place.list_items, shape.metadata.get("max", place.list_items))
    if len(value) > most:
        yield place.problem(Kind.TOO_MANY, f"{len(value)} items", f"have length less than or equal to {most}")
    for at, item in enumerate(value):
        yield from _problems(shape.member, item, place.item(at, shape.member))


def _string_problems(shape: StringShape, value: str, place: _Place) -> Iterator[Problem]:
    rules = shape.metadata
    if shape.enum and value not in shape.enum:
        yield place.problem(Kind.FORM, value, f"satisfy enum value set: [{', '.join(shape.enum)}]")
    if len(value) < rules.get("min", 0):
        least = f"have length greater than or equal to {rules['min']}"
        yield place.problem(Kind.FORM if value else Kind.EMPTY, value, least)
    if len(value) > rules.get("max", len(value)):
        yield place.problem(Kind.FORM, value, f"have length less than or equal to {rules['max']}")
    if "pattern" in rules and not _compiled(rules["pattern"]).fullmatch(value):
        yield place.problem(Kind.FORM, value, f"satisfy regular expression pattern: {rules['pattern']}")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _item(path: str, at: int) -> str:
    return f"{path}.{at + 1}.member"


# --- answers ---

Shaper = Callable[[Any], Any]


@cache
def _answer_shaper(operation: str) -> Shaper | None:
    """What shapes an operation's answers. Made once: answers hold thousands of members, the model asks for some twenty
    kinds."""
    shape = output_of(operation)
    return None if shape is None else _shaper(shape)


def _shaper(shape: Shape) -> Shaper:
    match shape:
        case StructureShape():
            return _structure_out(shape)
        case ListShape():
            return _list_out(shape)
        case MapShape():
            return _map_out(shape)
        case _:
            return _SHAPERS[shape.type_name]


def _structure_out(shape: StructureShape) -> Shaper:
    members = [(name, _shaper(member)) for name, member in shape.members.items()]

    def structure(value: Any) -> dict[str, Any]:
        _fits(isinstance(value, Mapping), value, shape.name)
        return {name: shaped(held) for name, shaped in members if (held := value.get(name)) is not None}

    return structure


def _list_out(shape: ListShape) -> Shaper:
    shaped = _shaper(shape.member)

    def items(value: Any) -> list[Any]:
        _fits(isinstance(value, list | tuple), value, shape.name)
        return [shaped(item) for item in value if item is not None]

    return items


def _map_out(shape: MapShape) -> Shaper:
    shaped = _shaper(shape.value)

    def entries(value: Any) -> dict[str, Any]:
        _fits(isinstance(value, Mapping), value, shape.name)
        return {_text_out(key): shaped(item) for key, item in value.items() if item is not None}

    return entries


def _text_out(value: Any) -> str:
    if type(value) is str:
        return value
    _fits(isinstance(value, str), value, "text")
    return _plain_text(value)


def _plain_text(value: object) -> str:
    return str(value.value if isinstance(value, Enum) else value)


def _boolean_out(value: Any) -> bool:
    _fits(isinstance(value, bool), value, "a truth value")
    return bool(value)


def _whole_out(value: Any) -> int:
    _fits(isinstance(value, int) and not isinstance(value, bool), value, "a whole number")
    return int(value)


def _number_out(value: Any) -> float:
    _fits(isinstance(value, int | float) and not isinstance(value, bool), value, "a number")
    return float(value)


def _moment_out(value: Any) -> Moment:
    return Moment(round(value.timestamp() if isinstance(value, datetime) else _number_out(value), 3))


_SHAPERS: Mapping[str, Shaper] = {
    "string": _text_out,
    "boolean": _boolean_out,
    "integer": _whole_out,
    "long": _whole_out,
    "double": _number_out,
    "timestamp": _moment_out,
}


def _fits(fits: bool, value: object, what: str) -> None:
    if not fits:
        raise TypeError(f"the answer holds a {type(value).__name__} for {what}")
