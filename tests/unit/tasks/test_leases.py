"""Who works alone, and for how long others are kept out."""

from __future__ import annotations

import threading

import pytest

from adapters.environments.errands import Errands
from adapters.store.memory import MemoryStore
from domain.errors import WorldError
from tasks.leases import alone
from tests.services import wait_until
from tests.unit.tasks.engine import Engine


def test_another_process_waits_and_has_its_turn_at_once() -> None:
    here = Engine()
    there = here.store.peer()
    with alone(here.world(), "step", 60.0) as mine:
        assert mine
        assert not there.claim("step", 60.0)
    assert there.claim("step", 60.0)


def test_a_lease_of_another_is_left_to_it() -> None:
    here = Engine()
    there, third = here.store.peer(), here.store.peer()
    with alone(here.world(), "step", 0.0) as mine:
        assert mine
        wait_until(lambda: there.claim("step", 60.0), "the end of a lease of no time")
    assert not third.claim("step", 60.0)


def test_another_thread_of_the_process_is_kept_out_and_keeps_nobody() -> None:
    here = Engine()
    with alone(here.world(), "step", 60.0):
        with alone(here.world(), "step", 60.0) as again:
            assert not again
        assert not here.store.peer().claim("step", 60.0)


def test_a_lease_that_cannot_be_given_back_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Engine()

    def away(_store: MemoryStore, _name: str, _seconds: float) -> bool:
        raise WorldError("the store is away")

    with monkeypatch.context() as patch, alone(here.world(), "step", 60.0):
        patch.setattr(MemoryStore, "claim", away)
    with alone(here.world(), "step", 60.0) as mine:
        assert mine


def test_a_step_that_ends_leaves_a_program_its_lease() -> None:
    """The task of a deployment's environment comes and goes while the program that it started runs on."""
    here = Engine()
    there = here.store.peer()
    over = threading.Event()
    answers: list[bool] = []

    def claim(name: str, seconds: float) -> bool:
        answers.append(there.claim(name, seconds))
        return answers[-1]

    with alone(here.world(), "environment:d-1", 60.0):
        Errands(here.store.claim, lease_seconds=60.0).start("d-1", lambda _: _wait(over), wanted=lambda: True)
    with alone(here.world(), "environment:d-1", 60.0):
        """The next step."""
    Errands(claim, lease_seconds=60.0).start("d-1", lambda _: _wait(over), wanted=lambda: True)
    assert answers == [False]
    over.set()


def _wait(over: threading.Event) -> None:
    assert over.wait(20.0)
