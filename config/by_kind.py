"""Mappings of names to entries of several kinds: each is read by the model of its kind. No error repeats a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from pydantic import ValidationError

from config.sections import Section


def reader(kinds: Mapping[str, type[Section]], *, of: str, example: str) -> Callable[[object], object]:
    """What reads such a mapping; in a variable it is JSON, as in `example`. Raises ValueError."""

    def read(given: object) -> object:
        if isinstance(given, str):
            try:
                given = json.loads(given)
            except (ValueError, RecursionError):
                raise ValueError(f"must be JSON, as in {example}") from None
        if not isinstance(given, Mapping):
            raise ValueError(f"must be a mapping of names to {of}")
        return {str(name): _read_one(kinds, str(name), entry) for name, entry in given.items()}

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
