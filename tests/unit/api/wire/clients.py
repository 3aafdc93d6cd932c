"""botocore as the other side: its requests in both protocols, caught before they leave, and values of its shapes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from hypothesis import strategies as st

from api.wire.model import MODEL
from api.wire.values import SignedRequest

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI"
PROTOCOLS = ("json", "smithy-rpc-v2-cbor")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def make_client(
    protocol: str,
    endpoint: str = "http://127.0.0.1:18099",
    *,
    key: str = KEY,
    secret: str = SECRET,
    token: str | None = None,
) -> Any:
    """botocore's client, with a model that offers this protocol alone."""
    session = botocore.session.Session()
    loader = session.get_component("data_loader")
    load = loader.load_service_model

    def load_patched(service: str, kind: str, api_version: str | None = None) -> dict[str, Any]:
        found: dict[str, Any] = load(service, kind, api_version)
        if (service, kind) == ("codedeploy", "service-2"):
            return {**found, "metadata": {**found["metadata"], "protocols": [protocol]}}
        return found

    loader.load_service_model = load_patched
    return session.create_client(
        "codedeploy",
        region_name="eu-north-1",
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )


class Tap:
    """A client whose requests are caught and answered with nothing."""

    def __init__(self, protocol: str, **client: Any) -> None:
        self._client = make_client(protocol, **client)
        self._client.meta.events.register("before-send", self._catch)
        self._nothing = b"{}" if protocol == "json" else b"\xa0"
        self._caught: AWSPreparedRequest | None = None

    def request(self, operation: str, given: dict[str, Any]) -> SignedRequest:
        """What the client would have sent."""
        self._client._make_api_call(operation, given)
        caught = self._caught
        assert caught is not None
        assert caught.method
        headers = {name.lower(): _text(value) for name, value in caught.headers.items()}
        # The connection adds it when it sends, and signs it before.
        headers.setdefault("host", "127.0.0.1:18099")
        path = caught.url.removeprefix("http://127.0.0.1:18099") if caught.url else ""
        return SignedRequest(caught.method, path, "", headers, _bytes(caught.body))

    def _catch(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self._caught = request
        return AWSResponse(request.url or "", 200, {}, _Nothing(self._nothing))  # type: ignore[arg-type]


class _Nothing:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        return [self._body]


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _bytes(body: object) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body or b"")  # type: ignore[call-overload]


def moments() -> st.SearchStrategy[datetime]:
    """To the millisecond, as far as every form of a timestamp goes."""
    return st.integers(0, 4_000_000_000_000).map(lambda ms: EPOCH + timedelta(milliseconds=ms))


def values_of(shape: Shape, *, needed: bool = False) -> st.SearchStrategy[Any]:
    """Values that the shape accepts. What an input needs is not empty."""
    match shape:
        case StructureShape():
            members = {
                name: values_of(each, needed=name in shape.required_members) for name, each in shape.members.items()
            }
            required = {name: members.pop(name) for name in shape.required_members}
            return st.fixed_dictionaries(required, optional=members)
        case ListShape():
            most = min(3, shape.metadata.get("max", 3))
            return st.lists(values_of(shape.member), min_size=int(needed), max_size=most)
        case MapShape():
            return st.dictionaries(values_of(shape.key), values_of(shape.value), max_size=2)
        case StringShape():
            return _texts(shape, needed)
        case _:
            return _scalars()[shape.type_name]


def _texts(shape: StringShape, needed: bool) -> st.SearchStrategy[str]:
    if shape.enum:
        return st.sampled_from(shape.enum)
    least = max(shape.metadata.get("min", 0), int(needed))
    if "pattern" in shape.metadata:
        return st.from_regex(shape.metadata["pattern"].replace("*", f"{{{least},20}}"), fullmatch=True)
    return st.text(min_size=least, max_size=20)


def _scalars() -> dict[str, st.SearchStrategy[Any]]:
    return {
        "boolean": st.booleans(),
        "integer": st.integers(-(2**31), 2**31 - 1),
        "long": st.integers(-(2**63), 2**63 - 1),
        "double": st.floats(allow_nan=False, allow_infinity=False),
        "timestamp": moments(),
    }


def as_seconds(value: Any) -> Any:
    """The same value with seconds in place of datetimes."""
    if isinstance(value, datetime):
        return (value - EPOCH) / timedelta(seconds=1)
    if isinstance(value, dict):
        return {name: as_seconds(each) for name, each in value.items()}
    return [as_seconds(each) for each in value] if isinstance(value, list) else value


OPERATION_MODELS = [MODEL.operation_model(name) for name in sorted(MODEL.operation_names)]
