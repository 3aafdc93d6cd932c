"""The text of an nginx upstream: a line a server, and which of them are `down`. Lines of other kinds stay as they are,
so that `least_conn`, `keepalive` and what else an owner wrote keep working. Touches nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adapters.load_balancers.naming import Place, is_at, is_elsewhere, joined, listed_place
from domain.errors import BalancerRefuses

_SERVER = re.compile(r"\s*server\s+([^\s;#{}]+)([^;#{}]*);[ \t]*(?:#[ \t]*(.*))?\s*")
_ANY_SERVER = re.compile(r"(?:^|[\s;{])server\s")
_ADDED = "added by Slipway"
_HEAD = "# Slipway takes servers of this upstream in and out. The word behind # is the id of the host.\n"
_ID = re.compile(r"[A-Za-z0-9+=,.@_-]{1,100}")
"""As instances may be called."""


@dataclass(frozen=True, slots=True)
class Line:
    """The line of a server."""

    address: str
    options: tuple[str, ...] = ()
    comment: str = ""
    """Its first word may be the id of the host."""

    @property
    def ours(self) -> bool:
        """Whether Slipway wrote it; others are never removed."""
        return self.comment.endswith(_ADDED)

    @property
    def down(self) -> bool:
        """Whether it gets no request."""
        return "down" in self.options

    def is_of(self, host: str, place: Place | None) -> bool:
        """Whether it is the line of a host: it names it or, if an owner wrote it, has its address."""
        named = self.comment.split(" ")[0] == host
        return named or (place is not None and place[1] is not None and self.may_be_at(place))

    def may_be_at(self, place: Place) -> bool:
        """Whether an owner wrote it, and for that place."""
        return not self.ours and is_at(self.place, place)

    @property
    def place(self) -> Place:
        """Where its server listens."""
        host, port = listed_place(self.address)
        return host, 80 if port is None else port

    def __str__(self) -> str:
        options = "".join(f" {option}" for option in self.options)
        return f"    server {self.address}{options};" + (f" # {self.comment}" if self.comment else "") + "\n"


def checked_id(target_id: str) -> str:
    """The id of a host, if it can stand in a comment; raises BalancerRefuses."""
    if not _ID.fullmatch(target_id):
        raise BalancerRefuses(f"A host called {target_id[:80]!r} has no place in a configuration of nginx.")
    return target_id


def lines_of(text: str, host: str, place: Place | None) -> list[Line]:
    """The lines of a host. Raises BalancerRefuses for a text that cannot be read line by line: a server that is
    overlooked would get requests while it is changed."""
    lines = [line for line in map(_parsed, text.splitlines()) if line]
    if len(lines) != sum(len(_ANY_SERVER.findall(raw.partition("#")[0])) for raw in text.splitlines()):
        raise BalancerRefuses(
            "Every server of the upstream file must have a line of its own: `server HOST:PORT; # ID`."
        )
    mine = [line for line in lines if line.is_of(host, place)]
    if place and not mine and any(line.may_be_at(place) for line in lines):
        raise BalancerRefuses(
            f"The upstream file has servers at {joined(*place)}, and none says that it is {host}: name the host behind "
            f"the server's line, as in `; # {host}`, or tell its port."
        )
    return mine


def refuse_strays(lines: Sequence[Line], host: str, told: Place | None) -> None:
    """Raises BalancerRefuses if an owner's lines name the host and all lead elsewhere than where it says that it
    listens. Lines that Slipway added follow the host."""
    if told and lines and all(not line.ours and is_elsewhere(line.place, told) for line in lines):
        raise BalancerRefuses(
            f"The upstream file has {host} at {lines[0].address}, but the host is at {joined(*told)}: correct the "
            "server's line, or the host's tag slipway:address."
        )


def taken_out(text: str, host: str, place: Place | None) -> str:
    """The text without requests for the host. Its own line is marked `down`; one that Slipway added goes, unless it is
    the last: nginx refuses an upstream without any server."""
    mine = lines_of(text, host, place)
    others = len(mine) < sum(1 for line in map(_parsed, text.splitlines()) if line)

    def out(line: Line) -> str:
        if line.ours and others:
            return ""
        return str(replace(line, options=(*line.options, "down"), comment=line.comment or host))

    return _edited(text, lambda line: out(line) if line in mine and not line.down else None)


def put_in(text: str, upstream: str, host: str, place: Place | None) -> str:
    """The text with requests for the host: its own line without `down`, or a new one. A line that Slipway added follows
    a change of the address."""
    if not text.strip():
        text = f"{_HEAD}upstream {upstream} {{\n}}\n"
    if re.findall(r"^\s*upstream\s+(\S+?)\s*\{", text, re.MULTILINE) != [upstream]:
        raise BalancerRefuses(f"The upstream file must hold `upstream {upstream} {{ … }}` and no other upstream.")
    mine = lines_of(text, host, place)
    address = joined(*place) if place and place[1] else ""
    if not mine:
        if not address:
            raise BalancerRefuses(f"It is not known on which address and port {host} listens.")
        end = text.rindex("}")
        return text[:end] + str(Line(address, comment=f"{host} {_ADDED}")) + text[end:]

    def back(line: Line) -> str:
        options = tuple(option for option in line.options if option != "down")
        moved = address if line.ours and address else line.address
        return str(replace(line, address=moved, options=options, comment=line.comment or host))

    return _edited(text, lambda line: back(line) if line in mine and (line.down or line.ours) else None)


def _edited(text: str, edit: Callable[[Line], str | None]) -> str:
    """The text with some lines written anew; None leaves one as it is."""
    found = []
    for raw in text.splitlines(keepends=True):
        line = _parsed(raw)
        new = edit(line) if line else None
        found.append(raw if new is None else new)
    return "".join(found)


def _parsed(raw: str) -> Line | None:
    if not (found := _SERVER.fullmatch(raw)):
        return None
    return Line(found[1], tuple(found[2].split()), (found[3] or "").strip())
