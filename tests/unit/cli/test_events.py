"""Dead letters: shown, told again, and dropped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from adapters.publishers.memory import MemoryPublisher
from cli import events as module
from domain.channels import DeadLetter, Delivery
from domain.errors import InvalidInput
from domain.happenings import Happening
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


def left(engine: Engine) -> list[str]:
    return [letter.happening.event_id for _, letter in engine.store.dead_letters("chat")]


def heard() -> list[str]:
    return [happening.event_id for happening in chat.heard]


def test_what_is_taken_now_is_forgotten_and_what_is_refused_stays_in_nobodys_way(engine: Engine) -> None:
    chat.refuses = {"e-1"}
    done = run("--redrive", "chat", "--json")
    assert done.exit_code == 1
    assert json.loads(done.output) == {
        "channel": "chat",
        "told": 2,
        "refused": 1,
        "unwanted": 0,
        "problem": "the channel does not want it",
    }
    assert (heard(), left(engine)) == (["e-2", "e-3"], ["e-1"])
    said = run("--redrive", "chat")
    assert (said.exit_code, said.output) == (
        1,
        "chat was told 0 events; 1 refused and kept (the channel does not want it)\n",
    )
    chat.refuses = ()
    said = run("--redrive", "chat")
    assert (said.exit_code, said.output) == (0, "chat was told 1 events\n")
    assert (heard(), left(engine)) == (["e-2", "e-3", "e-1"], [])


def test_what_a_part_refuses_stays_too(engine: Engine) -> None:
    chat.part_refuses = {"e-2"}
    done = run("--redrive", "chat", "--json")
    answer = json.loads(done.output)
    assert (answer["told"], answer["refused"], answer["problem"]) == (2, 1, "a part does not want it")
    assert left(engine) == ["e-2"]


def test_a_channel_that_goes_away_meanwhile_ends_it(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = chat.publish

    def publish_one(happenings: Sequence[Happening]) -> Delivery:
        chat.away = bool(chat.heard)
        return publish(happenings)

    monkeypatch.setattr(chat, "publish", publish_one)
    done = run("--redrive", "chat")
    assert (done.exit_code, chat.tries) == (1, 2)
    assert done.output == "chat was told 1 events; it ended there: the channel is away\n"
    assert left(engine) == ["e-2", "e-3"]


def test_one_that_a_publisher_fails_at_is_in_nobodys_way(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = chat.publish

    def broken_for_one(happenings: Sequence[Happening]) -> Delivery:
        if happenings[0].event_id == "e-1":
            raise KeyError("no such thing")
        return publish(happenings)

    monkeypatch.setattr(chat, "publish", broken_for_one)
    done = run("--redrive", "chat")
    assert done.exit_code == 1
    assert "1 refused and kept (internal error: KeyError)" in done.output
    assert left(engine) == ["e-1"]


def test_what_the_channel_has_no_use_for_any_more_is_forgotten_untold(engine: Engine) -> None:
    chat.unwanted = {"e-1", "e-3"}
    done = run("--redrive", "chat")
    assert (done.exit_code, done.output) == (0, "chat was told 1 events; 2 it does not want are forgotten\n")
    assert (heard(), left(engine)) == (["e-2"], [])


def test_those_of_one_deployment_can_be_told_again_or_dropped(engine: Engine) -> None:
    other = DeadLetter(happening=a_happening(4).model_copy(update={"deployment_id": "d-4"}), why="no", at=NOW)
    engine.store.tell([a_happening(4)])
    engine.store.told("chat", before=3, after=4, letters=[other])
    assert run("--redrive", "chat", "--deployment", "d-4").exit_code == 0
    assert (heard(), left(engine)) == (["e-4"], ["e-1", "e-2", "e-3"])
    engine.store.tell([a_happening(5)])
    engine.store.told("chat", before=4, after=5, letters=[other])
    done = run("--drop", "chat", "--deployment", "d-4", "--json")
    assert (done.exit_code, json.loads(done.output)) == (0, {"channel": "chat", "dropped": 1})
    assert left(engine) == ["e-1", "e-2", "e-3"]


def test_all_can_be_dropped(engine: Engine) -> None:
    done = run("--drop", "chat")
    assert (done.exit_code, done.output) == (0, "3 dead letters of chat are dropped\n")
    assert (heard(), left(engine)) == ([], [])
    assert run("--drop", "chat", "--json").exit_code == 0, "there is nothing to do"


def test_letters_of_a_channel_that_is_in_no_settings_any_more_can_be_dropped(engine: Engine) -> None:
    engine.store.serve(["old"], now=NOW)
    assert run("--drop", "old").output == "0 dead letters of old are dropped\n"


@pytest.mark.usefixtures("engine")
def test_one_thing_at_a_time() -> None:
    assert run("--drop", "chat", "--redrive", "chat").exit_code == 2
    assert run("--drop", "chat", "--dead").exit_code == 2


@pytest.mark.usefixtures("engine")
def test_a_channel_to_drop_that_is_not_there() -> None:
    done = run("--drop", "nobody")
    assert isinstance(done.exception, InvalidInput)
    assert "There is no channel nobody; there are chat" in str(done.exception)


@pytest.mark.usefixtures("engine")
def test_a_channel_that_is_not_there() -> None:
    done = run("--redrive", "nobody")
    assert isinstance(done.exception, InvalidInput)
    assert "it knows chat" in str(done.exception)
