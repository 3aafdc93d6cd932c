"""The range of an SELinux context, `s<n>[-s<n>][:c<n>[.c<n>][,…]]` -> its normalised form.

Source: aws-codedeploy-agent, `range_info.rb`; restated.
"""

from __future__ import annotations

import re
from itertools import pairwise

HIGHEST_CATEGORY = 1023
FORM = "expected s<n>[-s<n>][:c<n>[.c<n>][,…]], as s0, s0-s3 or s0:c1.c3,c7"

_SENSITIVITY = re.compile(r"s[0-9]{1,18}")
_CATEGORY = re.compile(r"c0*([0-9]{1,18})")


class InvalidRange(ValueError):
    """A range that cannot be read."""


def parse_range(text: str) -> str:
    """The range with equal bounds as one, categories sorted and runs compressed; raises InvalidRange."""
    sensitivity, colon, categories = text.partition(":")
    if colon and not categories:
        raise InvalidRange("nothing stands after the colon")
    levels = _levels(sensitivity)
    numbers = _categories(categories) if colon else []
    return levels + (":" + _compressed(numbers) if numbers else "")


def _levels(text: str) -> str:
    low_text, dash, high_text = text.partition("-")
    low = _sensitivity(low_text)
    high = _sensitivity(high_text) if dash else low
    if high < low:
        raise InvalidRange(f"s{low} is above s{high}")
    return f"s{low}" if low == high else f"s{low}-s{high}"


def _sensitivity(text: str) -> int:
    if not _SENSITIVITY.fullmatch(text):
        raise InvalidRange(f'"{text}" is no sensitivity (s and a number)')
    return int(text[1:])


def _categories(text: str) -> list[int]:
    numbers: set[int] = set()
    for part in text.rstrip(",").split(",") if text.strip(",") else ():
        run = _run(part)
        # Checked part by part, so that a hostile range cannot pile up more numbers than there are categories.
        if not numbers.isdisjoint(run):
            raise InvalidRange(f'"{part}" repeats a category')
        numbers.update(run)
    return sorted(numbers)


def _run(text: str) -> range:
    low_text, dot, high_text = text.partition(".")
    low = _category(low_text)
    high = _category(high_text) if dot else low
    if high < low:
        raise InvalidRange(f"c{low} is above c{high}")
    return range(low, high + 1)


def _category(text: str) -> int:
    match = _CATEGORY.fullmatch(text)
    if not match or int(match.group(1)) > HIGHEST_CATEGORY:
        raise InvalidRange(f'"{text}" is no category (c and a number up to {HIGHEST_CATEGORY})')
    return int(match.group(1))


def _compressed(numbers: list[int]) -> str:
    starts = [numbers[0], *(b for a, b in pairwise(numbers) if b != a + 1)]
    ends = [*(a for a, b in pairwise(numbers) if b != a + 1), numbers[-1]]
    return ",".join(f"c{a}" if a == b else f"c{a}.c{b}" for a, b in zip(starts, ends, strict=True))
