"""Telling channels: in order, each by itself, nothing lost, nothing told under another id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from adapters.publishers.memory import MemoryPublisher
from domain import metrics
from domain.channels import ChannelState, Delivery
from domain.errors import PublishRefused
from domain.happenings import Happening
from tasks.announce import _say_once, announce, tell
from tasks.runtime import World
from tests.contract.store_values import a_happening
from tests.unit.tasks.engine import Engine


class Tally:
    """A meter that remembers the outcomes of events, by channel."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, ...]] = Counter()

    def count(self, family: metrics.Family, *labels: str) -> None:
        assert family is metrics.EVENTS_TOLD
        self.seen[labels] += 1

    def observe(self, *_: object) -> None:
        raise AssertionError("telling measures nothing")


class Telling:
    """An engine with two channels, and happenings to tell."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.store = engine, engine.store
        self.chat, self.other = MemoryPublisher(patience=60.0), MemoryPublisher(at_once=7)
        self.publishers: dict[str, MemoryPublisher] = {"chat": self.chat, "other": self.other}
        self.tally = Tally()
        self.world: World = replace(engine.world(), publishers=self.publishers, meter=self.tally)
        self.store.serve(["chat", "other"], now=engine.now)

    def happen(self, *numbers: int, later: float = 0.0) -> None:
        at = self.engine.now + later
        self.store.tell([a_happening(number).model_copy(update={"at": at}) for number in numbers])

    def outcomes(self, channel: str = "chat") -> dict[str, int]:
        return {outcome: count for (name, outcome), count in self.tally.seen.items() if name == channel}

    def tell(self, channel: str = "chat") -> ChannelState:
        tell(self.world, channel)
        return self.state(channel)

    def state(self, channel: str = "chat") -> ChannelState:
        return next(state for state in self.store.channels() if state.name == channel)

    def dead(self, channel: str = "chat") -> list[tuple[str, str]]:
        return [(letter.happening.event_id, letter.why) for _, letter in self.store.dead_letters(channel)]


@pytest.fixture
def telling(engine: Engine) -> Telling:
    return Telling(engine)


def ids(heard: list[Happening]) -> list[int]:
    return [int(happening.event_id.removeprefix("e-")) for happening in heard]


def test_channels_hear_all_in_order(telling: Telling) -> None:
    telling.happen(*range(250))
    assert telling.tell("other") == ChannelState(name="other", told=250)
    assert telling.tell() == ChannelState(name="chat", told=250)
    assert ids(telling.chat.heard) == ids(telling.other.heard) == list(range(250))


def test_a_channel_that_is_away_costs_one_try_per_wait_and_holds_up_nobody(telling: Telling) -> None:
    telling.chat.away = True
    telling.happen(*range(20))
    for _ in range(50):
        telling.tell()
    assert telling.chat.tries == 1
    assert telling.state().why == "the channel is away"
    assert len(telling.chat.heard) == 0
    assert telling.tell("other").waiting == 0
    for _ in range(20):
        telling.engine.now += 1
        telling.tell()
    assert telling.chat.tries == 5, "after 1, 2, 4 and 8 seconds"
    telling.chat.away = False
    telling.engine.now += 16
    assert telling.tell() == ChannelState(name="chat", told=20)
    assert ids(telling.chat.heard) == list(range(20))


def test_what_was_told_before_it_failed_is_not_told_again(telling: Telling) -> None:
    telling.happen(1, 2, 3)
    telling.chat.refuses = {"e-3"}
    state = telling.tell()
    assert (state.told, state.waiting, state.tries) == (2, 1, 1)
    telling.chat.refuses = ()
    telling.engine.now += 1
    telling.tell()
    assert ids(telling.chat.heard) == [1, 2, 3]


def test_what_it_refuses_becomes_a_dead_letter_and_the_rest_goes_on(telling: Telling) -> None:
    telling.happen(1, 2, 3)
    telling.chat.refuses = {"e-1", "e-2"}
    for _ in range(40):
        telling.engine.now += 1
        telling.tell()
    assert telling.dead() == [(f"e-{number}", "the channel does not want it") for number in (1, 2)]
    assert ids(telling.chat.heard) == [3]


def test_what_a_part_refuses_is_a_dead_letter_too_and_said_once(
    telling: Telling, caplog: pytest.LogCaptureFixture
) -> None:
    _say_once.cache_clear()
    telling.happen(*range(10))
    telling.other.part_refuses = {"e-4", "e-8"}
    assert telling.tell("other").dead == 2
    assert telling.dead("other") == [("e-4", "a part does not want it"), ("e-8", "a part does not want it")]
    assert ids(telling.other.heard) == list(range(10))
    assert [record.message.count("a part does not want it") for record in caplog.records] == [1]


def test_patience_ends_for_what_waited_too_long_and_for_nothing_else(telling: Telling) -> None:
    telling.chat.away = True
    telling.happen(1, 2)
    telling.tell()
    telling.engine.now += 59
    telling.happen(3)
    telling.tell()
    assert telling.dead() == []
    telling.engine.now += 9
    state = telling.tell()
    assert [event for event, _ in telling.dead()] == ["e-1", "e-2"]
    assert (state.waiting, state.dead, state.tries) == (1, 2, 3)
    assert telling.chat.tries == 3, "those behind the first are not tried one by one"


def test_what_came_about_a_little_out_of_order_is_not_passed_over(telling: Telling) -> None:
    """Control processes read their clocks apart: times do not rise strictly with numbers."""
    telling.chat.away = True
    telling.happen(1)
    telling.happen(2, later=0.03)
    telling.happen(3, later=0.01)
    telling.engine.now += 60.02
    telling.tell()
    assert [event for event, _ in telling.dead()] == ["e-1"]
    telling.chat.away = False
    telling.engine.now += 1
    assert telling.tell() == ChannelState(name="chat", told=3, dead=1)
    assert ids(telling.chat.heard) == [2, 3]


def test_what_a_channel_does_not_want_is_passed_over_before_it_is_tried(telling: Telling) -> None:
    telling.chat.unwanted = {f"e-{number}" for number in range(300) if number % 100}
    telling.happen(*range(300))
    assert telling.tell() == ChannelState(name="chat", told=300)
    assert ids(telling.chat.heard) == [0, 100, 200]
    assert telling.chat.tries == 3
    assert telling.outcomes() == {"told": 3}


def test_what_a_channel_does_not_want_is_never_a_dead_letter(telling: Telling) -> None:
    telling.chat.away, telling.chat.unwanted = True, {"e-1", "e-2", "e-4", "e-5", "e-7"}
    telling.happen(1, 2, 3, 4, 5, 6, 7)
    telling.tell()
    assert telling.state().told == 2, "what stands before the first that it wants is done with"
    telling.engine.now += 61
    state = telling.tell()
    assert [event for event, _ in telling.dead()] == ["e-3", "e-6"]
    assert (state.told, state.waiting, state.dead, state.lost) == (7, 0, 2, 0)
    assert telling.outcomes() == {"failed": 2, "dead": 2}


def test_one_that_is_refused_is_buried_alone(telling: Telling) -> None:
    telling.chat.refuses, telling.chat.unwanted = {"e-2"}, {"e-1", "e-3"}
    telling.happen(1, 2, 3, 4)
    for _ in range(20):
        telling.engine.now += 1
        telling.tell()
    assert [event for event, _ in telling.dead()] == ["e-2"]
    assert ids(telling.chat.heard) == [4]
    assert telling.outcomes() == {"failed": 5, "dead": 1, "told": 1}


def test_what_nobody_was_told_of_does_not_count_as_told(telling: Telling) -> None:
    class Half(MemoryPublisher):
        def publish(self, happenings: Sequence[Happening]) -> Delivery:
            return super().publish(happenings).model_copy(update={"left_out": 2})

    telling.publishers["other"] = Half(at_once=7)
    telling.happen(*range(7))
    telling.tell("other")
    assert telling.outcomes("other") == {"told": 5}


def test_a_bug_in_a_publisher_holds_up_its_own_channel_alone_and_not_for_ever(telling: Telling) -> None:
    telling.happen(1)

    class Broken(MemoryPublisher):
        def publish(self, happenings: Sequence[Happening]) -> Delivery:
            raise KeyError(happenings[0].event_id)

    telling.publishers["chat"] = Broken()
    for _ in range(40):
        telling.engine.now += 1
        telling.tell()
    assert telling.dead() == [("e-1", "internal error, see the log: KeyError")]


def test_one_process_tells_a_channel(telling: Telling) -> None:
    telling.happen(1)
    peer = telling.store.peer()
    assert peer.claim("tell:chat", 30)
    telling.tell()
    assert telling.chat.heard == []
    telling.tell("other")
    assert ids(telling.other.heard) == [1]


def test_a_process_that_lost_its_turn_stops_and_spoils_nothing(telling: Telling) -> None:
    telling.happen(1, 2, 3)

    class Overtaken(MemoryPublisher):
        def publish(self, happenings: Sequence[Happening]) -> Delivery:
            telling.store.told("chat", before=0, after=2)
            raise PublishRefused(happenings[0].event_id)

    telling.publishers["chat"] = Overtaken()
    assert telling.tell() == ChannelState(name="chat", told=2, waiting=1)
    assert telling.dead() == []


def test_it_ends_when_it_is_told_to(telling: Telling) -> None:
    telling.happen(*range(10))
    tell(telling.world, "chat", ending=lambda: len(telling.chat.heard) >= 3)
    assert (len(telling.chat.heard), telling.state().told) == (3, 3)


def test_the_task_wakes_the_tellers(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.runtime._world", telling.world)
    announce()
    assert telling.world.bell.is_set()
