"""Access keys: how ids and secrets come about, and what the holder of a key may do. Values in, values out.

A secret is worked out from the installation's own key and the access key's record. So a signature can be verified, and
nothing that the store holds gives a secret away.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from typing import Any

from domain.access import AccessKey, Policy
from domain.errors import AccessDenied, CallerError
from workflows.admission import NAME
from workflows.triggering import printable

_READING = ("Get", "List", "BatchGet")
_ON_APPLICATION = frozenset({"CreateDeployment", "RegisterApplicationRevision"})
_ON_DEPLOYMENT = frozenset({"StopDeployment", "ContinueDeployment", "SkipWaitTimeForInstanceTermination"})
LONGEST_DESCRIPTION = 256


def access_key_id_of(random: bytes) -> str:
    """`SLIP` and sixteen of A-Z 2-7, from at least 10 random bytes: twenty characters, as AWS has them."""
    return "SLIP" + base64.b32encode(random[:10]).decode()


def secret_of(installation_key: bytes, key: AccessKey) -> str:
    """The secret access key: forty characters. Without the installation's key nobody can tell it."""
    said = f"secret access key\n{key.access_key_id}\n{key.nonce}".encode()
    return base64.b64encode(hmac.digest(installation_key, said, "sha256")[:30]).decode()


def check_key(key: AccessKey) -> None:
    """Raises CallerError for a key that cannot be: one to deploy that names no application, or another that does."""
    if key.policy is Policy.DEPLOY and not key.applications:
        raise CallerError("A key with the policy deploy needs the applications that it may deploy to.")
    if key.policy is not Policy.DEPLOY and key.applications:
        raise CallerError(f"A key with the policy {key.policy} names no applications.")
    if strange := [name for name in key.applications if not NAME.fullmatch(name)]:
        raise CallerError(f"No application can be named {printable(strange[0], 100)!r}.")
    if len(key.description) > LONGEST_DESCRIPTION or re.search(r"[\x00-\x1f\x7f]", key.description):
        raise CallerError(f"A description is one line of at most {LONGEST_DESCRIPTION} characters.")


def names_deployment(operation: str) -> bool:
    """Whether the operation acts on a deployment, so that its application has to be looked up to judge the call."""
    return operation in _ON_DEPLOYMENT


def authorize(key: AccessKey, operation: str, given: Mapping[str, Any], *, application: str | None) -> None:
    """Raises AccessDenied unless the key's policy allows the call. `application` is the name that the application of
    the deployment has today, None if there is no such deployment.

    A key names applications as an AWS policy does: by name, not by what had the name when the key was made. So a key
    loses an application that is renamed, and has whatever gets the name after it.
    """
    if key.policy is Policy.ADMINISTRATOR or operation.startswith(_READING):
        return
    if key.policy is Policy.DEPLOY and operation in _ON_APPLICATION | _ON_DEPLOYMENT:
        named = application if operation in _ON_DEPLOYMENT else given.get("applicationName")
        # What is not there needs no guard; the operation says so in its own words.
        if named in key.applications or (operation in _ON_DEPLOYMENT and named is None):
            return
        raise AccessDenied(
            f"The access key {key.access_key_id} is not authorized to perform codedeploy:{operation} on the "
            f"application {named}: its policy is {key.policy} for {', '.join(key.applications)}."
        )
    raise AccessDenied(
        f"The access key {key.access_key_id} is not authorized to perform codedeploy:{operation}: its policy is "
        f"{key.policy}."
    )
