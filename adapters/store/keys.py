"""How every key of the Redis store is spelled. Knows no client; `lua/prelude.lua` spells them alike."""

from __future__ import annotations

import re

_RESERVED = re.compile(rb"[^A-Za-z0-9+=,.@_-]")


def escape(text: str) -> str:
    """`text` with everything but `A-Za-z0-9+=,.@_-` as %XX of its UTF-8 bytes, so that no two texts meet in a key."""
    return _RESERVED.sub(lambda found: b"%%%02X" % found[0][0], text.encode()).decode("ascii")


class Keys:
    """Builds keys below one prefix: words joined by colons, each escaped."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def __call__(self, *words: str | int) -> str:
        """The key that these words name, the kind of thing first."""
        return ":".join((self.prefix, *(escape(str(word)) for word in words)))
