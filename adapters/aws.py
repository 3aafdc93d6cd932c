"""AWS through boto3: clients that are made when first needed, and whose fault it is when a call fails.

Knows no service's words; an adapter of a service does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from domain.errors import CannotBegin, MissingCredentials, MissingRights, NoSubscription, WorldError

REFUSALS = frozenset(
    {
        *("UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthFailure", "InvalidClientTokenId"),
        *("SignatureDoesNotMatch", "UnrecognizedClientException", "InvalidAccessKeyId", "MissingAuthenticationToken"),
    }
)
"""Answers that stay the same until somebody changes rights or credentials. An expired token is not among them: whoever
renews it may be late."""
NOT_SUBSCRIBED = frozenset({"OptInRequired", "PendingVerification", "Blocked"})


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """Where AWS is and who asks; without a key boto3 looks for credentials itself (variables, profile, role)."""

    region: str
    endpoint_url: str = ""
    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call may take."""

    connect_seconds: float = 3.0
    read_seconds: float = 10.0
    tries: int = 3
    """With a back-off between them; then the engine tries again at its own pace."""


PATIENT = Patience()
IMPATIENT = Patience(connect_seconds=2.0, read_seconds=5.0, tries=1)
"""For what is asked again soon in any case."""


class Aws:
    """The clients of one account in one region."""

    def __init__(self, access: AwsAccess, patience: Patience = PATIENT) -> None:
        self._access, self._patience = access, patience
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The client of a service; one serves all threads."""
        with self._lock:
            if service not in self._clients:
                with answering(service, "a client"):
                    self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: str) -> Any:
        # boto3 takes long to load, and most installations never need it.
        import boto3
        from botocore.config import Config

        access = self._access
        session = boto3.session.Session(
            aws_access_key_id=access.access_key_id or None,
            aws_secret_access_key=access.secret_access_key or None,
            aws_session_token=access.session_token or None,
            region_name=access.region,
        )
        config = Config(
            connect_timeout=self._patience.connect_seconds,
            read_timeout=self._patience.read_seconds,
            retries={"mode": "standard", "total_max_attempts": self._patience.tries},
        )
        make: Any = session.client
        return make(service, endpoint_url=access.endpoint_url or None, config=config)

    def pages(self, service: str, operation: str, **asked: object) -> Iterator[Mapping[str, Any]]:
        """Every page of an answer; `operation` in boto3's spelling. Raises WorldError or CannotBegin."""
        client = self.client(service)
        with answering(service, client.meta.method_to_api_mapping[operation]):
            yield from client.get_paginator(operation).paginate(**asked)


@contextmanager
def answering(service: str, call: str) -> Iterator[None]:
    """Says whose fault a failed call is: missing rights and credentials are CannotBegin, all else WorldError."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise MissingCredentials(
            f"AWS cannot be asked for {service}:{call}: {error}. Give the control plane a role or credentials."
        ) from error
    except ClientError as error:
        raise _explained(service, call, error.response.get("Error", {})) from error
    except BotoCoreError as error:
        raise WorldError(f"AWS does not answer {service}:{call}: {error}") from error


def told_by(error: WorldError | CannotBegin) -> tuple[str, str]:
    """The code and message that AWS answered behind an error of `answering`; empty where it did not answer."""
    told: Mapping[str, Any] = getattr(error.__cause__, "response", {}).get("Error", {})
    return str(told.get("Code", "")), str(told.get("Message", "")).rstrip(".")


def _explained(service: str, call: str, error: Mapping[str, Any]) -> MissingRights | NoSubscription | WorldError:
    code, message = str(error.get("Code", "")), str(error.get("Message", "")).rstrip(".")
    if code in REFUSALS:
        return MissingRights(
            f"AWS refuses the call {service}:{call} ({code}: {message}). Let the control plane's credentials make it."
        )
    if code in NOT_SUBSCRIBED:
        return NoSubscription(f"The AWS account cannot make the call {service}:{call} ({code}: {message}).")
    return WorldError(f"AWS does not answer {service}:{call} as it should ({code}: {message})")
