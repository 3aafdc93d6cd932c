"""Changes who may use a file: mode, owner, ACL and SELinux context. Programs get argument lists, never a shell."""

from __future__ import annotations

import os
import re
import stat
import subprocess

from domain.errors import InstallError
from domain.install import Context

_LIMIT = 60
"""Seconds a program may take for one file."""
_SET_ID = 0o6000


def set_mode(path: str, mode: int, *, restore: bool = False) -> None:
    """Set permission bits; with `restore` only bring back set-id bits, for the group bits may hold an ACL's mask."""
    if restore:
        mode = stat.S_IMODE(os.stat(path).st_mode) | (mode & _SET_ID)
    os.chmod(path, mode)


def set_acl(path: str, entries: tuple[str, ...]) -> None:
    """Replace the ACL of a file or directory by the entries and the base entries its mode stands for."""
    _run("setfacl", "--set", ",".join(whole_acl(entries, os.stat(path).st_mode)), "--", path)


def whole_acl(entries: tuple[str, ...], mode: int) -> tuple[str, ...]:
    """The entries with all that an ACL needs: base entries and mask from the mode, and default ones if there are any.

    Worked out for each object afresh, so that the mask of one never gets into another's.
    """
    defaults = tuple(each.removeprefix("default:") for each in entries if each.startswith("default:"))
    plain = tuple(each for each in entries if not each.startswith("default:"))
    whole = _completed(plain, mode)
    return (*whole, *(f"default:{each}" for each in _completed(defaults, mode))) if defaults else whole


def _completed(entries: tuple[str, ...], mode: int) -> tuple[str, ...]:
    group = _bits(mode >> 3)
    base = {"user::": _bits(mode >> 6), "group::": group, "other::": _bits(mode)}
    if any(re.match(r"(user|group):[^:]", each) for each in entries):
        base["mask::"] = group
    return (*entries, *(f"{kind}{bits}" for kind, bits in base.items() if not any(e.startswith(kind) for e in entries)))


def _bits(digit: int) -> str:
    return "".join(letter if digit & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))


def add_context(path: str, context: Context) -> None:
    """Add an SELinux rule for a path and label it."""
    asked = [*(("-s", context.user) if context.user else ()), "-t", context.type]
    asked += ["-r", context.range] if context.range else []
    _run("semanage", "fcontext", "-a", *asked, _pattern(path))
    _run("restorecon", "-v", path)


def drop_context(path: str) -> None:
    """Remove the SELinux rule of a path."""
    _run("semanage", "fcontext", "-d", _pattern(path))


def _pattern(path: str) -> str:
    """semanage takes a regular expression: without this, the dot in a name would stand for any character."""
    return re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", path)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, timeout=_LIMIT, check=False, stdin=subprocess.DEVNULL)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"{' '.join(command)} took longer than {_LIMIT} seconds.") from error
    except OSError as error:
        raise InstallError(f"{command[0]} cannot be run: {error.strerror}.") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or "it said nothing"
        raise InstallError(f"{' '.join(command)} failed with exit status {done.returncode}: {said}")
