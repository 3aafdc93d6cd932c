"""Signatures: what botocore signs is accepted, anything changed on its way is not, and every refusal has AWS's name."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from api.wire.errors import WireError
from api.wire.sigv4 import authenticate, claimed_key
from api.wire.values import SignedRequest
from tests.unit.api.wire.clients import KEY, PROTOCOLS, SECRET, Tap

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("ListApplications", {}),
    ("GetApplication", {"applicationName": "shop"}),
    ("StopDeployment", {"deploymentId": "d-1", "autoRollbackEnabled": True}),
    ("ListDeployments", {"createTimeRange": {"start": datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)}}),
    ("RegisterApplicationRevision", {"applicationName": "shop", "description": "größer", "revision": {}}),
]


def signed_at(request: SignedRequest) -> float:
    return datetime.fromisoformat(request.headers["x-amz-date"]).timestamp()


def check(request: SignedRequest, *, late: float = 0.0, secret: str | None = SECRET) -> str:
    return authenticate(request, {KEY: secret}.get, signed_at(request) + late)


def refused(request: SignedRequest, **how: Any) -> str:
    with pytest.raises(WireError) as caught:
        check(request, **how)
    assert SECRET not in caught.value.message
    return caught.value.code.removesuffix("Exception")


def changed(request: SignedRequest, **headers: str | None) -> SignedRequest:
    """The same with other headers; None takes one away."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    merged: dict[str, str | None] = {**request.headers, **names}
    return replace(request, headers={name: value for name, value in merged.items() if value is not None})


@pytest.fixture(scope="module", params=PROTOCOLS)
def tap(request: pytest.FixtureRequest) -> Tap:
    return Tap(request.param)


@pytest.fixture
def stop(tap: Tap) -> SignedRequest:
    return tap.request(*CALLS[2])


@pytest.mark.parametrize(("operation", "arguments"), CALLS, ids=[name for name, _ in CALLS])
def test_what_boto3_signs_is_accepted(tap: Tap, operation: str, arguments: dict[str, Any]) -> None:
    assert check(tap.request(operation, arguments)) == KEY


def test_a_query_is_part_of_what_is_signed(stop: SignedRequest) -> None:
    assert refused(replace(stop, query="a=1")) == "InvalidSignature"


@pytest.mark.parametrize("late", [299.0, -299.0, 0.5])
def test_clocks_may_differ_by_five_minutes(stop: SignedRequest, late: float) -> None:
    assert check(stop, late=late) == KEY


@pytest.mark.parametrize("late", [301.0, -301.0, 1e9, -1e9])
def test_clocks_may_not_differ_by_more(stop: SignedRequest, late: float) -> None:
    assert refused(stop, late=late) == "InvalidSignature"


def test_nothing_may_change_on_its_way(stop: SignedRequest) -> None:
    others = [
        replace(stop, body=stop.body + b" "),
        replace(stop, body=b""),
        replace(stop, path=f"/a{stop.path}"),
        replace(stop, method="PUT"),
        changed(stop, host="elsewhere"),
        changed(stop, content_type="text/plain"),
    ]
    assert {refused(other) for other in others} == {"InvalidSignature"}


def test_the_target_must_be_what_was_signed() -> None:
    stop = Tap("json").request(*CALLS[2])
    assert refused(changed(stop, x_amz_target="CodeDeploy_20141006.DeleteApplication")) == "InvalidSignature"
    without = stop.headers["authorization"].replace(";x-amz-target", "")
    assert refused(changed(stop, authorization=without)) == "InvalidSignature"


def test_another_secret_or_no_such_key(stop: SignedRequest) -> None:
    assert refused(stop, secret="another") == "InvalidSignature"
    assert refused(stop, secret=None) == "UnrecognizedClient"


