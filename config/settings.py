"""Settings: the only place that reads the environment. Every value has a default that suits the embedded installation.

Variables are named SLIPWAY_<SECTION>__<FIELD>; a YAML file named by SLIPWAY_CONFIG may hold the same, in lower case,
and the environment wins over it. Secrets are `SecretStr`: they show as stars wherever they are printed.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.alarms import AlarmsByName
from config.balancers import Balancers
from config.endpoint import Endpoint, read_endpoint
from config.environments import Environments
from config.publishers import PublisherSettings
from config.sections import (
    AddressSettings,
    AgentSettings,
    ApiSettings,
    AwsSettings,
    BrokerSettings,
    BundleSettings,
    ControlSettings,
    FlowerSettings,
    GitHubSettings,
    LimitSettings,
    QuotaSettings,
    S3Settings,
    StoreSettings,
)
from config.sources import PREFIX, InvalidSettings, check_variables, keys_of, names_of, read_file, variable
from config.urls import masked

__all__ = ["AgentSettings", "InvalidSettings", "Settings", "load_settings", "masked", "variables"]


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        hide_input_in_errors=True,
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
    broker: BrokerSettings = BrokerSettings()
    store: StoreSettings = StoreSettings()
    control: ControlSettings = ControlSettings()
    agent: AgentSettings = AgentSettings()
    bundles: BundleSettings = BundleSettings()
    s3: S3Settings = S3Settings()
    github: GitHubSettings = GitHubSettings()
    api: ApiSettings = ApiSettings()
    aws: AwsSettings = AwsSettings()
    flower: FlowerSettings = FlowerSettings()
    limits: LimitSettings = LimitSettings()
    quotas: QuotaSettings = QuotaSettings()
    environments: Environments = {}
    load_balancers: Balancers = {}
    """By the names that deployment groups use for them, in either of their lists."""
    alarms: AlarmsByName = {}
    """By the names that deployment groups use for them."""
    publishers: PublisherSettings = PublisherSettings()

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


def variables() -> list[str]:
    """The variable of every setting."""
    return [variable(path) for path in names_of(Settings)]


def load_settings() -> Settings:
    """The settings of this process, with the addresses of the installation that runs in the home directory where none
    are given. Raises InvalidSettings naming the variable and what is wrong with it."""
    check_variables(os.environ, variables())
    file = os.environ.get(f"{PREFIX}CONFIG", "")
    content = read_file(file, names_of(Settings)) if file else {}
    try:
        settings = Settings(**content)
    except ValidationError as error:
        places = {key: f" ({key} in {file})" for key in keys_of(content)}
        problems = error.errors(include_input=False, include_url=False)
        raise InvalidSettings("; ".join(_explained(problem, places) for problem in problems)) from None
    return settings if settings.store.url else _joined(settings, read_endpoint(settings.home))


def _explained(problem: Any, places: dict[str, str]) -> str:
    name = variable(problem["loc"])
    place = "" if name in os.environ else places.get(".".join(map(str, problem["loc"])), "")
    return f"{name}{place}: {problem['msg'].removeprefix('Value error, ')}"


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
    api = settings.api.model_copy(update={"key": SecretStr(endpoint.api_key)})
    broker = settings.broker if settings.broker.url else BrokerSettings(url=SecretStr(endpoint.broker_url))
    store = StoreSettings(url=SecretStr(endpoint.store_url))
    return settings.model_copy(update={"api": api, "bundles": bundles, "broker": broker, "store": store})
