"""The journal of attempts: what it lets run, what it finds after a crash, and that it does not grow for ever."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from adapters.host.attempts import Attempts
from adapters.host.claiming import only_agent
from domain.errors import HostError
from domain.hooks import Trace
from domain.lifecycle import Event
from domain.reports import BundleSource, EventStatus, HostOrder
from tests.unit.workflows.engine_values import NOW, an_order, an_outcome
from workers.flags import Flags

SOURCE = BundleSource(location="http://127.0.0.1/b?signature=s", bundle_type="zip")


def order(attempt: str = "t-1") -> HostOrder:
    return an_order(attempt=attempt, source=SOURCE, final_event=Event.VALIDATE_SERVICE)


def test_attempts_that_are_over_stay_on_disk_only(tmp_path: Path) -> None:
    journal = Attempts(tmp_path)
    for number in range(50):
        attempt = journal.open(order(f"t-{number}"))
        assert attempt is not None
        assert journal.begin(attempt, Event.VALIDATE_SERVICE, at=NOW) is True
        journal.end(attempt, an_outcome(Event.VALIDATE_SERVICE))
    assert not journal._known
    again = journal.open(order("t-7"))
    assert again is not None
    replayed = journal.begin(again, Event.VALIDATE_SERVICE, at=NOW)
    assert not isinstance(replayed, bool)
    assert replayed.status is EventStatus.SUCCEEDED


def test_a_starting_agent_finds_what_is_open_and_what_was_over_lately(tmp_path: Path) -> None:
    journal = Attempts(tmp_path)
    for name, event in (("old", Event.INSTALL), ("over", Event.VALIDATE_SERVICE), ("lately", Event.VALIDATE_SERVICE)):
        attempt = journal.open(order(name))
        assert attempt is not None
        journal.begin(attempt, event, at=NOW)
        journal.end(attempt, an_outcome(event))
        os.utime(tmp_path / f"{name}.jsonl", (NOW, NOW + 1 if name == "lately" else NOW))
    started = Attempts(tmp_path)
    assert [attempt.order.attempt for attempt in started.left(since=NOW)] == ["lately", "old"]
    assert list(started._known) == ["old"]


def test_a_restart_begins_without_a_source_and_only_with_its_first_message(tmp_path: Path) -> None:
    first = an_order(attempt="t-1", source=None, restart=True, environment={"BUNDLE_KEY": "k"})
    journal = Attempts(tmp_path)
    assert journal.open(first.brief()) is None
    opened = journal.open(first)
    assert opened is not None
    assert journal.open(first.brief()) is opened
    assert opened.order == first
    kept = Attempts(tmp_path).open(first.brief())
    assert kept is not None
    assert kept.order.environment == {"BUNDLE_KEY": "k"}
    assert journal.open(an_order(attempt="t-2", source=None)) is None


def test_the_script_that_an_event_runs_is_known_until_the_event_ended(tmp_path: Path) -> None:
    journal = Attempts(tmp_path)
    attempt = journal.open(order())
    assert attempt is not None
    journal.begin(attempt, Event.BEFORE_INSTALL, at=NOW)
    traces = [Trace(marker="one"), Trace(marker="two"), Trace(marker="two", pid=7, started=8, boot="b")]
    for trace in traces:
        journal.note_script(attempt, trace)
        assert [left.script for left in Attempts(tmp_path).left(since=NOW)] == [trace]
    journal.end(attempt, an_outcome(Event.BEFORE_INSTALL))
    assert [left.script for left in Attempts(tmp_path).left(since=NOW)] == [None]


def test_a_script_of_an_event_whose_end_could_not_be_noted_is_not_that_of_the_next(tmp_path: Path) -> None:
    journal = Attempts(tmp_path)
    attempt = journal.open(order())
    assert attempt is not None
    journal.begin(attempt, Event.BEFORE_INSTALL, at=NOW)
    journal.note_script(attempt, Trace(marker="one"))
    attempt.running = None
    journal.begin(attempt, Event.INSTALL, at=NOW)
    assert attempt.script is None
    assert [(left.running, left.script) for left in Attempts(tmp_path).left(since=NOW)] == [(Event.INSTALL, None)]


def test_only_the_agent_reads_a_journal(tmp_path: Path) -> None:
    Attempts(tmp_path).open(order())
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_old_journals_are_forgotten_but_for_those_at_work(tmp_path: Path) -> None:
    journal = Attempts(tmp_path)
    for name in ("old", "running", "new"):
        attempt = journal.open(order(name))
        assert attempt is not None
        if name == "running":
            journal.begin(attempt, Event.INSTALL, at=NOW)
        if name != "new":
            os.utime(tmp_path / f"{name}.jsonl", (1000, 1000))
    journal.forget(before=2000)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["new", "running"]
    assert not journal.knows("old")


@pytest.mark.parametrize("name", ["../x", "a\x00", "", "x" * 100_000])
def test_no_odd_name_is_known(tmp_path: Path, name: str) -> None:
    assert not Attempts(tmp_path).knows(name)


def test_one_agent_at_a_time_has_a_state_directory(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with only_agent(state):
        refused = pytest.raises(HostError, match=rf"another agent \(process {os.getpid()}\) works with .*state already")
        with refused, only_agent(state):
            pass
        with only_agent(tmp_path / "other"):
            pass
    with only_agent(state):
        assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match="give another --state"), only_agent(tmp_path / "file" / "state"):
        pass


def test_flags_are_the_same_for_all_and_the_oldest_are_dropped() -> None:
    flags = Flags(most=2)
    first = flags["one"]
    first.set()
    assert flags["one"] is first
    assert not flags["two"].is_set()
    assert flags["one"].is_set()
    assert not flags["three"].is_set()
    assert set(flags) == {"one", "three"}
    assert len(flags) == 2
