"""Bodies in both encodings: what is read, how it is written, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.wire import cbor, json11
from api.wire.errors import WireError
from api.wire.values import Limits, Moment

LIMITS = Limits()


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"", {}),
        (b"{}", {}),
        (b' {"a": [1, 1.5, true, null, "\\u00e9\\ud83d\\ude00"]}\n', {"a": [1, 1.5, True, None, "é\U0001f600"]}),
        (b"-9223372036854775808", -(2**63)),
    ],
)
def test_json_is_read(body: bytes, value: Any) -> None:
    assert json11.decode(body, LIMITS) == value


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"{", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a": NaN}', "no JSON value"),
        (b'{"a": -Infinity}', "no JSON value"),
        (b"1e999", "not finite"),
        (b"9223372036854775808", "64 bits"),
        (b"1" * 5000, "not readable"),
        (b'"\xff"', "not readable"),
        ("{}".encode("utf-16"), "not readable"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\ud800": 1}', "surrogate"),
        (b'{"a": 1, "a": 2}', "two members"),
        (b"[" * 33 + b"]" * 33, "nested"),
        (b"[" * 1_000_000, "nested"),
        (b'{"a":' * 100_000, "nested"),
    ],
)
def test_odd_json_is_refused(body: bytes, complaint: str) -> None:
    with pytest.raises(WireError, match=complaint) as caught:
        json11.decode(body, LIMITS)
    assert caught.value.code == "SerializationException"


def test_as_deep_as_allowed_is_read() -> None:
    assert json11.decode(b"[" * 32 + b"]" * 32, LIMITS)
    assert cbor.decode(b"\x81" * 31 + b"\x80", LIMITS)


def test_json_moments_have_at_most_three_decimals() -> None:
    written = json11.encode({"a": Moment(round(1704164645.67891, 3)), "b": Moment(1704240000)})
    assert written == b'{"a":1704164645.679,"b":1704240000.0}'


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("", {}),
        ("a0", {}),
        ("a2 6c6465706c6f796d656e744964 63642d31 6161 f5", {"deploymentId": "d-1", "a": True}),
        ("bf6161 9f0102ff 6162 7f61636164ff ff", {"a": [1, 2], "b": "cd"}),
        ("a16161f7", {"a": None}),
        ("82f6f4", [None, False]),
        ("83f93c00fa3fc00000fb3ff8000000000000", [1.0, 1.5, 1.5]),
        ("c11a6594a380", Moment(1704240000)),
        ("c1fb41d964df496b645a", Moment(1704164645.678)),
        ("c13a00000001", Moment(-2)),
        ("3b7fffffffffffffff", -(2**63)),
    ],
)  # fmt: skip
def test_cbor_is_read(body: str, value: Any) -> None:
    read = cbor.decode(hexed(body), LIMITS)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("a1", "not CBOR"),
        ("a26161", "not CBOR"),
        ("ff", "not CBOR"),
        ("1c", "not CBOR"),
        ("a0a0", "goes on"),
        ("a0ff", "goes on"),
        ("9b0fffffffffffffff00", "not CBOR"),
        ("bb0fffffffffffffff616100", "not CBOR"),
        ("5b0fffffffffffffff00", "not CBOR"),
        ("7a7fffffff00", "not CBOR"),
        ("61ff", "not CBOR"),
        ("63eda080", "not CBOR"),
        ("a2616101616102", "not CBOR"),
        ("a10102", "not CBOR"),
        ("a1410102", "not text"),
        ("4161", "bytes"),
        ("f820", "CBORSimpleValue"),
        ("81f7", "Undefined"),
        ("f97e00", "not finite"),
        ("f97c00", "not finite"),
        ("fbfff0000000000000", "not finite"),
        ("1bffffffffffffffff", "64 bits"),
        ("c249010000000000000000", "only tag"),
        ("c2420100", "only tag"),
        ("d81c81d81d00", "only tag"),
        ("d90100 82 63616161 d81900", "only tag"),
        ("c074323031332d30332d32315432303a30343a30305a", "only tag"),
        ("c48221196ab3", "only tag"),
        ("c5821b7fffffffffffffff01", "only tag"),
        ("d81e820100", "only tag"),
        ("d823632e2a29", "only tag"),
        ("d9010281f6", "only tag"),
        ("d9d9f7a0", "only tag"),
        ("da0001869f00", "only tag"),
        ("c16161", "timestamp"),
        ("c1f5", "timestamp"),
        ("c1f97e00", "timestamp"),
        ("c1c100", "timestamp"),
        ("81" * 33 + "80", "not CBOR"),
        ("9f" * 100_000, "not CBOR"),
        ("c1" * 100_000, "not CBOR"),
    ],
    ids=lambda each: each[:24],
)
def test_odd_cbor_is_refused(body: str, complaint: str) -> None:
    with pytest.raises(WireError, match=complaint) as caught:
        cbor.decode(hexed(body), LIMITS)
    assert caught.value.code == "SerializationException"


@pytest.mark.parametrize("tag", [*range(2, 300), 1004, 43000, 55799, 2**32 - 1, 2**64 - 1])
def test_no_tag_but_one_is_read(tag: int) -> None:
    values: list[object] = [0, b"\x01", "a", [1, 2], {}]
    for value in values:
        with pytest.raises(WireError):
            cbor.decode(cbor2.dumps(cbor2.CBORTag(tag, value)), LIMITS)


def test_cbor_is_written_with_definite_lengths_and_tag_one() -> None:
    written = cbor.encode({"a": Moment(1704240000), "b": Moment(1704164645.678), "c": [True, 1.5]})
    assert written.hex() == "a36161c11a6594a3806162c1fb41d964df496b645a616382f5fb3ff8000000000000"


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_plain_values_survive_both_encodings(value: Any) -> None:
    assert json11.decode(json11.encode(value), LIMITS) == value
    assert cbor.decode(cbor.encode(value), LIMITS) == value


@given(st.binary(max_size=200))
@example(b"\xbf\xc1")
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for decode in (json11.decode, cbor.decode):
        with suppress(WireError):
            decode(body, LIMITS)
