"""Revisions in S3 or any S3-compatible store: control looks at the object, and signs a link that ends for the hosts.

Credentials stay in here; no message names one, nor a link.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal, NamedTuple, NoReturn

from adapters.revisions.checking import bare_tag
from domain.errors import InvalidRevision, RevisionMissing, WorldError
from domain.reports import BundleSource
from domain.revisions import S3Location
from domain.values import Instant

GOOD_FOR = 30.0
"""Seconds for which a look at an object counts: thousands of hosts do not make thousands of requests."""
_REMEMBERED = 1000
_GONE = frozenset({404, 405})
"""405 is the answer for a version that is a delete marker."""
_PASSING = frozenset({408, 425, 429})


class _Look(NamedTuple):
    """What was seen of an object, and until when that counts."""

    sha256: str | None
    until: Instant


def make_s3_client(
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
    addressing: Literal["auto", "path"] = "auto",
) -> Any:
    """A boto3 client; what is left out, credentials above all, is found by boto3 in its usual places."""
    # boto3 takes a while to load, and most installations and all commands do without.
    import boto3
    from botocore.config import Config

    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": addressing},
        connect_timeout=5,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=config,
    )


class S3Links:
    """Signed links to objects. Safe for threads; the client is made at first use."""

    def __init__(self, make_client: Callable[[], Any], *, link_seconds: int) -> None:
        self._make_client = make_client
        self._link_seconds = link_seconds
        self._looks: dict[S3Location, _Look] = {}
        self._lock = threading.Lock()

    def source_of(self, location: S3Location, *, now: Instant) -> BundleSource:
        """A link to the object that works for a while, with the eTag the host has to find.

        Raises RevisionMissing if it is not there, InvalidRevision if it is another or may not be read, WorldError if S3
        does not answer.
        """
        with _Answering(location) as asking:
            sha256 = self._look(location, asking, now)
            link = self._client.generate_presigned_url(
                "get_object", Params=_named(location), ExpiresIn=self._link_seconds
            )
        return BundleSource(
            location=link, bundle_type=location.bundle_type, sha256=sha256, e_tag=location.e_tag or None
        )

    @cached_property
    def _client(self) -> Any:
        # boto3 does not promise that two threads may make clients at once.
        with self._lock:
            return self._make_client()

    def _look(self, location: S3Location, asking: _Answering, now: Instant) -> str | None:
        known = self._looks.get(location)
        if known is not None and now < known.until:
            return known.sha256
        asking.client = self._client
        head = self._client.head_object(**_named(location), ChecksumMode="ENABLED")
        _check_tag(location, head)
        # What names no version may be another object by the time a host fetches it, and nobody said that it must not.
        sha256 = _sha256_of(head) if location.version or location.e_tag else None
        with self._lock:
            if len(self._looks) >= _REMEMBERED:
                self._looks = {key: look for key, look in self._looks.items() if now < look.until}
            self._looks[location] = _Look(sha256, now + GOOD_FOR)
        return sha256


def _named(location: S3Location) -> dict[str, str]:
    named = {"Bucket": location.bucket, "Key": location.key}
    return {**named, "VersionId": location.version} if location.version else named


def _check_tag(location: S3Location, head: Mapping[str, Any]) -> None:
    found = bare_tag(str(head.get("ETag", "")))
    if location.e_tag and bare_tag(location.e_tag) != found:
        raise InvalidRevision(
            f"{_place(location)} has the eTag {found or 'none'}, but the revision says {bare_tag(location.e_tag)}: it "
            "was overwritten. Deploy the revision with its new eTag, or upload the old bytes again."
        )


def _sha256_of(head: Mapping[str, Any]) -> str | None:
    """The SHA-256 of the whole object in hex, where the store keeps one; that of the parts of an upload is another."""
    text = str(head.get("ChecksumSHA256", ""))
    if not text or "-" in text or head.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return raw.hex() if len(raw) == 32 else None


def _place(location: S3Location) -> str:
    version = f" (version {location.version})" if location.version else ""
    return f"The object {location.key}{version} in the S3 bucket {location.bucket}"


class _Answering:
    """Turns what botocore raises into our words. Its own texts are left out: they may hold addresses and keys."""

    def __init__(self, location: S3Location) -> None:
        self._location = location
        self.client: Any = None

    def __enter__(self) -> _Answering:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is None:
            return
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            NoCredentialsError,
            ParamValidationError,
            PartialCredentialsError,
        )

        match error:
            case ClientError():
                self._refused(error)
            case NoCredentialsError() | PartialCredentialsError():
                raise InvalidRevision(
                    f"{_place(self._location)} cannot be looked at: the control plane has no credentials for S3. Set "
                    "s3.access_key_id and s3.secret_access_key, or give it a role."
                ) from None
            case ParamValidationError() | ValueError():
                raise InvalidRevision(
                    f"{_place(self._location)} is no possible name in S3: check bucket, key and version."
                ) from None
            case BotoCoreError():
                raise WorldError(f"S3 does not answer for {self._location.bucket}: {type(error).__name__}") from None

    def _refused(self, error: Any) -> NoReturn:
        place = _place(self._location)
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if status >= 500 or status in _PASSING or "Slow" in _code(error) or "Thrott" in _code(error):
            raise WorldError(f"S3 does not answer for {self._location.bucket}: {status} {_code(error)}") from None
        if status in _GONE or (status == 400 and self._location.version):
            raise RevisionMissing(self._missing()) from None
        if status == 403:
            raise InvalidRevision(
                f"{place} may not be read by the control plane, or is not there: give its credentials s3:GetObject"
                f"{' and s3:GetObjectVersion' if self._location.version else ''} (and s3:ListBucket, so that a missing "
                "object is told apart), and check bucket and key."
            ) from None
        raise InvalidRevision(
            f"{place} cannot be looked at: S3 answers {status}. Check the settings s3.region, s3.endpoint_url and the "
            "credentials of the control plane."
        ) from None

    def _missing(self) -> str:
        bucket = self._location.bucket
        if self._bucket_missing():
            return f"There is no S3 bucket {bucket}: check its name, and the settings s3.endpoint_url and s3.region."
        version = f" of version {self._location.version}" if self._location.version else ""
        return (
            f"There is no object {self._location.key}{version} in the S3 bucket {bucket}: upload it again, or deploy "
            "another revision."
        )

    def _bucket_missing(self) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.client.head_bucket(Bucket=self._location.bucket)
        except ClientError as error:
            return bool(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404)
        except BotoCoreError:
            return False
        return False


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
