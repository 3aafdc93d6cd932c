"""The sections of the settings: frozen models that say what each value may be. Read nothing themselves."""

from __future__ import annotations

import json
from collections.abc import Collection
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from config.urls import BROKER_SCHEMES, REDIS_SCHEMES, checked_url, checked_web_url
from domain.bundles import BundleLimits
from domain.limits import Limits, Quotas

WebUrl = Annotated[str, AfterValidator(checked_web_url)]
"""An http or https URL whose host and port can be."""


class Section(BaseModel):
    """A part of the settings. Its errors never repeat what was given: it could be a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AddressSettings(Section):
    """Where a server is."""

    schemes: ClassVar[Collection[str]] = REDIS_SCHEMES

    url: SecretStr | None = None

    @field_validator("url")
    @classmethod
    def _checked(cls, url: SecretStr | None) -> SecretStr | None:
        return url and SecretStr(checked_url(url.get_secret_value(), cls.schemes))


class BrokerSettings(AddressSettings):
    """The broker: redis://, rediss://, unix:///path?db=0, amqp:// or amqps://; none: the store's Redis."""

    schemes: ClassVar[Collection[str]] = BROKER_SCHEMES


class StoreSettings(AddressSettings):
    """The store: redis://, rediss:// or unix:///path?db=0; none: the embedded Redis of `slipway up`."""


class ControlSettings(Section):
    """The control workers."""

    concurrency: int = Field(4, ge=1, le=256)
    pool: str = Field("threads", pattern="^(threads|prefork|solo)$")
    visibility_timeout: int = Field(60, ge=5)
    """Seconds after which a message that a dead control worker held is delivered again; its tasks are short."""


class AgentSettings(Section):
    """The agent of a host."""

    host_id: str | None = None
    """`ec2`: the id of the EC2 instance this is."""
    metadata_url: WebUrl = Field("http://169.254.169.254", pattern=r"^https?://\S+$")
    """The instance metadata service, for `ec2`."""
    root: Path = Path("/")
    """The prefix of every destination: / on a real host, a folder of its own for a simulated one."""
    state: Path = Path("/var/lib/slipway")
    concurrency: int = Field(1, ge=1, le=64)
    """Events at once, of different deployments."""
    heartbeat_seconds: float = Field(10.0, ge=0.5, le=600)
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
    overwritten_limit_bytes: int = Field(256 * 1024 * 1024, ge=0)
    """Bytes that a group may keep of others' files which OVERWRITE replaced, for a rollback."""


class BundleSettings(Section):
    """The bundle store."""

    directory: Path | None = None
    """Where bundles are kept; <home>/bundles otherwise."""
    base_url: WebUrl = Field("http://127.0.0.1:8021", pattern=r"^https?://\S+$")
    """Where agents and the command line reach it."""
    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65535)
    """0 picks a free port with `slipway up`, and 8021 otherwise."""
    key: SecretStr = SecretStr("")
    """Signs the links that hosts get."""
    token: SecretStr = SecretStr("")
    """Needed to put bundles in."""
    link_seconds: int = Field(3600, ge=60)


class S3Settings(Section):
    """S3, or a store that speaks as it does. What is left out, boto3 finds where it always looks."""

    endpoint_url: WebUrl | None = Field(None, pattern=r"^https?://[^/@\s?#]+(/[^@\s?#]*)?$")
    """Where control and the hosts reach the store; AWS otherwise. A login has no place in it."""
    region: str | None = Field(None, pattern=r"^[a-z0-9-]+$")
    access_key_id: str | None = Field(None, min_length=1)
    secret_access_key: SecretStr | None = None
    link_seconds: int = Field(3600, ge=60, le=604_800)
    """How long a link is good for; one that was signed with a role's credentials ends with those."""
    addressing: Literal["auto", "path"] = "auto"
    """`path` for stores that know no host name per bucket."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("set access_key_id and secret_access_key, or neither")
        return self


class GitHubSettings(Section):
    """GitHub, as the bundle server pulls commits from it."""

    api_url: WebUrl = Field("https://api.github.com", pattern=r"^https?://[^/@\s?#]+(/[^@\s?#]*)?$")
    tokens: Annotated[dict[str, SecretStr], NoDecode] = {}
    """Tokens by a name of your own."""
    owners: Annotated[dict[str, str], NoDecode] = {}
    """The name of the token for each owner's repositories; `*` stands for all other owners."""
    seconds: float = Field(300.0, gt=0)
    """An archive may take this long."""
    max_bytes: int = Field(1024**3, ge=1)
    """An archive may be this large."""

    @field_validator("tokens", "owners", mode="before")
    @classmethod
    def _read(cls, given: object) -> object:
        """A mapping in a variable is JSON; read here, where an error does not repeat it."""
        if not isinstance(given, str):
            return given
        try:
            return json.loads(given)
        except ValueError:
            raise ValueError('must be JSON, as in {"name": "value"}') from None

    @model_validator(mode="after")
    def _names_of_tokens(self) -> Self:
        if strange := set(self.owners.values()) - self.tokens.keys():
            raise ValueError(f"owners name {', '.join(sorted(strange))}, and tokens hold no such name")
        return self


