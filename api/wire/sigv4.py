"""Signature Version 4 as the server sees it: who claims to have signed a request, and whether they did. Knows no keys
and no clock; the canonical form and the arithmetic are botocore's.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from api.wire.errors import WireError
from api.wire.model import SERVICE
from api.wire.values import SignedRequest
from workflows.triggering import printable

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SKEW_SECONDS: Final = 300.0
"""How far the sender's clock may be from ours."""

_CREDENTIAL = re.compile(
    r"(?P<key>[!-.0-~]{1,128})/(?P<date>[0-9]{8})/(?P<region>[!-.0-~]{1,64})/(?P<rest>[!-~]{1,64})"
)
_HEADER_NAMES = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+(?:;[a-z0-9!#$%&'*+.^_`|~-]+)*")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_ISO_BASIC = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Authorization:
    """What the header of that name says."""

    access_key: str
    date: str
    region: str
    service: str
    signed: tuple[str, ...]
    """Names of the signed headers."""
    signature: str


def authenticate(request: SignedRequest, secret_of: Callable[[str], str | None], now: float) -> str:
    """The access key id that signed the request; raises WireError. `secret_of` answers None for no such key."""
    claim = read_authorization(request)
    check_scope(request, claim, now)
    secret = secret_of(claim.access_key)
    # Keys are for good here: a session token was issued by someone else, and AWS too refuses one that it does not know.
    if secret is None or "x-amz-security-token" in request.headers:
        raise WireError("UnrecognizedClientException", "The security token included in the request is invalid.")
    check_signature(request, claim, secret)
    return claim.access_key


def claimed_key(headers: Mapping[str, str]) -> str | None:
    """The access key id that a request names, whoever signed it: for records of what was refused."""
    match = re.search(rf"Credential={_CREDENTIAL.pattern}", headers.get("authorization", ""))
    return match["key"] if match else None


def read_authorization(request: SignedRequest) -> Authorization:
    """The claim that a request makes; raises WireError."""
    header = request.headers.get("authorization", "").strip()
    if not header:
        raise WireError("MissingAuthenticationTokenException", "Missing Authentication Token")
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"Authorization header requires the algorithm {ALGORITHM}.")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    if missing := [name for name in ("Credential", "Signature", "SignedHeaders") if not parts.get(name)]:
        raise _incomplete(" ".join(f"Authorization header requires '{name}' parameter." for name in missing))
    if not request.headers.keys() & {"x-amz-date", "date"}:
        raise _incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    return _claim(parts["Credential"], parts["SignedHeaders"], parts["Signature"])


def check_scope(request: SignedRequest, claim: Authorization, now: float) -> None:
    """Refuse what was signed for another service or day, too long ago, or without what matters."""
    if claim.service != SERVICE:
        raise _wrong(f"Credential should be scoped to correct service: '{SERVICE}'.")
    for name in _must_be_signed(request):
        if name not in claim.signed:
            raise _wrong(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
    stamp = _stamp_of(request, claim)
    if stamp[:8] != claim.date:
        raise _wrong(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{claim.date}' != '{stamp[:8]}', from '{stamp}'."
        )
    _check_age(stamp, now)


def check_signature(request: SignedRequest, claim: Authorization, secret: str) -> None:
    """Refuse a request that was not signed with this secret, or that changed on its way."""
    if missing := [name for name in claim.signed if name not in request.headers]:
        raise _wrong(f"The signed header '{missing[0]}' is not in the request.")
    told = request.headers.get("x-amz-content-sha256")
    if told is not None and told != hashlib.sha256(request.body).hexdigest():
        # botocore would sign what the header says: then a body could be exchanged.
        raise _wrong("The value of x-amz-content-sha256 does not match the body.")
    expected = _Verifier(claim, secret).expected(request, _stamp_of(request, claim))
    if not hmac.compare_digest(expected, claim.signature):
        raise _wrong(
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
        )


class _Verifier(SigV4Auth):
    """botocore's signer, told which headers to sign instead of choosing them."""

    def __init__(self, claim: Authorization, secret: str) -> None:
        super().__init__(Credentials(claim.access_key, secret), claim.service, claim.region)
        self._signed = claim.signed

    def headers_to_sign(self, request: AWSRequest) -> Any:
        chosen = Message()
        for name in self._signed:
            chosen[name] = request.headers[name]
        return chosen

    def expected(self, request: SignedRequest, stamp: str) -> str:
        """The signature that the secret's owner would have made."""
        # The host is in the headers; the one in the address is not signed. Plain http: there the body always is.
        url = f"http://host{request.path}" + (f"?{request.query}" if request.query else "")
        headers = {name: request.headers[name] for name in self._signed}
        theirs = AWSRequest(method=request.method, url=url, data=request.body, headers=headers)
        theirs.context["timestamp"] = stamp
        text = self.string_to_sign(theirs, self.canonical_request(theirs))
        return str(self.signature(text, theirs))


def _claim(credential: str, signed: str, signature: str) -> Authorization:
    match = _CREDENTIAL.fullmatch(credential)
    service, _, end = match["rest"].partition("/") if match else ("", "", "")
    if not match or end != "aws4_request":
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."
        )
    if not _HEADER_NAMES.fullmatch(signed):
        raise _incomplete("SignedHeaders must be lower-case names with semicolons between.")
    if not _SIGNATURE.fullmatch(signature):
        raise _incomplete("Signature must be 64 lower-case hex digits.")
    names = tuple(signed.split(";"))
    return Authorization(match["key"], match["date"], match["region"], service, names, signature)


def _must_be_signed(request: SignedRequest) -> Iterable[str]:
    """What decides whom the request reaches, when, and what it does there."""
    yield "host"
    yield "x-amz-date" if "x-amz-date" in request.headers else "date"
    yield from (name for name in ("content-type", "x-amz-target") if name in request.headers)


def _stamp_of(request: SignedRequest, claim: Authorization) -> str:
    """When it was signed, as it was signed."""
    if "x-amz-date" in claim.signed:
        stamp = request.headers.get("x-amz-date", "").strip()
        return stamp if _ISO_BASIC.fullmatch(stamp) else _refuse_date(stamp)
    given = request.headers.get("date", "")
    try:
        return parsedate_to_datetime(given).astimezone(UTC).strftime(_STAMP)
    except (ValueError, OverflowError):
        return _refuse_date(given)


def _refuse_date(given: str) -> str:
    raise _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{printable(given, 40)}'.")


def _check_age(stamp: str, now: float) -> None:
    try:
        signed_at = datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        _refuse_date(stamp)
        return
    earliest, latest = now - SKEW_SECONDS, now + SKEW_SECONDS
    if signed_at < earliest:
        raise _wrong(f"Signature expired: {stamp} is now earlier than {_text(earliest)} ({_text(now)} - 5 min.)")
    if signed_at > latest:
        raise _wrong(f"Signature not yet current: {stamp} is still later than {_text(latest)} ({_text(now)} + 5 min.)")


def _text(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime(_STAMP)


def _incomplete(message: str) -> WireError:
    return WireError("IncompleteSignatureException", message)


def _wrong(message: str) -> WireError:
    return WireError("InvalidSignatureException", message)
