"""What all our values share: frozen, strict about shape, camelCase on the wire as AWS spells its members."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Instant = Annotated[float, Field(allow_inf_nan=False, description="Seconds since the epoch, UTC.")]
"""A moment: seconds since the epoch, UTC, fractions allowed."""


class Value(BaseModel):
    """A frozen value; members are snake_case here and camelCase in JSON, unknown members are ignored."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="ignore",
    )


class Entry(Value):
    """A value with an identity that stays, and a name that no other of its kind has at the time and that may change."""

    @property
    def identity(self) -> str:
        """What stays."""
        raise NotImplementedError

    @property
    def entry_name(self) -> str:
        """What may change."""
        raise NotImplementedError
