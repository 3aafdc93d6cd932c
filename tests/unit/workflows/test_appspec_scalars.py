"""Plain and tagged scalars as the original's YAML reader takes them."""

from __future__ import annotations

import math

import pytest

from workflows.appspec_scalars import Symbol, Unreadable, leading_integer, number_text, read_plain, read_tagged, trimmed

PLAIN = [
    ("", None),
    ("~", None),
    ("null", None),
    ("Null", None),
    ("nUll", None),
    ("true", True),
    ("Yes", True),
    ("ON", True),
    ("y", "y"),
    ("off", False),
    ("nO", False),
    ("n", "n"),
    ("12", 12),
    ("-12", -12),
    ("1,000", 1000),
    ("1_000", 1000),
    ("1,", "1,"),
    ("010", 8),
    ("0_7,7", 63),
    ("08", "08"),
    ("0x1F", 31),
    ("0b101", 5),
    ("0o17", "0o17"),
    ("1:30", 5400),
    ("1:60", "1:60"),
    ("1:2:3:4", "1:2:3:4"),
    ("-1:30", -1800),
    ("1__0:30", 5400),
    ("1:30.5", 5430.0),
    ("1.5", 1.5),
    ("1.", 1.0),
    (".5", 0.5),
    ("1,000.5", 1000.5),
    ("1.5e+3", 1500.0),
    ("1.e+3", 1000.0),
    ("1.5e3", "1.5e3"),
    ("1e3", "1e3"),
    (".", "."),
    ("-.", "-."),
    (".inf", math.inf),
    ("+.INF", math.inf),
    ("-.inf", -math.inf),
    (":name", Symbol("name")),
    (':"a b"', Symbol("a b")),
    (":", ":"),
    ("2024-13-01", "2024-13-01"),
    ("word", "word"),
    ("1a", "1a"),
    ("²", "²"),
]


@pytest.mark.parametrize(("text", "value"), PLAIN)
def test_plain_scalars(text: str, value: object) -> None:
    result = read_plain(text)
    assert result == value
    assert type(result) is type(value)


def test_not_a_number_is_a_float() -> None:
    assert math.isnan(float(str(read_plain(".NaN"))))


@pytest.mark.parametrize(
    "text",
    ["2024-01-31", "2024-02-31", "2001-12-14t21:59:43.10-05:00", "2001-1-1 1:00:00", "0x_", "0b_", ".e+5", "9" * 1001],
)
def test_refused_scalars(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_plain(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [
        ("tag:yaml.org,2002:str", "0.0", "0.0"),
        ("!str", "1", "1"),
        ("tag:yaml.org,2002:float", "3", 3.0),
        ("tag:yaml.org,2002:int", "3", 3),
        ("tag:yaml.org,2002:binary", "bGludXg=", "linux"),
        ("!ruby/sym", "x", Symbol("x")),
        ("!anything", "0", 0),
    ],
)
def test_tagged_scalars(tag: str, text: str, value: object) -> None:
    assert read_tagged(tag, text) == value


@pytest.mark.parametrize(
    ("tag", "text"),
    [("!ruby/regexp", "/a/"), ("!ruby/class", "String"), ("!str:Other", "x"), ("tag:yaml.org,2002:float", "x")],
)
def test_refused_tags(tag: str, text: str) -> None:
    with pytest.raises(Unreadable):
        read_tagged(tag, text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("300", 300), ("30s", 30), (" 7", 7), ("-2x", -2), ("1_0", 10), ("1__0", 1), ("_1", 0), ("soon", 0), ("", 0)],
)
def test_numbers_at_the_start_of_text(text: str, number: int) -> None:
    assert leading_integer(text) == number


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (1.0, "1.0"), (1e16, "1.0e+16"), (1.5e-7, "1.5e-07"), (math.inf, "Infinity"), (math.nan, "NaN")],
)
def test_numbers_as_text(value: float, text: str) -> None:
    assert number_text(value) == text


def test_trimming_takes_white_space_and_nuls() -> None:
    assert trimmed("\0 \t\n a b \r\n\0") == "a b"
