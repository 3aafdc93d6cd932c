"""Plans and records as text: install.json, one instruction a line, and the record as JSON lines.

Names that are not UTF-8 survive as lone surrogates, which JSON writes as escapes. Knows no disk.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from domain.install import TYPES, Context, CopyFile, Instruction, Kept, Kind, Plan, Recorded, Stamp

_WORDS = {kind: word for word, kind in TYPES.items()}


def instruction_as_json(instruction: Instruction) -> dict[str, Any]:
    """One instruction by its word and its members; those that say nothing are left out, modes are octal text."""
    shown: dict[str, Any] = {"type": _WORDS[type(instruction)]}
    defaults = type(instruction)._field_defaults
    for name, value in zip(instruction._fields, instruction, strict=True):
        if name == "mode":
            shown[name] = f"{value:04o}"
        elif name not in defaults or value != defaults[name]:
            shown[name] = value._asdict() if isinstance(value, Context) else value
    return shown


def instruction_from_json(shown: dict[str, Any]) -> Instruction:
    """The instruction that `instruction_as_json` showed."""
    members = {name: _member(name, value) for name, value in shown.items() if name != "type"}
    return TYPES[shown["type"]](**members)


def _member(name: str, value: Any) -> Any:
    if name == "mode":
        return int(value, 8)
    if name == "context":
        return Context(**value)
    if name == "kind":
        return Kind(value)
    if name == "entries":
        return tuple(value)
    if name == "attributes":
        return tuple((key, text) for key, text in value)
    return value


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """A plan as install.json holds it: `instructions` in order, each with its `type`."""
    return {
        "archive": plan.archive,
        "unchanged": plan.unchanged,
        "retained": plan.retained,
        "instructions": [instruction_as_json(instruction) for instruction in plan.instructions],
    }


def plan_as_text(plan: Plan) -> str:
    """The same as JSON text with one instruction a line, so that two plans can be compared."""
    head = f'{{"archive":{json.dumps(plan.archive)},"unchanged":{plan.unchanged},"retained":{plan.retained},'
    lines = ",\n".join(_line(instruction) for instruction in plan.instructions)
    return f'{head}"instructions":[\n{lines}\n]}}\n'


_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


def _line(instruction: Instruction) -> str:
    if type(instruction) is CopyFile:  # Most of every plan: written here, it takes a quarter of the time.
        replaces = ',"replaces":true' if instruction.replaces else ""
        paths = f'"source":{_ENCODE(instruction.source)},"destination":{_ENCODE(instruction.destination)}'
        return f'{{"type":"copy",{paths}{replaces}}}'
    return _ENCODE(instruction_as_json(instruction))


def plan_from_text(text: str) -> Plan:
    """A plan that `plan_as_text` wrote, without its record. ValueError for anything else."""
    shown = json.loads(text)
    try:
        return Plan(
            archive=shown["archive"],
            instructions=tuple(instruction_from_json(each) for each in shown["instructions"]),
            unchanged=shown["unchanged"],
            retained=shown["retained"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an install plan: {error!r}") from error


_KEPT = "kept"
"""Begins the lines of a record that name copies."""


def record_as_text(record: Iterable[Recorded], kept: Iterable[Kept] = ()) -> str:
    """The record, one JSON list a line: kind, path, and the SELinux context where there is one. Then the copies that
    are kept of others' files: `kept` and the members of each, stamps where something of ours lies over it."""
    lines = [
        f'["{kind.value}",{_ENCODE(path)}{"," + _ENCODE(context) if context else ""}]\n'
        for kind, path, context in record
    ]
    return "".join([*lines, *(f"{_ENCODE([_KEPT, *_members(each)])}\n" for each in kept)])


def _members(kept: Kept) -> tuple[Any, ...]:
    return kept if kept.installed or kept.latest else kept[:-2]


def record_from_text(text: str) -> tuple[tuple[Recorded, ...], tuple[Kept, ...]]:
    """What `record_as_text` wrote; a last line that was cut off is dropped. ValueError for other lines."""
    lines = lines_of(text)
    record = tuple(
        Recorded(Kind(line[0]), line[1], Context(*line[2]) if line[2:] else None) for line in lines if line[0] != _KEPT
    )
    return record, tuple(_kept(*line[1:]) for line in lines if line[0] == _KEPT)


def _kept(copy: str, path: str, kind: str, size: int, began: float, age: int, *stamps: list[int] | None) -> Kept:
    """A copy by its members; its name is never a way to another place. An earlier version wrote no stamps."""
    if not (copy.isascii() and copy.isdecimal()) or not path.startswith("/"):
        raise ValueError(f"not the name of a copy and a path: {copy!r}, {path!r}")
    return Kept(copy, path, Kind(kind), size, began, age, *(Stamp(*each) if each else None for each in stamps))


def lines_of(text: str) -> list[Any]:
    """The values of JSON lines, without a last line that lacks its end. ValueError for a line that is not one value."""
    lines = text.split("\n")[:-1]
    # One call for all of them: thousands of small ones would take several times as long.
    values: list[Any] = json.loads(f"[{','.join(lines)}]")
    if len(values) != len(lines):
        raise ValueError("a line holds more than one value")
    return values
