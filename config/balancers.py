"""Load balancers of the settings: one model per kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from config.mappings import by_kind
from config.sections import Section, WebUrl

Port = Annotated[int, Field(ge=1, le=65535)]
Words = Annotated[tuple[str, ...], Field(min_length=1)]


class HaproxySettings(Section):
    """A backend of HAProxy, by its runtime API."""

    kind: Literal["haproxy"] = "haproxy"
    address: str = Field(pattern=r"^(/\S+|[A-Za-z0-9.-]+:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5})$")
    """The socket of its runtime API, at level admin: a path, or host:port."""
    backend: str = Field(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")
    server: str = Field("{id}", pattern=r"^[A-Za-z0-9_.:-]*\{id\}[A-Za-z0-9_.:-]*$")
    """What a host is called there; {id} is its id in Slipway."""
    servers: dict[str, str] = Field(default_factory=dict)
    """Hosts that are called otherwise there, by their ids."""
    default_port: Port | None = None
    """For hosts whose address has no port."""
    server_options: str = Field("", pattern=r"^[A-Za-z0-9_./:%, -]*$")
    """For servers that are added while HAProxy runs, beside `check`: what a default-server says does not hold for
    them."""
    drain_seconds: float = Field(300.0, ge=0)
    """What is in flight has so long to end."""


class NginxSettings(Section):
    """An upstream of nginx on the machine of the control plane."""

    kind: Literal["nginx"] = "nginx"
    upstream_file: Path
    """Holds the upstream and nothing else; nginx.conf includes it."""
    upstream: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")
    pid_file: Path = Path("/run/nginx.pid")
    test_command: Words = ("nginx", "-t")
    reload_command: Words = ("nginx", "-s", "reload")
    default_port: Port | None = None
    health_path: str = Field("", pattern=r"^(/[\x21-\x7e]*)?$")
    """A GET of it must be answered 2xx before a host is put in; without it, a connection is enough."""
    drain_seconds: float = Field(300.0, ge=0)


class WebhookSettings(Section):
    """Anything else, moved by what listens at a URL."""

    kind: Literal["webhook"] = "webhook"
    url: WebUrl = Field(pattern=r"^https?://[^/@\s?#]+(/[\x21-\x3e\x40-\x7e]*)?$")
    secret: SecretStr = Field(min_length=16)
    """Signs what is asked."""
    seconds: float = Field(10.0, gt=0, le=60)
    """One exchange may take this long."""
    ca_file: Path | None = None
    """Who signed the server's certificate, where the machine does not know."""


Balancer = HaproxySettings | NginxSettings | WebhookSettings

KINDS: Mapping[str, type[Balancer]] = {"haproxy": HaproxySettings, "nginx": NginxSettings, "webhook": WebhookSettings}

_read = by_kind(KINDS, of="load balancers", example='{"web": {"kind": "haproxy", …}}')

Balancers = Annotated[dict[str, Balancer], NoDecode, BeforeValidator(_read)]