def test_session_credentials_are_not_ours() -> None:
    assert refused(Tap("json", token="a-token").request(*CALLS[0])) == "UnrecognizedClient"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "IncompleteSignature"),
        ("AWS4-HMAC-SHA256 ", "Basic ", "IncompleteSignature"),
        ("Credential=", "Credentials=", "IncompleteSignature"),
        ("Signature=", "Signed=", "IncompleteSignature"),
        ("SignedHeaders=", "SignedHeaders=;", "IncompleteSignature"),
        ("SignedHeaders=", "SignedHeaders=Host;", "IncompleteSignature"),
        ("Signature=", "Signature=0", "IncompleteSignature"),
        ("/aws4_request", "/aws5_request", "IncompleteSignature"),
        ("/codedeploy/", "/", "IncompleteSignature"),
        ("/codedeploy/", "/s3/", "InvalidSignature"),
        ("/eu-north-1/", "/eu-south-1/", "InvalidSignature"),
        (f"{KEY}/20", f"{KEY}/19", "InvalidSignature"),
        ("host;", "", "InvalidSignature"),
        ("content-type;", "", "InvalidSignature"),
        ("host;", "host;no-such-header;", "InvalidSignature"),
        (KEY, "AKIDOTHER", "UnrecognizedClient"),
    ],
)
def test_a_claim_that_does_not_hold(stop: SignedRequest, old: str, new: str, code: str) -> None:
    header = stop.headers["authorization"]
    assert old in header
    assert refused(changed(stop, authorization=header.replace(old, new))) == code


def test_a_request_without_a_claim(stop: SignedRequest) -> None:
    with pytest.raises(WireError, match="Missing Authentication Token") as caught:
        authenticate(changed(stop, authorization=None), {KEY: SECRET}.get, 0.0)
    assert caught.value.code == "MissingAuthenticationTokenException"


@pytest.mark.parametrize(
    ("date", "code"),
    [
        (None, "IncompleteSignature"),
        ("yesterday", "IncompleteSignature"),
        ("20249999T999999Z", "InvalidSignature"),
        ("٢٠٢٤0102T030405Z", "IncompleteSignature"),
    ],
)
def test_odd_dates(stop: SignedRequest, date: str | None, code: str) -> None:
    with pytest.raises(WireError) as caught:
        authenticate(changed(stop, x_amz_date=date), {KEY: SECRET}.get, signed_at(stop))
    assert caught.value.code == f"{code}Exception"


def signed_by_hand(headers: dict[str, str], body: bytes = b"{}") -> SignedRequest:
    """Signed by botocore with just these headers."""
    request = AWSRequest("POST", "http://localhost/", {"Host": "localhost", **headers}, body)
    SigV4Auth(Credentials(KEY, SECRET), "codedeploy", "local").add_auth(request)
    return SignedRequest("POST", "/", "", {name.lower(): value for name, value in request.headers.items()}, body)


def test_a_date_header_does_as_well() -> None:
    request = signed_by_hand({"Date": format_datetime(datetime.now(UTC), usegmt=True)})
    assert "x-amz-date" not in request.headers
    now = datetime.now(UTC).timestamp()
    assert authenticate(request, {KEY: SECRET}.get, now) == KEY


def test_a_payload_hash_must_be_that_of_the_body() -> None:
    honest = signed_by_hand({"X-Amz-Content-SHA256": hashlib.sha256(b"{}").hexdigest()})
    assert check(honest) == KEY
    assert refused(replace(honest, body=b"[]")) == "InvalidSignature"
    assert refused(signed_by_hand({"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})) == "InvalidSignature"


def test_the_key_of_a_refused_request_is_known(stop: SignedRequest) -> None:
    assert claimed_key(stop.headers) == KEY
    assert claimed_key({}) is None
    assert claimed_key({"authorization": "Bearer a-secret"}) is None


@given(
    st.text(st.characters(codec="latin-1")),
    st.text(st.characters(codec="latin-1")),
    st.text(st.characters(codec="latin-1")),
)
def test_any_headers_are_refused_in_our_own_words(authorization: str, date: str, host: str) -> None:
    parts = (
        f"Credential={KEY}/{date[:8]}/x/codedeploy/aws4_request, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    )
    for header in (authorization, f"AWS4-HMAC-SHA256 {authorization}", f"AWS4-HMAC-SHA256 {parts}"):
        request = SignedRequest("POST", "/", "", {"authorization": header, "x-amz-date": date, "host": host}, b"")
        with pytest.raises(WireError):
            authenticate(request, {KEY: SECRET}.get, 0.0)
