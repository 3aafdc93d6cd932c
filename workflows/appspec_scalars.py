"""What a YAML scalar means to the original agent (YAML 1.1 as Ruby's Psych 4 reads it), and how its values turn into
text and whole numbers. Knows single scalars only, no documents and no AppSpec.

Source: ruby/psych 4.0, `scalar_scanner.rb` and `visitors/to_ruby.rb`; restated, with a table test per rule.
"""

from __future__ import annotations

import binascii
import math
import re
from dataclasses import dataclass

MAX_NUMBER = 1000
"""Characters of the longest number that is read; longer ones cannot be turned back into text."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """What a plain scalar with a leading colon means (`:name`): a name that equals no text."""

    name: str


Scalar = None | bool | int | float | str | Symbol


class Unreadable(ValueError):
    """A scalar that the YAML reader refuses; carries a message and a hint."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


_WORD_START = frozenset("_!@#$%^&*(){}<>|/\\~;= \t\r\n\f\v")
_MAYBE_CONSTANT = re.compile(r"^[^ytonf~]", re.MULTILINE | re.IGNORECASE | re.ASCII)
_NULL = re.compile(r"^null$", re.MULTILINE | re.IGNORECASE | re.ASCII)
_TRUE = re.compile(r"^(yes|true|on)$", re.MULTILINE | re.IGNORECASE | re.ASCII)
_FALSE = re.compile(r"^(no|false|off)$", re.MULTILINE | re.IGNORECASE | re.ASCII)
_TIME = re.compile(
    r"-?[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|\s+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
    r"(?:\s*(?:Z|[-+][0-9]{1,2}:?(?:[0-9]{2})?))?",
    re.ASCII,
)
_DATE = re.compile(r"[0-9]{4}-(?:1[012]|0[0-9]|[0-9])-(?:[12][0-9]|3[01]|0[0-9]|[0-9])")
_QUOTED_SYMBOL = re.compile(r"""^:(["'])(.*)\1""")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}")
_BASE_60_FLOAT = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}\.[0-9_]*")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_,]*)?\.[0-9]*([eE][-+][0-9]+)?")
_INTEGERS = (
    (re.compile(r"[-+]?0b[01_,]+"), 2),
    (re.compile(r"[-+]?0[0-7_,]+"), 8),
    (re.compile(r"[-+]?(?:0|[1-9](?:[0-9]|,[0-9]|_[0-9])*)"), 10),
    (re.compile(r"[-+]?0x[0-9a-fA-F_,]+"), 16),
)
_LEADING_INT = re.compile(r"[ \t\n\v\f\r]*([-+]?[0-9]+(?:_[0-9]+)*)")
_LEADING_FLOAT = re.compile(r"([-+]?[0-9]+(?:_[0-9]+)*(?:\.[0-9]+(?:_[0-9]+)*)?)")
_NUMBER_TAGS = frozenset({"!float", "tag:yaml.org,2002:float"})
_TEXT_TAG = re.compile(r"!(?:str|ruby/string)(?::(.*))?$|tag:yaml\.org,2002:str$")
_REFUSED_TAG = re.compile(
    r"!ruby/(?:object:(?:BigDecimal|DateTime|Complex|Rational)|class|module|regexp|range|encoding)$"
)
_REFUSED_MAPPING_TAG = re.compile(
    r"!ruby/(?!object:Hash$)|!(?:map|str):|!(?:set|omap|str)$|tag:yaml\.org,2002:(?:set|omap|str)$"
)
_REFUSED_LIST_TAG = re.compile(r"!(?:seq|ruby/array):.")
_SYMBOL_TAG = re.compile(r"!ruby/sym(?:bol)?:?")


def read_plain(text: str) -> Scalar:
    """The value of an unquoted scalar; raises Unreadable for what is refused (dates, times, numbers without digits)."""
    if not text:
        return None
    if _looks_like_word(text):
        return _read_word(text)
    if _TIME.fullmatch(text) or _DATE.fullmatch(text):
        raise Unreadable(f"{text} is read as a date or time, which is refused", f'quote it: "{text}"')
    if text.startswith(":") and len(text) > 1:
        return _read_symbol(text)
    return _read_number(text)


