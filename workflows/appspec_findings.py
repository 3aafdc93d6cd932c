"""Collects what is wrong or odd about an AppSpec, and says in words what a value is and which key was probably meant.
Knows nodes and problems, not the grammar.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from domain.appspec import Problem, Severity
from workflows.appspec_nodes import Entries, Node, Refused, key_text
from workflows.appspec_scalars import Symbol

MAX_PROBLEMS = 500
"""Problems kept of one file; a hostile one could have a hundred thousand."""

_SHOWN = 60


class Findings:
    """The problems of one file so far. Built while reading; `in_order` gives them sorted and without duplicates."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}
        self.rejected = False

    def error(self, at: Node, message: str, hint: str = "") -> None:
        """Something that rejects the file."""
        self.rejected = True
        self.add(Problem(line=at.line, column=at.column, message=message, hint=hint))

    def warn(self, at: Node, message: str, hint: str = "") -> None:
        """Something that only deserves a look."""
        severity = Severity.WARNING
        self.add(Problem(line=at.line, column=at.column, message=message, hint=hint, severity=severity))

    def add(self, problem: Problem) -> None:
        """Keep a problem; past the limit only the first error is still kept, so that a rejection has a reason."""
        is_error = problem.severity is Severity.ERROR
        wanted = is_error and not any(p.severity is Severity.ERROR for p in self._problems) if self.full else True
        self.rejected = self.rejected or is_error
        if wanted:
            self._problems[problem] = None

    @property
    def full(self) -> bool:
        """No more warnings will be kept."""
        return len(self._problems) >= MAX_PROBLEMS

    def in_order(self) -> tuple[Problem, ...]:
        """The problems by line and column; at one place the first found comes first."""
        return tuple(sorted(self._problems, key=lambda problem: (problem.line, problem.column)))


def warn_unknown_keys(
    entries: Entries, known: Collection[str], where: str, found: Findings, *, special: dict[str, str] | None = None
) -> None:
    """A warning for each key that means nothing here, with the one that was probably meant."""
    for key, _ in entries.pairs:
        if found.full:
            return
        if isinstance(key.value, Refused) or (isinstance(key.value, str) and key.value in known):
            continue
        name = key_text(key)
        hint = (special or {}).get(name) or did_you_mean(name, known) or f"known keys: {', '.join(known)}"
        found.warn(key, f"unknown key {shown(name)} in {where} is ignored", hint)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint naming the known word that looks most like `word`, empty if none does."""
    near = nearest(word, known)
    return f"did you mean `{near}`?" if near else ""


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.7) -> str | None:
    """The known word most like `word`, letter case and separators aside; None if none is near."""
    plain = {_plain(candidate): candidate for candidate in sorted(known)}
    matches = difflib.get_close_matches(_plain(word[:_SHOWN]), plain, n=1, cutoff=cutoff)
    return plain[matches[0]] if matches else None


def kind_of(node: Node) -> str:
    """What a value is, in words: `a list`, `a string` …"""
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, (int, float)):
        return f"the number {shown_bare(node.text)}"
    if isinstance(value, str):
        return f"the string {shown(value)}"
    if isinstance(value, Symbol):
        return f"the symbol {shown_bare(node.text)}"
    return "a mapping" if isinstance(value, Entries) else "a list"


def shown(text: str) -> str:
    """Text as it may be shown to a person: quoted, control characters escaped, cut if long."""
    return '"' + shown_bare(text) + '"'


def shown_bare(text: str) -> str:
    """As `shown`, without the quotes."""
    cut = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in cut
    )


def _plain(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").replace(" ", "")
