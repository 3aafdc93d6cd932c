"""What the settings are read from besides the environment's values: which variables there are, the YAML file, and words
for what is wrong with either. Never repeats a value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from domain.errors import SlipwayError

PREFIX = "SLIPWAY_"

OTHER_VARIABLES = frozenset(f"{PREFIX}{name}" for name in ("CONFIG", "REQUIRE", "TEST_REDIS", "ROOT", "HOOK_ID"))
"""Variables of ours that are no settings: the file's name, what tests may miss, and what hook scripts are told."""

_KUBERNETES = re.compile(r"(?!.*__)\w*_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_\w+)?)")
"""What Kubernetes sets in every pod once a service's name begins with slipway."""


class InvalidSettings(SlipwayError):
    """The settings cannot be used."""


def names_of(model: type[BaseModel], *above: str) -> Iterator[tuple[str, ...]]:
    """The path of every single setting below a model: `("broker", "url")`."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from names_of(inner, *above, name)
        else:
            yield (*above, name)


def variable(path: Iterable[object]) -> str:
    """The variable of a setting."""
    return PREFIX + "__".join(str(part) for part in path).upper()


def check_variables(environment: Iterable[str], known: Iterable[str]) -> None:
    """Raises InvalidSettings for a variable that begins like ours and means nothing: most likely a slip."""
    settings = set(known)
    for name in environment:
        upper = name.upper()
        if upper.startswith(PREFIX) and upper not in settings | OTHER_VARIABLES and not _KUBERNETES.fullmatch(upper):
            raise InvalidSettings(f"{name} is no setting{_nearest(upper, settings)}")


def read_file(name: str, known: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """The settings of a YAML file; raises InvalidSettings naming the place of what is wrong."""
    try:
        content = yaml.safe_load(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(f"{PREFIX}CONFIG={name} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise InvalidSettings(f"{PREFIX}CONFIG={name} is not YAML{where}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InvalidSettings(f"{PREFIX}CONFIG={name} must hold a mapping of sections, such as `broker:` with `url:`")
    _check_keys(name, content, {".".join(path) for path in known})
    return content


def _check_keys(file: str, content: Mapping[Any, object], known: set[str]) -> None:
    for key in keys_of(content):
        # What lies below a setting is its own affair: some are mappings, with names that people choose.
        if key not in known and not any(
            f"{name}.".startswith(f"{key}.") or key.startswith(f"{name}.") for name in known
        ):
            raise InvalidSettings(f"{key} in {file} is no setting{_nearest(key, known)}")


def keys_of(content: Mapping[Any, object], above: str = "") -> Iterator[str]:
    """Every key of nested mappings, dotted."""
    for name, value in content.items():
        key = f"{above}{name}"
        if isinstance(value, dict) and value:
            yield from keys_of(value, f"{key}.")
        else:
            yield key


def _nearest(name: str, known: Iterable[str]) -> str:
    # Without the prefix, which all have in common and which would make any two names look alike.
    bare = {each.removeprefix(PREFIX): each for each in known}
    near = difflib.get_close_matches(name.removeprefix(PREFIX), bare, n=1, cutoff=0.7)
    return f"; did you mean {bare[near[0]]}?" if near else "; config/examples/slipway.yml shows them all"
