"""Which addresses get through, and how they are written."""

from __future__ import annotations

import pytest

from adapters.load_balancers.naming import Place, address_of, is_at, is_elsewhere, joined, listed_place, place_of, shown
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
    assert listed_place(written) == found


def test_what_a_balancer_lists_may_have_no_port() -> None:
    assert listed_place("[fd00::1]") == ("fd00::1", None)
    assert listed_place("www.internal") == ("www.internal", None)
    assert listed_place("unix:/run/app.sock") == ("unix:/run/app.sock", None)


V6 = "0:0:0:0:0:0:0:1"


@pytest.mark.parametrize(
    ("listed", "place", "same", "apart"),
    [
        (("10.0.0.1", 80), ("10.0.0.1", 80), True, False),
        (("10.0.0.1", 80), ("10.0.0.1", None), True, False),
        (("10.0.0.1", None), ("10.0.0.1", 80), False, False),
        (("10.0.0.1", 80), ("10.0.0.1", 81), False, True),
        (("10.0.0.1", 80), ("10.0.0.2", 80), False, True),
        (("10.0.0.1", 80), ("10.0.0.2", None), False, True),
        (("::1", 80), (V6, 80), True, False),
        (("::ffff:10.0.0.1", 80), ("10.0.0.1", 80), True, False),
        (("::1", 80), ("::2", 80), False, True),
        (("Web-1.internal", 80), ("web-1.internal.", 80), True, False),
        (("web-1.internal", 80), ("web-1.internal", 81), False, True),
        (("web-1.internal", 80), ("www.internal", 80), False, False),
        (("10.0.0.1", 80), ("web-1.internal", 80), False, False),
        (("web-1.internal", 80), ("10.0.0.1", 80), False, False),
        (("", 80), ("10.0.0.1", 80), False, False),
        (("0.0.0.0", 80), ("10.0.0.1", 80), False, False),
        (("unix:/run/app.sock", None), ("10.0.0.1", 80), False, False),
    ],
)
def test_a_place_may_be_written_in_many_ways(listed: Place, place: Place, same: bool, apart: bool) -> None:
    assert (is_at(listed, place), is_elsewhere(listed, place)) == (same, apart)


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
