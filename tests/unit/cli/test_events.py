"""Dead letters: shown, and told again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from adapters.publishers.memory import MemoryPublisher
from cli import events as module
from domain.channels import DeadLetter
from domain.errors import InvalidInput
from tests.contract.store_values import NOW, a_happening
from tests.unit.tasks.engine import Engine

chat = MemoryPublisher()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    chat.__init__()  # type: ignore[misc]
    world = replace(made.world(), publishers={"chat": chat})
    monkeypatch.setattr(module, "world", lambda: world)
    made.store.serve(["chat"], now=NOW)
    letters = [DeadLetter(happening=a_happening(number), why="no", at=NOW) for number in (1, 2, 3)]
    made.store.tell([a_happening(number) for number in (1, 2, 3)])
    made.store.told("chat", before=0, after=3, letters=letters)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(module.events, arguments)


@pytest.mark.usefixtures("engine")
def test_dead_letters_are_shown_with_the_reason() -> None:
    lines = run("--dead", "--json").output.splitlines()
    assert [(json.loads(line)["happening"]["eventId"], json.loads(line)["why"]) for line in lines] == [
        (f"e-{number}", "no") for number in (1, 2, 3)
    ]
    assert "chat" in run("--dead").output.splitlines()[0]
    assert run("--dead", "--deployment", "d-9").output == ""


def test_what_is_taken_now_is_forgotten_and_the_first_that_is_not_ends_it(engine: Engine) -> None:
    chat.refuses = {"e-2"}
    done = run("--redrive", "chat", "--json")
    assert done.exit_code == 1
    assert json.loads(done.output) == {"channel": "chat", "told": 1, "problem": "the channel does not want it"}
    assert len(engine.store.dead_letters("chat")) == 2
    chat.refuses = ()
    assert run("--redrive", "chat").exit_code == 0
    assert [each.event_id for each in chat.heard] == ["e-1", "e-2", "e-3"]
    assert engine.store.dead_letters("chat") == []


@pytest.mark.usefixtures("engine")
def test_a_channel_that_is_not_there() -> None:
    done = run("--redrive", "nobody")
    assert isinstance(done.exception, InvalidInput)
    assert "it knows chat" in str(done.exception)
