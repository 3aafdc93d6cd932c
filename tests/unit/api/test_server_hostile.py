"""Whatever is sent to the server, it answers in its own words: no bug, no hang, one record for each call."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.wire.model import OPERATIONS, input_of
from api.wire.values import Limits
from tests.unit.api.api_site import Client, Site, ask, target
from tests.unit.api.wire.clients import as_seconds, values_of

FUZZ = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def site() -> Site:
    return Site()


@pytest.fixture(scope="module", params=[False, True], ids=["json", "cbor"])
def client(request: pytest.FixtureRequest, site: Site) -> Client:
    return Client(site.app(), bool(request.param))


def answered(site: Site, client: Client, operation: str, body: bytes) -> int:
    before = len(site.records)
    status, told = client.read(client.send(operation, body))
    assert len(site.records) == before + 1
    assert status in (200, 400)
    assert status == 200 or told["__type"]
    return status


@FUZZ
@given(operation=st.sampled_from(sorted(OPERATIONS)), body=st.binary(max_size=300))
def test_any_bytes(site: Site, client: Client, operation: str, body: bytes) -> None:
    answered(site, client, operation, body)


@FUZZ
@given(data=st.data(), operation=st.sampled_from(sorted(OPERATIONS)))
def test_valid_requests_and_what_becomes_of_them_on_a_bad_line(
    site: Site, client: Client, data: st.DataObject, operation: str
) -> None:
    shape = input_of(operation)
    assert shape
    body = client.written(as_seconds(data.draw(values_of(shape))))
    assert answered(site, client, operation, body) == 200
    answered(site, client, operation, data.draw(mutations(body)))


@st.composite
def mutations(draw: st.DrawFn, body: bytes) -> bytes:
    """The body with pieces overwritten, left out or said twice."""
    changed = bytearray(body)
    for _ in range(draw(st.integers(1, 4))):
        at, end = sorted((draw(st.integers(0, len(changed))), draw(st.integers(0, len(changed)))))
        piece = draw(st.binary(max_size=4) | st.just(bytes(changed[at:end]) * 2))
        changed[at : at + draw(st.integers(0, 4))] = piece
    return bytes(changed[:2000])


@FUZZ
@given(
    path=st.text(st.characters(codec="ascii", exclude_characters="?#\r\n\\", min_codepoint=33), max_size=60),
    headers=st.dictionaries(
        st.sampled_from(["x-amz-target", "smithy-protocol", "content-type", "authorization"]),
        st.text(st.characters(codec="latin-1", min_codepoint=33), max_size=40),
    ),
)
def test_any_path_and_headers(site: Site, path: str, headers: dict[str, str]) -> None:
    answer = ask(site.app(), f"/{path}", headers)
    assert answer.status in (200, 400, 404, 415)
    assert answer.body


CALL = {**target("ListApplications"), "content-length": "10"}


def test_a_slow_client_is_given_up() -> None:
    site = Site(limits=Limits(body_seconds=0.05))
    answer = ask(site.app(), "/", CALL, [b"{"], end=False)
    assert (answer.status, b"RequestTimeoutException" in answer.body) == (408, True)
    assert [record.code for record in site.records] == ["RequestTimeoutException"]


def test_a_client_that_goes_away_holds_nothing_up() -> None:
    site = Site()
    assert ask(site.app(), "/", CALL, [b"{", None], end=False).status == 400
    assert [record.code for record in site.records] == ["RequestCutOffException"]


def test_no_more_is_read_than_allowed() -> None:
    site = Site(limits=Limits(body_bytes=10))
    # Neither request ever ends: an answer means that nobody waited for more.
    assert ask(site.app(), "/", {**CALL, "content-length": "1" * 19}, [], end=False).status == 413
    assert ask(site.app(), "/", {**CALL, "transfer-encoding": "chunked"}, [b"x" * 6] * 2, end=False).status == 413
