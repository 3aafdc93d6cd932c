"""Ids in the forms that AWS gives them, made from random bytes that the caller brings."""

from __future__ import annotations

import string

ALPHABET = string.ascii_uppercase + string.digits


def deployment_id_of(random: bytes) -> str:
    """`d-` and nine of A-Z 0-9, from at least 9 random bytes."""
    number = int.from_bytes(random, "big")
    letters: list[str] = []
    for _ in range(9):
        number, digit = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[digit])
    return "d-" + "".join(letters)