def read_tagged(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit tag; raises Unreadable for tags that name a class."""
    if tag in {"!binary", "tag:yaml.org,2002:binary"}:
        return _read_binary(text)
    if match := _TEXT_TAG.match(tag):
        if match.group(1):
            raise _refused_tag(tag)
        return text
    if _REFUSED_TAG.match(tag):
        raise _refused_tag(tag)
    if tag in _NUMBER_TAGS:
        return _read_float(text)
    return Symbol(text) if _SYMBOL_TAG.match(tag) else read_plain(text)


def refuses_tag(tag: str, *, mapping: bool) -> bool:
    """Whether a tag on a list or mapping names a class, which is refused."""
    return bool((_REFUSED_MAPPING_TAG if mapping else _REFUSED_LIST_TAG).match(tag))


def is_ordered(tag: str | None) -> bool:
    """Whether a tag on a list makes it an ordered mapping."""
    return tag in {"!omap", "tag:yaml.org,2002:omap"}


def trimmed(text: str) -> str:
    """Text without the white space and NULs around it, as Ruby's `strip`."""
    return text.lstrip("\0 \t\n\v\f\r").rstrip("\0 \t\n\v\f\r")


def number_text(value: float) -> str:
    """A number as Ruby writes it."""
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    digits, exponent, power = repr(value).partition("e")
    return digits + ("" if "." in digits or not exponent else ".0") + exponent + power


def leading_integer(text: str) -> int:
    """The whole number that text starts with, 0 if it starts with none (`30s` is 30, `soon` is 0)."""
    match = _LEADING_INT.match(text)
    return int(match.group(1)[:MAX_NUMBER]) if match else 0


def _looks_like_word(text: str) -> bool:
    second = text[1:2]
    return (
        _is_word_character(text[0])
        or "\n" in text
        or (text[0] not in "0123456789.:-" and bool(second) and _is_word_character(second))
    )


def _is_word_character(character: str) -> bool:
    return character.isalpha() or character in _WORD_START


def _read_word(text: str) -> Scalar:
    if len(text) > 5 or _MAYBE_CONSTANT.search(text):
        return text
    if text == "~" or _NULL.search(text):
        return None
    if _TRUE.search(text):
        return True
    return False if _FALSE.search(text) else text


def _read_symbol(text: str) -> Symbol:
    if match := _QUOTED_SYMBOL.match(text):
        return Symbol(match.group(2).removeprefix(":"))
    return Symbol(text.removeprefix(":"))


def _read_number(text: str) -> Scalar:
    if (lowered := text.lower()) in _SPECIAL:
        return _SPECIAL[lowered]
    if len(text) > MAX_NUMBER:
        return _read_long(text)
    if _BASE_60.fullmatch(text):
        return sum(leading_integer(part) * _WEIGHTS[place] for place, part in enumerate(text.split(":")))
    if _BASE_60_FLOAT.fullmatch(text):
        return sum(_leading_float(part) * _WEIGHTS[place] for place, part in enumerate(text.split(":")))
    if _FLOAT.fullmatch(text):
        return text if text in {".", "-.", "+."} else _digits_to_float(text)
    return _read_integer(text)


_WEIGHTS = (3600, 60, 1)
_SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}


def _read_long(text: str) -> str:
    if _FLOAT.fullmatch(text) or any(pattern.fullmatch(text) for pattern, _ in _INTEGERS):
        raise Unreadable(f"a number of {len(text)} characters is not read", "quote it, or write a smaller number")
    return text


def _read_integer(text: str) -> int | str:
    for pattern, base in _INTEGERS:
        if pattern.fullmatch(text):
            try:
                return int(re.sub("[,_]", "", text), base)
            except ValueError:
                raise Unreadable(f"{text} is read as a number without digits", f'quote it: "{text}"') from None
    return text


def _digits_to_float(text: str) -> float:
    try:
        return float(re.sub(r"\.([Ee]|$)", r"\1", re.sub("[,_]", "", text)))
    except ValueError:
        raise Unreadable(f"{text} is read as a number without digits", f'quote it: "{text}"') from None


def _leading_float(text: str) -> float:
    match = _LEADING_FLOAT.match(text)
    return float(match.group(1)) if match else 0.0


def _read_float(text: str) -> float:
    value = read_plain(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Unreadable("the tag !!float stands before something that is no number", "remove the tag")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _read_binary(text: str) -> str:
    # Ruby's decoder skips what is not base64 and stops at the padding.
    digits = re.sub(r"[^A-Za-z0-9+/]", "", text.partition("=")[0])
    usable = digits[: len(digits) - 1] if len(digits) % 4 == 1 else digits
    return binascii.a2b_base64(usable + "=" * (-len(usable) % 4)).decode("utf-8", errors="replace")


def _refused_tag(tag: str) -> Unreadable:
    return Unreadable(f"the tag {tag} names a class, which is refused", "remove the tag and write plain YAML")
