"""What the holder of an access key may do, operation by operation; and what its secret is made of."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.wire.model import OPERATIONS
from domain.access import AccessKey, Policy
from domain.errors import AccessDenied, CallerError
from workflows.access import access_key_id_of, authorize, check_key, names_deployment, secret_of

READING = {operation for operation in OPERATIONS if operation.startswith(("Get", "List", "BatchGet"))}
ON_DEPLOYMENT = {"StopDeployment", "ContinueDeployment", "SkipWaitTimeForInstanceTermination"}
ON_APPLICATION = {"CreateDeployment", "RegisterApplicationRevision"}


def a_key(policy: Policy, *applications: str, **more: Any) -> AccessKey:
    return AccessKey(
        access_key_id="SLIPAAAA", nonce="n", policy=policy, applications=applications, create_time=0.0, **more
    )


def allowed(key: AccessKey, operation: str, *, application: str | None = None, **given: Any) -> bool:
    try:
        authorize(key, operation, given, application=application)
    except AccessDenied:
        return False
    return True


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_every_operation_is_for_some_keys(operation: str) -> None:
    shop = {"applicationName": "shop"}
    assert allowed(a_key(Policy.ADMINISTRATOR), operation, **shop)
    assert allowed(a_key(Policy.READ_ONLY), operation, **shop) == (operation in READING)
    deploys = a_key(Policy.DEPLOY, "shop", "store")
    may = operation in READING | ON_DEPLOYMENT | ON_APPLICATION
    assert allowed(deploys, operation, application="shop", **shop) == may
    assert allowed(deploys, operation, application="other", applicationName="other") == (operation in READING)
    assert names_deployment(operation) == (operation in ON_DEPLOYMENT)


def test_a_deployment_counts_by_its_application_and_not_by_what_the_call_says() -> None:
    key = a_key(Policy.DEPLOY, "shop")
    assert not allowed(key, "StopDeployment", application="other", applicationName="shop")
    # Nothing to guard: the operation says that there is no such deployment.
    assert allowed(key, "StopDeployment", application=None)
    assert not allowed(key, "CreateDeployment", application="shop")


def test_a_refusal_says_which_key_may_not_do_what() -> None:
    with pytest.raises(
        AccessDenied, match=r"SLIPAAAA.*codedeploy:CreateDeployment.*application other.*for shop, store"
    ):
        authorize(
            a_key(Policy.DEPLOY, "shop", "store"), "CreateDeployment", {"applicationName": "other"}, application=None
        )
    with pytest.raises(AccessDenied, match=r"SLIPAAAA.*codedeploy:DeleteApplication.*read-only"):
        authorize(a_key(Policy.READ_ONLY), "DeleteApplication", {"applicationName": "shop"}, application=None)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (a_key(Policy.DEPLOY), "needs the applications"),
        (a_key(Policy.READ_ONLY, "shop"), "names no applications"),
        (a_key(Policy.ADMINISTRATOR, "shop"), "names no applications"),
        (a_key(Policy.DEPLOY, "shop", "two words"), "two words"),
        (a_key(Policy.DEPLOY, ""), "named"),
        (a_key(Policy.ADMINISTRATOR, description="x" * 257), "256"),
        (a_key(Policy.ADMINISTRATOR, description="two\nlines"), "one line"),
    ],
)
def test_keys_that_cannot_be(key: AccessKey, text: str) -> None:
    with pytest.raises(CallerError, match=text):
        check_key(key)


@pytest.mark.parametrize("key", [a_key(Policy.DEPLOY, "shop"), a_key(Policy.ADMINISTRATOR, description="ü" * 256)])
def test_keys_that_can(key: AccessKey) -> None:
    check_key(key)


@given(st.binary(min_size=10, max_size=16))
def test_ids_look_as_those_of_aws(random: bytes) -> None:
    made = access_key_id_of(random)
    assert len(made) == 20
    assert made.startswith("SLIP")
    assert base64.b32decode(made[4:]) == random[:10]


@given(st.binary(min_size=1), st.text(max_size=32), st.text(max_size=32))
def test_a_secret_is_of_its_key_and_of_its_installation_alone(installation: bytes, one: str, other: str) -> None:
    key = a_key(Policy.READ_ONLY).model_copy(update={"nonce": one})
    secret = secret_of(installation, key)
    assert len(secret) == 40
    assert secret == secret_of(installation, key.model_copy(update={"description": "said later", "revoke_time": 1.0}))
    assert secret != secret_of(installation + b"x", key)
    if one != other:
        assert secret != secret_of(installation, key.model_copy(update={"nonce": other}))
    assert secret != secret_of(installation, key.model_copy(update={"access_key_id": "SLIPBBBB"}))
