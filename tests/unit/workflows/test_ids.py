"""Deployment ids have the form that AWS gives them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.ids import deployment_id_of

FORM = re.compile(r"d-[A-Z0-9]{9}")


@given(st.binary(min_size=9, max_size=64))
def test_an_id_has_its_form_whatever_the_bytes(random: bytes) -> None:
    assert FORM.fullmatch(deployment_id_of(random))


@pytest.mark.parametrize(
    ("random", "name"),
    [
        (bytes(9), "d-AAAAAAAAA"),
        (b"\x01".rjust(9, b"\x00"), "d-BAAAAAAAA"),
        (b"\x24".rjust(9, b"\x00"), "d-ABAAAAAAA"),
        ((36**9 - 1).to_bytes(9, "big"), "d-999999999"),
    ],
)
def test_bytes_are_digits_of_base_36(random: bytes, name: str) -> None:
    assert deployment_id_of(random) == name


@given(st.integers(0, 36**9 - 1), st.integers(0, 36**9 - 1))
def test_different_numbers_give_different_ids(one: int, other: int) -> None:
    ids = {deployment_id_of(number.to_bytes(9, "big")) for number in (one, other)}
    assert len(ids) == len({one, other})
