"""Who calls the API: keys made, found and revoked in the store, and each call judged and written down."""

from __future__ import annotations

import json
import logging
import logging.handlers
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from api.server import CallRecord
from api.wire.sigv4 import authenticate
from api.wire.values import SignedRequest
from domain.access import AccessKey, Policy
from domain.errors import AccessKeyDoesNotExist
from domain.ports import Store
from workflows import access

audit_log = logging.getLogger("slipway.audit")

PAGE = 500
KEY_SECONDS = 1.0
"""A key that was revoked is refused everywhere after so long."""
MOST_KNOWN = 1000


def create_key(
    store: Store, *, policy: Policy, applications: Sequence[str] = (), description: str = "", now: float
) -> AccessKey:
    """Make an access key and keep it. Raises CallerError for one that cannot be."""
    while True:
        made = AccessKey(
            access_key_id=access.access_key_id_of(secrets.token_bytes(10)),
            nonce=secrets.token_hex(16),
            policy=policy,
            applications=tuple(applications),
            description=description,
            create_time=now,
        )
        access.check_key(made)
        if store.access_keys.add(made.access_key_id, made):
            return made


def revoke_key(store: Store, access_key_id: str, *, now: float) -> AccessKey:
    """End a key; one that has ended stays as it is. Raises AccessKeyDoesNotExist."""
    ended = store.access_keys.change(
        access_key_id, lambda key: key.model_copy(update={"revoke_time": key.revoke_time or now})
    )
    if ended is None:
        raise AccessKeyDoesNotExist(f"There is no access key {access_key_id}; `slipway keys list` shows them.")
    return ended


def list_keys(store: Store) -> list[AccessKey]:
    """Every key, by id."""
    found: list[AccessKey] = []
    after = ""
    while names := store.access_keys.names(after=after, limit=PAGE):
        found += [key for key in store.access_keys.many(names) if key is not None]
        after = names[-1]
    return found


class Gate:
    """Judges calls by the keys in the store."""

    def __init__(self, store: Store, *, installation_key: bytes, now: Callable[[], float]) -> None:
        self._store, self._installation_key, self._now = store, installation_key, now
        self._known: dict[str, tuple[float, AccessKey | None]] = {}

    def authenticate(self, request: SignedRequest) -> AccessKey:
        """The key that signed the request; raises WireError as AWS answers."""
        found: list[AccessKey] = []

        def secret_of(access_key_id: str) -> str | None:
            key = self._key(access_key_id)
            if key is None or key.revoke_time is not None:
                return None
            found.append(key)
            return access.secret_of(self._installation_key, key)

        authenticate(request, secret_of, self._now())
        return found[0]

    def _key(self, access_key_id: str) -> AccessKey | None:
        """The key as it was a second ago at most: one that calls, calls often."""
        at, key = self._known.get(access_key_id, (float("-inf"), None))
        if not 0 <= self._now() - at < KEY_SECONDS:
            at, key = self._now(), self._store.access_keys.get(access_key_id)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[access_key_id] = at, key
        return key

    def authorize(self, key: AccessKey, operation: str, given: Mapping[str, Any]) -> None:
        """Raises AccessDenied for what the key may not do."""
        application = self._application_of(given) if access.names_deployment(operation) else None
        access.authorize(key, operation, given, application=application)

    def _application_of(self, given: Mapping[str, Any]) -> str | None:
        deployment = self._store.deployment(given.get("deploymentId") or "")
        application = self._store.applications.get(deployment.application_id) if deployment else None
        return application.application_name if application else None


class OpenGate:
    """Lets everyone do everything: for trying things out, by an explicit setting."""

    _anyone = AccessKey(access_key_id="anonymous", nonce="", policy=Policy.ADMINISTRATOR, create_time=0.0)

    def authenticate(self, _request: SignedRequest) -> AccessKey:
        """An administrator, whoever it is."""
        return self._anyone

    def authorize(self, _key: AccessKey, _operation: str, _given: Mapping[str, Any]) -> None:
        """Everything is allowed."""


def start_audit(file: Path | None) -> None:
    """Have calls written to the file, one JSON object a line, or to the log where there is none."""
    audit_log.setLevel(logging.INFO)
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    # Rotation tools move the file away; the handler notices and begins another.
    handler = logging.handlers.WatchedFileHandler(file)
    handler.setFormatter(logging.Formatter("%(message)s"))
    audit_log.addHandler(handler)
    audit_log.propagate = False


def audit(record: CallRecord[AccessKey]) -> None:
    """Write down who did what, and what came of it."""
    audit_log.info(
        "%s",
        json.dumps(
            {
                "at": record.at,
                "requestId": record.request_id,
                "accessKeyId": record.access_key,
                "policy": record.caller.policy if record.caller else None,
                "operation": record.operation,
                "application": record.application,
                "group": record.group,
                "deployment": record.deployment,
                "outcome": record.code,
                "status": record.status,
                "seconds": round(record.seconds, 6),
                "protocol": record.protocol,
            }
        ),
    )
