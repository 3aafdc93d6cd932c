"""What S3's answers mean: gone, refused or away. Texts hold no key and no link."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from adapters.revisions.s3 import S3Links
from domain.errors import InvalidRevision, RevisionMissing, SlipwayError, WorldError
from domain.revisions import S3Location

HUSH = "AKIDHUSH"


def refusal(status: int, code: str = "") -> ClientError:
    told: Any = {
        "Error": {"Code": code or str(status), "Message": f"no {HUSH}"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(told, "HeadObject")


class Client:
    """An S3 that has the object, or fails."""

    def __init__(self, fault: Exception | None = None, **head: Any) -> None:
        self.fault, self.head = fault, head
        self.asked: list[dict[str, Any]] = []

    def head_object(self, **named: Any) -> dict[str, Any]:
        self.asked.append(named)
        if self.fault:
            raise self.fault
        return self.head

    def head_bucket(self, **_: Any) -> None:
        """The bucket is there."""

    def generate_presigned_url(self, _: str, *, Params: dict[str, Any], ExpiresIn: int) -> str:  # noqa: N803
        return f"https://s3/{Params['Key']}?X-Amz-Expires={ExpiresIn}&X-Amz-Signature={HUSH}"


def look(client: Client, **more: Any) -> Any:
    location = S3Location(bucket="releases", key="app.zip", bundle_type="zip", **more)
    return S3Links(lambda: client, link_seconds=60).source_of(location, now=0.0)


@pytest.mark.parametrize(
    ("fault", "more", "kind", "says"),
    [
        (refusal(404), {}, RevisionMissing, "no object app.zip in the S3 bucket releases"),
        (refusal(405), {"version": "v"}, RevisionMissing, "of version v"),
        (refusal(400), {"version": "v"}, RevisionMissing, "of version v"),
        (refusal(400), {}, InvalidRevision, "S3 answers 400"),
        (refusal(301), {}, InvalidRevision, "s3.region"),
        (refusal(403), {}, InvalidRevision, "s3:GetObject "),
        (refusal(403), {"version": "v"}, InvalidRevision, "s3:GetObjectVersion"),
        (refusal(503, "SlowDown"), {}, WorldError, "503 SlowDown"),
        (refusal(400, "ThrottlingException"), {}, WorldError, "Throttling"),
        (refusal(429), {}, WorldError, "429"),
        (refusal(500), {}, WorldError, "500"),
        (ConnectTimeoutError(endpoint_url=f"https://{HUSH}"), {}, WorldError, "ConnectTimeoutError"),
        (ReadTimeoutError(endpoint_url=f"https://{HUSH}"), {}, WorldError, "ReadTimeoutError"),
        (NoCredentialsError(), {}, InvalidRevision, "no credentials for S3"),
        (ParamValidationError(report=HUSH), {}, InvalidRevision, "no possible name"),
        (BotoCoreError(), {}, WorldError, "does not answer"),
    ],
)
def test_what_an_answer_means(fault: Exception, more: dict[str, str], kind: type[SlipwayError], says: str) -> None:
    with pytest.raises(SlipwayError, match=says) as told:
        look(Client(fault), **more)
    assert type(told.value) is kind
    assert HUSH not in told.value.message
    assert told.value.__cause__ is None


@pytest.mark.parametrize("tag", ['"abc"', "abc"])
def test_quotes_of_an_etag_do_not_count(tag: str) -> None:
    assert look(Client(ETag='"abc"'), e_tag=tag).e_tag == tag
    with pytest.raises(InvalidRevision, match="has the eTag abd"):
        look(Client(ETag='"abd"'), e_tag=tag)


@pytest.mark.parametrize(
    "head",
    [
        {"ChecksumSHA256": "P8TM/nRYcOLA2Z9x8w/wZWyN7dQcwdfT03aw2+aF4vM=-3"},
        {"ChecksumSHA256": "P8TM/nRYcOLA2Z9x8w/wZWyN7dQcwdfT03aw2+aF4vM=", "ChecksumType": "COMPOSITE"},
        {"ChecksumSHA256": "short"},
        {"ChecksumSHA256": "QUJD"},
        {},
    ],
)
def test_a_checksum_of_parts_is_none_of_the_whole(head: dict[str, Any]) -> None:
    assert look(Client(**head), version="v").sha256 is None


def test_a_link_does_not_show_in_what_is_printed() -> None:
    source = look(Client())
    assert HUSH in source.location
    assert HUSH not in f"{source} {source!r}"


def test_failures_are_not_remembered() -> None:
    client = Client(refusal(503))
    location = S3Location(bucket="releases", key="app.zip", bundle_type="zip")
    links = S3Links(lambda: client, link_seconds=60)
    with pytest.raises(WorldError):
        links.source_of(location, now=0.0)
    client.fault = None
    assert links.source_of(location, now=0.0).bundle_type == "zip"
