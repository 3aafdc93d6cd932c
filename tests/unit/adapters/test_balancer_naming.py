"""Which addresses get through, and how they are written."""

from __future__ import annotations

import pytest

from adapters.load_balancers.naming import address_of, is_at, joined, place_of, shown
from domain.errors import BalancerRefuses
from domain.fleet import Target


def host(address: str | None) -> Target:
    return Target(target_id="web-1", arn="", queue="", address=address)


@pytest.mark.parametrize(
    ("address", "found", "written"),
    [
        ("10.0.0.1:8080", ("10.0.0.1", 8080), "10.0.0.1:8080"),
        ("10.0.0.1", ("10.0.0.1", 80), "10.0.0.1:80"),
        ("web-1.internal:1", ("web-1.internal", 1), "web-1.internal:1"),
        ("fd00::1", ("fd00::1", 80), "[fd00::1]:80"),
        ("[fd00::1]:8080", ("fd00::1", 8080), "[fd00::1]:8080"),
        ("[fd00::1]", ("fd00::1", 80), "[fd00::1]:80"),
    ],
)
def test_addresses(address: str, found: tuple[str, int], written: str) -> None:
    assert address_of(host(address), 80) == found
    assert joined(*found) == written
    assert is_at(written, found)
    assert is_at(written, (found[0], None))
    assert not is_at(written, (found[0], 9))


def test_what_is_not_known_is_asked_for() -> None:
    assert place_of(host(None), 80) is None
    assert place_of(host("10.0.0.1"), None) == ("10.0.0.1", None)
    for address in (None, "10.0.0.1"):
        with pytest.raises(BalancerRefuses, match="give the host 'web-1' the tag slipway:address=HOST:PORT"):
            address_of(host(address), None)


@pytest.mark.parametrize("address", ["10.0.0.1:80;", "[x]:80", "fe80::1%eth0", "a..b", "a" * 300, "1:2:3", "[::1]x:80"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(BalancerRefuses, match="is no address of the form"):
        place_of(host(address), 80)


def test_what_strangers_say_is_shortened() -> None:
    assert shown("a\nb") == r"'a\nb'"
    assert len(shown("x" * 10_000)) < 100
