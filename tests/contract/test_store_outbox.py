"""What is told outside: one numbered history, how far each channel has come in it, and what a channel did not take."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from domain.channels import FORGOTTEN_AFTER, MOST_DEAD, ChannelState, DeadLetter
from domain.errors import CallerError
from domain.ports import Store
from tests.contract.conftest import Peers
from tests.contract.store_values import NOW, a_deployment, a_happening


def happen(store: Store, *numbers: int) -> None:
    store.tell([a_happening(number) for number in numbers])


def state_of(store: Store, name: str = "a") -> ChannelState:
    (state,) = (state for state in store.channels() if state.name == name)
    return state


def ids_behind(store: Store, number: int, limit: int = 100) -> list[str]:
    return [happening.event_id for _, happening in store.happened(after=number, limit=limit)]


def letter(number: int = 1, why: str = "no") -> DeadLetter:
    return DeadLetter(happening=a_happening(number), why=why, at=NOW)


def test_what_happened_is_numbered_and_listed_by_cursor(store: Store) -> None:
    store.admit(a_deployment(), token=None, queue=False, happenings=[a_happening(1), a_happening(2)])
    happen(store, 3)
    assert [number for number, _ in store.happened(after=0)] == [1, 2, 3]
    assert ids_behind(store, 1, limit=1) == ["e-2"]
    history = store.history()
    assert [happening for _, happening in history] == [a_happening(1), a_happening(2), a_happening(3)]
    assert store.history(after=history[0][0], limit=1) == history[1:2]
    assert store.history(after=history[2][0]) == store.history(limit=0) == []
    store.tell([])


def test_what_is_told_only_if_it_waits(store: Store) -> None:
    for name in ("d-1", "d-2"):
        number = int(name[-1])
        told, waits = [a_happening(number)], [a_happening(10 * number)]
        store.admit(a_deployment(name), token=None, queue=True, happenings=told, if_queued=waits)
    assert ids_behind(store, 0) == ["e-1", "e-2", "e-20"]


def test_a_cursor_that_is_none_is_refused(store: Store) -> None:
    for read in (store.history, lambda after: store.dead_letters("a", after=after)):
        with pytest.raises(CallerError, match="no place in the history"):
            read(after="1; FLUSHALL")


def test_the_first_channels_begin_with_all_and_later_ones_with_what_comes(store: Store) -> None:
    happen(store, 1, 2)
    assert [state.waiting for state in store.serve(["a", "b"], now=NOW)] == [2, 2]
    (late,) = store.serve(["late"], now=NOW)
    assert (late.told, late.waiting) == (2, 0)
    happen(store, 3)
    assert [(state.name, state.waiting) for state in store.channels()] == [("a", 3), ("b", 3), ("late", 1)]
    assert store.serve([], now=NOW) == []


def test_channels_move_on_each_by_itself(store: Store) -> None:
    happen(store, 1, 2, 3)
    store.serve(["a", "b"], now=NOW)
    assert store.told("a", before=0, after=2)
    assert (state_of(store, "a").waiting, state_of(store, "b").waiting) == (1, 3)
    assert len(store.history()) == 3


def test_only_one_moves_a_channel(store: Store) -> None:
    happen(store, 1, 2, 3)
    store.serve(["a"], now=NOW)
    assert store.told("a", before=0, after=2)
    assert store.told("a", before=0, after=2), "the same again is known"
    assert not store.told("a", before=0, after=3)
    assert not store.hold("a", before=0, tries=1, since=NOW, again_at=NOW, why="")
    assert not store.told("nobody", before=0, after=1)
    assert not store.hold("nobody", before=0, tries=1, since=NOW, again_at=NOW, why="")
    assert (state_of(store).told, state_of(store).tries) == (2, 0)


def test_a_failing_channel_is_remembered_until_it_moves(store: Store) -> None:
    happen(store, 1, 2)
    store.serve(["a"], now=NOW)
    assert store.hold("a", before=0, tries=3, since=NOW - 9.25, again_at=NOW + 4.5, why="it is\naway \u00fc")
    failing = ChannelState(
        name="a",
        waiting=2,
        tries=3,
        failing_since=NOW - 9.25,
        again_at=NOW + 4.5,
        why="it is\naway \u00fc",
    )
    assert state_of(store) == failing
    assert store.serve(["a"], now=NOW) == [failing]
    store.told("a", before=0, after=1)
    assert state_of(store) == ChannelState(name="a", told=1, waiting=1)


def test_dead_letters_are_kept_until_somebody_forgets_them(store: Store) -> None:
    happen(store, 1, 2, 3)
    store.serve(["a", "b"], now=NOW)
    assert store.told("a", before=0, after=2, letters=[letter(1), letter(2, why="gone")])
    assert (state_of(store).dead, state_of(store, "b").dead) == (2, 0)
    (first, one), (second, two) = store.dead_letters("a")
    assert (one, two) == (letter(1), letter(2, why="gone"))
    assert store.dead_letters("a", after=first) == [(second, two)]
    assert store.dead_letters("a", limit=1) == [(first, one)]
    store.forget_dead_letters("a", [first, "nonsense"])
    store.forget_dead_letters("a", [first])
    store.forget_dead_letters("a", [])
    assert store.dead_letters("a") == [(second, two)]
    assert store.dead_letters("b") == []


def test_dead_letters_are_bounded_and_what_is_lost_is_counted(store: Store) -> None:
    happen(store, 1, 2)
    store.serve(["a"], now=NOW)
    store.told("a", before=0, after=1, letters=[letter(number) for number in range(MOST_DEAD)])
    store.told("a", before=1, after=2, letters=[letter(7777), letter(7778)])
    assert (state_of(store).dead, state_of(store).lost) == (MOST_DEAD, 2)
    assert store.dead_letters("a", limit=1)[0][1] == letter(2)


def test_a_channel_that_is_away_too_long_loses_the_oldest_and_that_is_counted(
    open_store: Callable[..., tuple[Store, Peers]],
) -> None:
    store, _ = open_store(most_waiting=200)
    store.serve(["a", "b"], now=NOW)
    for first in range(0, 1000, 100):
        happen(store, *range(first + 1, first + 101))
    (away,) = store.serve(["a"], now=NOW)
    kept = away.waiting
    assert 200 <= kept <= 400
    assert away.lost == away.told == 1000 - kept
    assert ids_behind(store, away.told, limit=1) == [f"e-{away.told + 1}"]
    assert store.serve(["a"], now=NOW) == [away], "it is counted once"


def test_the_history_is_kept_while_a_channel_needs_it_and_bounded_after(store: Store) -> None:
    store.serve(["a", "b"], now=NOW)
    for first in range(0, 12_000, 1000):
        happen(store, *range(first, first + 1000))
    store.told("a", before=0, after=12_000)
    assert len(store.history(limit=20_000)) == 12_000
    store.told("b", before=0, after=12_000)
    assert 10_000 <= len(store.history(limit=20_000)) < 10_500


def test_a_channel_that_nobody_serves_is_forgotten_after_a_day(store: Store) -> None:
    happen(store, 1)
    store.serve(["a", "b"], now=NOW)
    store.told("b", before=0, after=1, letters=[letter()])
    store.serve(["a"], now=NOW + FORGOTTEN_AFTER - 1)
    assert [state.name for state in store.channels()] == ["a", "b"]
    store.serve(["a"], now=NOW + FORGOTTEN_AFTER + 2)
    assert [state.name for state in store.channels()] == ["a"]
    assert store.dead_letters("b") == []
    (again,) = store.serve(["b"], now=NOW + FORGOTTEN_AFTER + 3)
    assert (again.told, again.dead) == (1, 0)


def test_a_control_plane_that_was_away_for_days_goes_on_where_it_was(store: Store) -> None:
    store.serve(["a", "b"], now=NOW)
    happen(store, 1)
    assert [state.waiting for state in store.serve(["a", "b"], now=NOW + 10 * FORGOTTEN_AFTER)] == [1, 1]
