"""The settings of environments outside AWS: which programs make and remove the hosts of blue/green deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from config.mappings import from_json
from config.sections import Section

_read = from_json(example='{"name": {"provision": ["program"], "retire": ["program"]}}')


def _passable(secret: SecretStr) -> SecretStr:
    if "\0" in secret.get_secret_value():
        raise ValueError("no program can be given a value with a zero byte")
    return secret


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9+=,.@_-]{1,100}$")]
Word = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Command = Annotated[tuple[Word, ...], Field(min_length=1)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class EnvironmentSettings(Section):
    """One environment. Its command lines can be read by anyone on the machine; secrets belong into `environment`."""

    provision: Command
    """Makes hosts and prints them."""
    retire: Command
    """Removes hosts."""
    seconds: float = Field(1800.0, gt=0, le=86_400)
    """Either program may take this long."""
    first_count: int = Field(1, ge=1, le=10_000)
    """Hosts that are made where there are none yet."""
    environment: Mapping[Variable, Annotated[SecretStr, AfterValidator(_passable)]] = {}
    """What the programs find in their environment beside PATH, HOME and LANG."""


Environments = Annotated[dict[Name, EnvironmentSettings], NoDecode, BeforeValidator(_read)]
"""By the names that deployment groups put among their Auto Scaling groups."""