class ApiSettings(Section):
    """The CodeDeploy API."""

    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65535)
    """0 picks a free port with `slipway up`, and 8020 otherwise."""
    key: SecretStr = SecretStr("")
    """The secrets of access keys and the marks on paging tokens are worked out from it; a new one ends all keys."""
    authenticate: bool = True
    """False takes every call without looking at its signature."""
    max_body_bytes: int = Field(1024 * 1024, ge=1024)
    audit_file: Path | None = None
    """Where every call is written down, one JSON object a line; the log otherwise."""


class AwsSettings(Section):
    """AWS, or what speaks like it. Off, no AWS account is needed."""

    enabled: bool = False
    """Look for targets among EC2 instances and Auto Scaling groups."""
    region: str = Field("", pattern=r"^[a-z0-9-]*$")
    """Where the instances are; the installation's region otherwise."""
    endpoint_url: WebUrl = Field("", pattern=r"^(https?://\S+)?$")
    """For a service that speaks like AWS; AWS's own endpoints otherwise."""
    access_key_id: SecretStr = SecretStr("")
    """Without a key the usual places are searched: variables of AWS, a profile, the role of the machine."""
    secret_access_key: SecretStr = SecretStr("")
    session_token: SecretStr = SecretStr("")
    lifecycle_queue_url: WebUrl = Field("", pattern=r"^(https?://\S+)?$")
    """The SQS queue on which Auto Scaling tells of instances that a lifecycle hook holds; none: nobody listens."""
    lifecycle_queue_arn: str = Field("", pattern=r"^(arn:[a-z-]+:sqs:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,80})?$")
    """With it, deployment groups get hooks of their own on their Auto Scaling groups, which tell this queue."""
    lifecycle_role_arn: str = Field("", pattern=r"^(arn:[a-z-]+:iam::\d{12}:role/\S+)?$")
    """The role by which Auto Scaling may write to that queue."""

    @property
    def hooks(self) -> bool:
        """Deployment groups get lifecycle hooks."""
        return self.enabled and bool(self.lifecycle_queue_arn)

    @model_validator(mode="after")
    def _whole_queue(self) -> Self:
        if bool(self.lifecycle_queue_arn) != bool(self.lifecycle_role_arn):
            raise ValueError("lifecycle_queue_arn and lifecycle_role_arn belong together: give both or neither")
        if self.lifecycle_queue_arn and not self.lifecycle_queue_url:
            raise ValueError("lifecycle_queue_arn is told by hooks, and nobody listens there: set lifecycle_queue_url")
        if self.lifecycle_queue_url and not self.enabled:
            raise ValueError("lifecycle_queue_url needs aws.enabled")
        return self

    @model_validator(mode="after")
    def _whole_key(self) -> Self:
        if bool(self.access_key_id.get_secret_value()) != bool(self.secret_access_key.get_secret_value()):
            raise ValueError("access_key_id and secret_access_key belong together: give both or neither")
        return self


class FlowerSettings(Section):
    """The dashboard."""

    port: int = Field(0, ge=0, le=65535)
    """0 picks a free port with `slipway up`, and 5555 otherwise."""
    address: str = "127.0.0.1"
    basic_auth: SecretStr | None = None
    """user:password; needed wherever others reach the port."""

    @field_validator("basic_auth")
    @classmethod
    def _has_user_and_password(cls, login: SecretStr | None) -> SecretStr | None:
        user, _, password = login.get_secret_value().partition(":") if login else ("user", ":", "password")
        if not (user and password):
            raise ValueError("must look like user:password")
        return login

    @model_validator(mode="after")
    def _closed_to_others(self) -> Self:
        if self.basic_auth is None and not _only_this_machine(self.address):
            raise ValueError("others can reach this address: set basic_auth to user:password, or address to 127.0.0.1")
        return self


class LimitSettings(Limits):
    """The engine's time limits, in seconds."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="after")
    def _leave_time(self) -> Self:
        if self.nudge_seconds >= self.pickup_seconds:
            raise ValueError("nudge_seconds must be less than pickup_seconds: a host is given up after those")
        if self.look_seconds > self.event_seconds:
            raise ValueError("look_seconds must not be more than event_seconds: nobody would look while an event runs")
        return self


class QuotaSettings(Quotas):
    """How much there may be of what."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


def _only_this_machine(address: str) -> bool:
    try:
        return address == "localhost" or ip_address(address).is_loopback
    except ValueError:
        return False
