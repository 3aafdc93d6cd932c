"""Addresses: what is good, how each library spells it, and that no secret is ever shown."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from config.urls import (
    BROKER_SCHEMES,
    REDIS_SCHEMES,
    backend_url,
    celery_url,
    checked_url,
    masked,
    masked_text,
)

GOOD = [
    ("redis://localhost:6379/0", "redis://localhost:6379/0"),
    ("REDIS://localhost", "redis://localhost"),
    ("redis://:p%2Fw@host/3", "redis://:p%2Fw@host/3"),
    ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
    ("rediss://host/0", "rediss://host/0?ssl_cert_reqs=required"),
    ("rediss://host/0?ssl_cert_reqs=none", "rediss://host/0?ssl_cert_reqs=none"),
    ("rediss://host/0?ssl_ca_certs=/ca.pem", "rediss://host/0?ssl_ca_certs=/ca.pem&ssl_cert_reqs=required"),
    ("unix:///run/redis.sock", "unix:///run/redis.sock?db=0"),
    ("unix://:pw@/run/redis.sock?db=2", "unix://:pw@/run/redis.sock?db=2"),
    ("unix:///run/redis.sock?db=2&password=p/w", "unix://:p%2Fw@/run/redis.sock?db=2"),
    ("redis+socket:///run/redis.sock?virtual_host=4", "unix:///run/redis.sock?db=4"),
    (" amqp://guest:guest@localhost:5672/slipway ", "amqp://guest:guest@localhost:5672/slipway"),
    ("amqps://rabbit/", "amqps://rabbit/"),
]


@pytest.mark.parametrize(("given_url", "checked"), GOOD)
def test_good_addresses_are_taken(given_url: str, checked: str) -> None:
    assert checked_url(given_url, BROKER_SCHEMES) == checked
    assert checked_url(checked, BROKER_SCHEMES) == checked


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("", "must begin with redis://"),
        ("hunter2", "must begin with redis://"),
        ("localhost:6379", "must begin with redis://"),
        ("memcached://hunter2", "must begin with redis://"),
        ("amqp://guest:hunter2@localhost", "must begin with redis://"),
        ("redis://", "needs a host"),
        ("redis://:hunter2@", "needs a host"),
        ("redis://:hunter2@host:port", "needs a host and a port"),
        ("redis://:hunter2@host:0", "needs a host and a port"),
        ("redis://:hunter2@host:70000", "needs a host and a port"),
        ("redis://:hunter2/x@host", "%XX"),
        ("redis://:hunter2#x@host", "%XX"),
        ("redis://[hunter2", "is not an address"),
        ("redis://host/hunter2", "database is a number"),
        ("redis://host/¼", "database is a number"),
        ("unix://hunter2/redis.sock", "absolute path"),
        ("unix:///run/redis.sock?db=hunter2", "database is a number"),
    ],
)
def test_bad_addresses_are_refused_with_advice_and_without_repeating_them(url: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice) as refused:
        checked_url(url, REDIS_SCHEMES)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "broker", "backend"),
    [
        ("redis://:pw@host:1/2", "redis://:pw@host:1/2", "redis://:pw@host:1/2"),
        ("unix:///a.sock?db=3", "redis+socket:///a.sock?virtual_host=3", "redis+socket:///a.sock?db=3"),
        ("unix://u:p@/a.sock", "redis+socket://u:p@/a.sock?virtual_host=0", "redis+socket://u:p@/a.sock?db=0"),
        ("amqp://host//", "amqp://host//", "amqp://host//"),
    ],
)
def test_celery_gets_its_own_spelling(url: str, broker: str, backend: str) -> None:
    assert (celery_url(url), backend_url(url)) == (broker, backend)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:pw@host:6379/0", "redis://***@host:6379/0"),
        ("amqp://user:pw@host/v", "amqp://***@host/v"),
        ("unix:///run/r.sock?db=0", "unix:///run/r.sock?db=0"),
        ("rediss://host/0?ssl_ca_certs=/ca.pem&password=pw", "rediss://host/0?ssl_ca_certs=/ca.pem"),
        ("redis://:a/b@host", "***"),
        ("no address", "***"),
    ],
)
def test_what_is_shown_of_an_address(url: str, shown: str) -> None:
    assert masked(url) == shown


SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), max_size=20).map(
    lambda text: f"Zq9{text}"
)
SCHEMES = st.sampled_from(BROKER_SCHEMES)


SHAPES = st.sampled_from([":{}@host:6379/0", "user:{}@host", "{}@host/1", "host/0?password={}", ":{}@/a.sock"])


@given(SECRETS, SCHEMES, SHAPES)
def test_no_password_however_badly_written_is_shown(secret: str, scheme: str, shape: str) -> None:
    url = f"{scheme}://{shape.format(secret)}"
    assert "Zq9" not in masked(url)
    assert "zq9" not in masked(url)


@given(SECRETS, SCHEMES)
def test_no_login_in_a_text_is_shown(secret: str, scheme: str) -> None:
    text = f"Cannot connect to {scheme}://user:{secret}@host:6379//: refused, trying again"
    assert "Zq9" not in masked_text(text)
    assert masked_text(text).startswith("Cannot connect to ")
    assert masked_text(text).endswith(" refused, trying again")


def refusal(url: str) -> ValueError | None:
    try:
        checked_url(url, BROKER_SCHEMES)
    except ValueError as error:
        return error
    return None


@given(SECRETS, SCHEMES, st.sampled_from(["{1}://u:{0}@host:x", "{1}://u:{0}@", "{0}", "{0}://host", "x{1}://{0}"]))
def test_no_error_repeats_a_part_of_an_address(secret: str, scheme: str, shape: str) -> None:
    error = refusal(shape.format(secret, scheme))
    assume(error is not None)
    assert "Zq9" not in str(error)
    assert getattr(error, "__cause__", None) is None


@pytest.mark.parametrize("name", ["signature", "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token"])
def test_what_makes_a_link_good_is_not_shown(name: str) -> None:
    text = f"GET https://host/a?x=1&{name}=Zq9%2Fus-east-1/+=&y=2 failed"
    assert "Zq9" not in masked_text(text)
    assert masked_text(text).endswith("&y=2 failed")
