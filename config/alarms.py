"""Alarms of the settings: one model per kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from config.mappings import by_kind
from config.sections import Section, WebUrl


def _visible(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().isascii() or not secret.get_secret_value().isprintable():
        raise ValueError("must be printable ASCII on one line")
    return secret


Secret = Annotated[SecretStr, AfterValidator(_visible)]


class _Asked(Section):
    """What is the same of all that are asked by HTTP."""

    seconds: float = Field(5.0, gt=0, le=10)
    """One look may take this long."""
    username: str = Field("", pattern=r"^[^:\x00-\x1f]*$")
    password: Secret = SecretStr("")
    """With a username; a login has no place in the URL."""
    token: Secret = SecretStr("")
    """Sent as a bearer's token; instead of a username."""
    ca_file: Path | None = None
    """Who signed the server's certificate, where the machine does not know."""

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if self.username and self.token.get_secret_value():
            raise ValueError("give a username or a token, not both")
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise ValueError("username and password belong together: give both or neither")
        return self


class PrometheusSettings(_Asked):
    """A query to Prometheus, or to what speaks like it."""

    kind: Literal["prometheus"] = "prometheus"
    url: WebUrl = Field(pattern=r"^https?://[^/@\s?#]+(/[\x21\x22\x24-\x3e\x41-\x7e]*)?$")
    """What comes before /api/v1."""
    query: str = Field(min_length=1, max_length=8192)
    above: float | None = Field(None, allow_inf_nan=False)
    """Active while any sample is above this; with neither bound, while there is any sample."""
    below: float | None = Field(None, allow_inf_nan=False)
    """Active while any sample is below this."""


class HttpSettings(_Asked):
    """A GET of a URL."""

    kind: Literal["http"] = "http"
    url: WebUrl = Field(pattern=r"^https?://[^/@\s?#]+(/[\x21\x22\x24-\x7e]*)?$")
    status: int = Field(200, ge=100, le=599)
    """The status of the answer while all is well."""
    text: str = Field("", max_length=1024)
    """What its body must hold."""
    failures: int = Field(3, ge=1, le=100)
    """So many looks in a row must find it otherwise."""


AlarmSettings = PrometheusSettings | HttpSettings

KINDS: Mapping[str, type[AlarmSettings]] = {"prometheus": PrometheusSettings, "http": HttpSettings}

_read = by_kind(KINDS, of="alarms", example='{"errors": {"kind": "prometheus", …}}')

AlarmsByName = Annotated[dict[str, AlarmSettings], NoDecode, BeforeValidator(_read)]
