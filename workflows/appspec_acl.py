"""One entry of an access control list: `[default:]kind:name:perms` -> AclEntry, with the original's quirks.

Source: aws-codedeploy-agent, `ace_info.rb`; restated.
"""

from __future__ import annotations

from domain.appspec import AclEntry

_KINDS = {
    "u": "user",
    "user": "user",
    "g": "group",
    "group": "group",
    "m": "mask",
    "mask": "mask",
    "o": "other",
    "other": "other",
}
_DEFAULT = frozenset({"d", "default"})
FORM = "expected [default:]kind:name:perms, as user:deploy:rwx, mask::r-x or default:group:web:rx"


class InvalidAcl(ValueError):
    """An entry that cannot be read; carries a message and a hint."""

    def __init__(self, message: str, hint: str = FORM) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def parse_acl_entry(text: str) -> AclEntry:
    """The entry a text means; raises InvalidAcl."""
    parts = text.split(":")
    if not 2 <= len(parts) <= 4:
        raise InvalidAcl(f"{len(parts)} parts, expected 2 to 4 between colons")
    perms, name, *before = reversed(parts)
    default, kind = _prefix(before)
    if kind is None:
        kind = _KINDS[name] if name in {"m", "mask", "o", "other"} else "user"
        name = "" if kind != "user" else name
    elif name in {"m", "o"}:
        name = _KINDS[name]
    _check_name(default, kind, name)
    return AclEntry(default=default, kind=kind, name=name, perms=_perms(perms))


def odd_name(entry: AclEntry) -> str | None:
    """The kind that was probably meant, where a kind's word was read as the name of a user."""
    return _KINDS.get(entry.name) if entry.kind in {"user", "group"} else None


def _prefix(before: list[str]) -> tuple[bool, str | None]:
    """What stands before name and perms, read from the right: (default entry, kind or None)."""
    default = len(before) == 2
    if default and before[1] not in _DEFAULT:
        raise InvalidAcl("an entry of 4 parts begins with d or default")
    if not before:
        return False, None
    if before[0] in _DEFAULT:
        if default:
            raise InvalidAcl("default is given twice")
        return True, None
    if before[0] not in _KINDS:
        raise InvalidAcl(f'the kind "{before[0]}" is none of user, group, mask, other')
    return default, _KINDS[before[0]]


def _check_name(default: bool, kind: str, name: str) -> None:
    if kind in {"mask", "other"} and name:
        raise InvalidAcl(f"an entry for {kind} carries no name")
    if not default and kind != "mask" and not name:
        raise InvalidAcl("base entries are not set here", "use `mode` for owner, group and others, or add a name")


def _perms(text: str) -> str:
    if len(text) == 1 and text in "01234567":
        bits = int(text)
        return "".join(letter if bits & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
    for character in text:
        if character not in "rwx-":
            raise InvalidAcl(f'"{character}" is no permission', "write r, w, x and -, or one digit from 0 to 7")
    return "".join(letter if letter in text else "-" for letter in "rwx")
