"""Links work until they expire, for one path and one key, and cannot be made up."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workflows.signing import EXPIRED, FORGED, check_path, sign_path

KEY = b"k" * 32
PATH = "/bundles/" + "a" * 64


def parts(link: str) -> tuple[str, str, str]:
    """Path, expires and signature of a link."""
    split = urlsplit(link)
    query = parse_qs(split.query, strict_parsing=True)
    return split.path, query["expires"][0], query["signature"][0]


def check(path: str, expires: str, signature: str, *, key: bytes = KEY, now: float = 99.0) -> str | None:
    return check_path(path, key=key, expires=expires, signature=signature, now=now)


def test_a_link_is_good_until_it_expires() -> None:
    link = parts(sign_path(PATH, key=KEY, expires=100))
    assert link[:2] == (PATH, "100")
    assert [check(*link, now=now) for now in (0, 99.9, 100, 1e12)] == [None, None, EXPIRED, EXPIRED]


@given(path=st.text(max_size=40), expires=st.integers(0, 2**40), key=st.binary(min_size=1, max_size=64))
def test_only_path_time_and_key_that_were_signed_are_good(path: str, expires: int, key: bytes) -> None:
    assume((path, expires, key) != (PATH, 100, KEY))
    _, _, signature = parts(sign_path(PATH, key=KEY, expires=100))
    assert check(path, str(expires), signature, key=key, now=0) == FORGED


@given(expires=st.text(max_size=20), signature=st.text(max_size=70))
def test_nothing_made_up_is_good(expires: str, signature: str) -> None:
    assert check(PATH, expires, signature) == FORGED


@pytest.mark.parametrize("expires", ["0100", " 100", "100.0", "+100", "1e2", ""])
def test_another_spelling_of_the_time_is_forged(expires: str) -> None:
    _, _, signature = parts(sign_path(PATH, key=KEY, expires=100))
    assert check(PATH, expires, signature) == FORGED


def test_an_empty_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match="empty key"):
        sign_path(PATH, key=b"", expires=1)
    with pytest.raises(ValueError, match="empty key"):
        check(PATH, "1", "", key=b"")
