"""Mappings of names to entries: in a variable one is JSON, and entries of several kinds are each read by the model of
their kind. No error repeats a value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from pydantic import ValidationError

from config.sections import Section

Read = Callable[[object], object]


def from_json(*, example: str) -> Read:
    """What reads a mapping that may be JSON, as in `example`: here, where an error does not repeat it. Raises
    ValueError."""

    def read(given: object) -> object:
        if not isinstance(given, str):
            return given
        try:
            return json.loads(given)
        except (ValueError, RecursionError):
            raise ValueError(f"must be JSON, as in {example}") from None

    return read


def by_kind(kinds: Mapping[str, type[Section]], *, of: str, example: str) -> Read:
    """The same for entries that each say their kind."""
    parse = from_json(example=example)

    def read(given: object) -> object:
        parsed = parse(given)
        if not isinstance(parsed, Mapping):
            raise ValueError(f"must be a mapping of names to {of}")
        return {str(name): _read_one(kinds, str(name), entry) for name, entry in parsed.items()}

    return read


def _read_one(kinds: Mapping[str, type[Section]], name: str, given: object) -> object:
    if isinstance(given, Section):
        return given
    kind = given.get("kind") if isinstance(given, Mapping) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"{name}: kind must be one of {', '.join(kinds)}")
    try:
        return kinds[kind].model_validate(given)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        told = (f"{'.'.join(map(str, (name, *problem['loc'])))}: {problem['msg']}" for problem in problems)
        raise ValueError("; ".join(told)) from None
