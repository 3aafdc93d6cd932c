"""How long an agent may be silent before that means something: for control, which listens, and for the agent itself.
Who was not heard for so long may have been given up, and another deployment may have the host.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MISSED = 2
"""Words in a row that an agent may miss before that means anything."""
TRAVEL = 2.0
"""Seconds that a word may be on its way."""
LAPSE = 2.0
"""Seconds for which control may not know whether agents are heard, before it takes them for unheard until it does."""


def patience(every: float) -> float:
    """Seconds of silence that mean nothing, of an agent that speaks every so many seconds."""
    return MISSED * every + TRAVEL


@dataclass(frozen=True, slots=True)
class Spoken:
    """What an agent knows of its own words. Moments are by a clock of the host that never stands still."""

    last: float
    """When it began to say the latest word that arrived; before the first, when it started."""
    silent_until: float | None = None
    """When its latest silence ended that control may have noticed."""


def spoke(before: Spoken, *, began: float, now: float, every: float) -> Spoken:
    """After a word has arrived: it was begun then and is known to have arrived only now."""
    silent = now - before.last >= patience(every)
    return replace(before, last=began, silent_until=now if silent else before.silent_until)


def may_be_given_up(spoken: Spoken, *, since: float, now: float, every: float) -> bool:
    """At some moment since then the agent had been silent for longer than control may take to notice."""
    ended = spoken.silent_until
    return now - spoken.last >= patience(every) or (ended is not None and ended >= since)


@dataclass(frozen=True, slots=True)
class Hearing:
    """What control knows of its own ears. Moments are by its clock."""

    since: float
    """Since when what agents say has been recorded."""
    known_at: float
    """When that was looked at last."""


def looked(before: Hearing, *, heard: bool, now: float) -> Hearing:
    """After a look that has just told whether what agents say is being recorded."""
    return Hearing(since=counts_from(before, now=now) if heard else now, known_at=now)


def counts_from(hearing: Hearing, *, now: float) -> float:
    """Since when the silence of agents counts. From now on only where nobody has known for a while whether they are
    heard: the store did not answer, or whoever asks it was suspended, and so may have been all who record."""
    return now if now - hearing.known_at > LAPSE else hearing.since
