"""Settings: the only place that reads the environment. Every value has a default that suits the embedded installation.

Variables are named SLIPWAY_<SECTION>__<FIELD>; a YAML file named by SLIPWAY_CONFIG may hold the same, in lower case,
and the environment wins over it. Secrets are `SecretStr`: they show as stars wherever they are printed.
"""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.endpoint import Endpoint, read_endpoint
from domain.bundles import BundleLimits
from domain.errors import SlipwayError
from domain.limits import Limits

PREFIX = "SLIPWAY_"


class InvalidSettings(SlipwayError):
    """The settings cannot be used."""


class Section(BaseModel):
    """A part of the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AddressSettings(Section):
    """Where a server is."""

    url: SecretStr | None = None
    """redis://, rediss://, unix:///path?db=0 or, for the broker, amqp://; none: the embedded Redis of `slipway up`."""


class ControlSettings(Section):
    """The control workers."""

    concurrency: int = Field(4, ge=1, le=256)
    pool: str = Field("threads", pattern="^(threads|prefork|solo)$")
    visibility_timeout: int = Field(60, ge=5)
    """Seconds after which a message that a dead control worker held is delivered again; its tasks are short."""


class AgentSettings(Section):
    """The agent of a host."""

    host_id: str | None = None
    root: Path = Path("/")
    """The prefix of every destination: / on a real host, a folder of its own for a simulated one."""
    state: Path = Path("/var/lib/slipway")
    concurrency: int = Field(4, ge=1, le=64)
    heartbeat_seconds: float = Field(10.0, gt=0)
    max_revisions: int = Field(5, ge=1)
    script_grace_seconds: float = Field(10.0, ge=0)
    """Seconds between SIGTERM and SIGKILL for a script that ran over its time."""
    log_limit_bytes: int = Field(16 * 1024 * 1024, ge=4096)
    """Bytes of one deployment's scripts.log on the host."""
    allow_outside_sources: bool = False
    """Let `files` name sources outside the bundle."""
    local_revisions: bool = False
    """Let deployments name a revision by a path on this host."""
    bundle_limits: BundleLimits = BundleLimits()


class BundleSettings(Section):
    """The bundle store."""

    directory: Path | None = None
    """Where bundles are kept; <home>/bundles otherwise."""
    base_url: str = "http://127.0.0.1:8021"
    """Where agents and the command line reach it."""
    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65535)
    """0 picks a free port with `slipway up`, and 8021 otherwise."""
    key: SecretStr = SecretStr("")
    """Signs the links that hosts get."""
    token: SecretStr = SecretStr("")
    """Needed to put bundles in."""
    link_seconds: int = Field(3600, ge=60)


class FlowerSettings(Section):
    """The dashboard."""

    port: int = Field(0, ge=0, le=65535)
    """0 picks a free port with `slipway up`, and 5555 otherwise."""
    address: str = "127.0.0.1"
    basic_auth: SecretStr | None = None
    """user:password; needed wherever others reach the port."""


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid", env_ignore_empty=True
    )

    home: Path = Path(".slipway")
    """Where the embedded installation keeps its data."""
    region: str = Field("us-east-1", pattern=r"^[a-z0-9-]+$")
    account_id: str = Field("000000000000", pattern=r"^\d{12}$")
    prefix: str = Field("slipway", pattern=r"^[a-z0-9-]+$")
    """Begins every key of the store."""
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    store_log_limit_bytes: int = Field(1024 * 1024, ge=4096)
    """Bytes of one event's script log of one host in the control plane."""
    broker: AddressSettings = AddressSettings()
    store: AddressSettings = AddressSettings()
    control: ControlSettings = ControlSettings()
    agent: AgentSettings = AgentSettings()
    bundles: BundleSettings = BundleSettings()
    flower: FlowerSettings = FlowerSettings()
    limits: Limits = Limits()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what load_settings read from a file."""
        return env_settings, init_settings

    @property
    def node(self) -> str:
        """This machine's name, as workers are called after it."""
        return platform.node() or "localhost"

    @property
    def store_url(self) -> str:
        """Where the store is; raises InvalidSettings if nothing says so."""
        return _given(self.store, "store", self.home)

    @property
    def broker_url(self) -> str:
        """Where the broker is; the store's Redis unless set. Raises InvalidSettings if nothing says so."""
        return _given(self.broker if self.broker.url else self.store, "broker", self.home)


def _given(address: AddressSettings, what: str, home: Path) -> str:
    if address.url is None:
        raise InvalidSettings(
            f"no {what} is set and no installation runs in {home}: start one with `slipway up`, "
            f"or set {PREFIX}{what.upper()}__URL"
        )
    return address.url.get_secret_value()


def load_settings() -> Settings:
    """The settings of this process, with the addresses of the installation that runs in the home directory where none
    are given. Raises InvalidSettings naming the variable and what is wrong with it."""
    try:
        settings = Settings(**_from_file())
    except ValidationError as error:
        raise InvalidSettings("; ".join(_explained(problem) for problem in error.errors(include_input=False))) from None
    return settings if settings.store.url else _joined(settings, read_endpoint(settings.home))


def _from_file() -> dict[str, Any]:
    name = os.environ.get(f"{PREFIX}CONFIG")
    if not name:
        return {}
    try:
        content = yaml.safe_load(Path(name).read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise InvalidSettings(f"{PREFIX}CONFIG={name} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise InvalidSettings(f"{PREFIX}CONFIG={name} must hold a mapping of sections")
    return content


def _explained(problem: Any) -> str:
    name = PREFIX + "__".join(str(part).upper() for part in problem["loc"])
    return f"{name}: {problem['msg']}"


def _joined(settings: Settings, endpoint: Endpoint | None) -> Settings:
    """The settings with an embedded installation's addresses and secrets."""
    if endpoint is None:
        return settings
    bundles = settings.bundles.model_copy(
        update={
            "base_url": endpoint.bundles_url,
            "key": SecretStr(endpoint.bundles_key),
            "token": SecretStr(endpoint.bundles_token),
        }
    )
    broker = settings.broker if settings.broker.url else AddressSettings(url=SecretStr(endpoint.broker_url))
    store = AddressSettings(url=SecretStr(endpoint.store_url))
    return settings.model_copy(update={"bundles": bundles, "broker": broker, "store": store})


def masked(url: str) -> str:
    """The URL without its password, for people to see."""
    return re.sub(r"(?<=://)([^/@]*?):([^/]*)@", r"\1:***@", url)
