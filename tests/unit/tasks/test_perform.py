"""What happens on a host is always an outcome: full disks, bugs, damaged records and messages that are no report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.host.attempts import Attempts
from domain.errors import InstallError
from domain.hooks import Trace
from domain.keeping import Restoring
from domain.lifecycle import Event
from domain.reports import AgentReport, ErrorCode, EventFinished, EventStatus, HostReport, LogLines, Outcome
from tasks.perform import LONGEST_MESSAGE, TELL_AGAIN, carry_out, refuse, report_interrupted
from tests.unit.tasks.agent_world import SOURCE, a_host, raises
from tests.unit.workflows.engine_values import ALL_WELL, NOW, an_order, outcomes_of
from workflows.events import events_for

FULL = OSError(28, "No space left on device")


def report(outcomes: tuple[Outcome, ...] = (), **more: Any) -> HostReport:
    return HostReport(order=an_order(**{"source": SOURCE, **more}), outcomes=outcomes)


def finished(told: list[AgentReport]) -> list[Outcome]:
    return [each.outcome for each in told if isinstance(each, EventFinished)]


@pytest.mark.parametrize(
    ("event", "broken", "says"),
    [
        pytest.param(
            Event.DOWNLOAD_BUNDLE, {"fetch": raises(ZeroDivisionError("oh"))}, "ZeroDivisionError: oh", id="bug"
        ),
        pytest.param(Event.DOWNLOAD_BUNDLE, {"prune": raises(FULL)}, "No space left", id="full disk"),
        pytest.param(
            Event.DOWNLOAD_BUNDLE, {"fetch": raises(RecursionError("deep"))}, "internal error", id="recursion"
        ),
        pytest.param(Event.DOWNLOAD_BUNDLE, {"fetch": raises(InstallError("caf\udce9"))}, "caf\\udce9", id="odd name"),
    ],
)
def test_whatever_is_raised_is_a_failed_outcome(
    tmp_path: Path, event: Event, broken: dict[str, Callable[..., Any]], says: str
) -> None:
    told: list[AgentReport] = []
    after = carry_out(a_host(tmp_path, told, **broken), event, report())
    (outcome,) = after.outcomes
    assert outcome.status is EventStatus.FAILED
    assert outcome.diagnostics is not None
    assert outcome.diagnostics.error_code is ErrorCode.UNKNOWN_ERROR
    assert says in outcome.diagnostics.message
    assert finished(told) == [outcome]
    after.model_dump_json().encode()


def test_a_message_of_any_length_is_cut(tmp_path: Path) -> None:
    world = a_host(tmp_path, [], fetch=raises(InstallError("x" * 10**7)))
    (outcome,) = carry_out(world, Event.DOWNLOAD_BUNDLE, report()).outcomes
    assert outcome.diagnostics is not None
    assert len(outcome.diagnostics.message) < LONGEST_MESSAGE + 10


def test_an_event_that_cannot_be_written_down_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[object] = []
    told: list[AgentReport] = []
    world = a_host(tmp_path, told, fetch=lambda *given, **_: fetched.append(given))
    monkeypatch.setattr(Attempts, "_append", raises(FULL))
    after = carry_out(world, Event.DOWNLOAD_BUNDLE, report())
    assert not fetched
    assert after.failed
    assert after.outcomes[0].diagnostics is not None
    assert "was not begun" in after.outcomes[0].diagnostics.message
    assert finished(told) == list(after.outcomes)


def test_an_end_that_cannot_be_written_down_is_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[AgentReport] = []
    world = a_host(tmp_path, told)
    honest = Attempts._append

    def full_at_the_end(self: Attempts, attempt: Any, line: dict[str, object]) -> None:
        if "ended" in line:
            raise FULL
        honest(self, attempt, line)

    monkeypatch.setattr(Attempts, "_append", full_at_the_end)
    after = carry_out(world, Event.DOWNLOAD_BUNDLE, report())
    assert [outcome.status for outcome in after.outcomes] == [EventStatus.SUCCEEDED]
    assert finished(told) == list(after.outcomes)
    assert carry_out(world, Event.DOWNLOAD_BUNDLE, report()).outcomes == after.outcomes


def test_a_success_that_cannot_be_kept_is_a_failure(tmp_path: Path) -> None:
    events = events_for()
    world = a_host(tmp_path, [], commit=raises(FULL))
    for event in events[:-1]:
        carry_out(world, event, report())
    before = report(outcomes_of(ALL_WELL[:-1]))
    after = carry_out(world, events[-1], before)
    last = after.outcomes[-1]
    assert last.status is EventStatus.FAILED
    assert last.diagnostics is not None
    assert "cannot keep its records" in last.diagnostics.message


@pytest.mark.parametrize("attempt", ["../../etc/x", "a\x00b", "a/b", "", "x" * 100_000])
def test_an_attempt_of_a_hostile_name_fails_and_writes_nothing(tmp_path: Path, attempt: str) -> None:
    after = carry_out(a_host(tmp_path / "state", []), Event.APPLICATION_STOP, report(attempt=attempt))
    assert after.failed
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("name", ["deployment_id", "deployment_group_id"])
def test_ids_that_lead_elsewhere_fail_and_write_nothing_there(tmp_path: Path, name: str) -> None:
    elsewhere: dict[str, Any] = {name: "../../../gone"}
    after = carry_out(a_host(tmp_path / "state", []), Event.DOWNLOAD_BUNDLE, report(**elsewhere))
    assert after.failed
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["attempts"]


def test_what_is_unknown_is_skipped_once_the_host_has_failed(tmp_path: Path) -> None:
    brief = report(outcomes_of("f"), source=None)
    after = carry_out(a_host(tmp_path, []), Event.DOWNLOAD_BUNDLE, brief)
    assert [outcome.status for outcome in after.outcomes] == [EventStatus.FAILED, EventStatus.SKIPPED]


def test_a_damaged_journal_keeps_no_other_attempt_from_being_told_of(tmp_path: Path) -> None:
    told: list[AgentReport] = []
    before = a_host(tmp_path, [], fetch=raises(SystemExit()))
    for number in range(3):
        with pytest.raises(SystemExit):
            carry_out(before, Event.DOWNLOAD_BUNDLE, report(attempt=f"t-{number}"))
    (tmp_path / "attempts" / "t-0.jsonl").write_bytes(b'\xff\x00\n[1]\n{"order": 7}\n{"begun": "Nonsense"}\n')
    with (tmp_path / "attempts" / "t-1.jsonl").open("ab") as journal:
        journal.write(b'\xff\xfe\n"text"\n{"ended": {}}\nhalf a li')
    assert report_interrupted(a_host(tmp_path, told)) == 2
    assert [outcome.event for outcome in finished(told)] == [Event.DOWNLOAD_BUNDLE] * 2


def test_a_restart_tells_all_that_ran_before_what_was_cut_short(tmp_path: Path) -> None:
    """Control ends the attempt with what was cut short, and takes for skipped what it was not told of by then."""
    events = events_for()[:4]
    before = a_host(tmp_path, [], install=raises(SystemExit()))
    ran = [carry_out(before, event, report()).outcomes[0] for event in events[:-1]]
    with pytest.raises(SystemExit):
        carry_out(before, Event.INSTALL, report())
    told: list[AgentReport] = []
    assert report_interrupted(a_host(tmp_path, told)) == 1
    assert finished(told)[:-1] == ran
    assert finished(told)[-1].event is Event.INSTALL
    assert [each.interrupted for each in told if isinstance(each, EventFinished)] == [False] * 3 + [True]


@pytest.mark.parametrize(
    ("ended", "says"),
    [
        (lambda _: True, "once the host is well."),
        (lambda _: False, "could not be ended; look after it on the host."),
        (raises(OSError("no /proc")), "could not be ended; look after it on the host."),
    ],
)
def test_a_script_that_outlived_its_agent_is_ended_before_anybody_is_told(
    tmp_path: Path, ended: Callable[[Trace], bool], says: str
) -> None:
    trace = Trace(marker="m-1", pid=7, started=8, boot="b")

    def die(*_: object, note: Callable[[Trace], None], **__: object) -> None:
        note(trace)
        raise SystemExit

    before = a_host(tmp_path, [], run_scripts=die)
    carry_out(before, Event.DOWNLOAD_BUNDLE, report())
    with pytest.raises(SystemExit):
        carry_out(before, Event.BEFORE_INSTALL, report())
    told: list[AgentReport] = []
    asked: list[tuple[Trace, list[Event]]] = []

    def end(left: Trace) -> bool:
        asked.append((left, [outcome.event for outcome in finished(told)]))
        return ended(left)

    assert report_interrupted(a_host(tmp_path, told, end_script=end)) == 1
    assert asked == [(trace, [Event.DOWNLOAD_BUNDLE])]
    problem = finished(told)[-1].diagnostics
    assert problem is not None
    assert problem.message.endswith(says)


def test_a_restart_tells_of_attempts_that_were_over_lately(tmp_path: Path) -> None:
    """The word of the last event's end may have been lost with the process; in time control gives the host up."""
    before = a_host(tmp_path, [])
    ran = [carry_out(before, event, report()).outcomes[0] for event in events_for()]
    (journal,) = (tmp_path / "attempts").iterdir()
    for age, expected in ((TELL_AGAIN, []), (TELL_AGAIN - 1, ran)):
        os.utime(journal, (NOW - age, NOW - age))
        told: list[AgentReport] = []
        assert report_interrupted(a_host(tmp_path, told)) == 0
        assert finished(told) == expected


def test_a_cut_off_install_says_what_is_on_the_disk(tmp_path: Path) -> None:
    told: list[AgentReport] = []
    with pytest.raises(SystemExit):
        carry_out(a_host(tmp_path, [], install=raises(SystemExit())), Event.INSTALL, _downloaded(tmp_path))
    report_interrupted(a_host(tmp_path, told))
    problem = finished(told)[-1].diagnostics
    assert problem is not None
    assert (
        "On disk: Install of v1 was carried out. Last successful deployment on this host: none yet." in problem.message
    )


@pytest.mark.parametrize("restoring", [None, Restoring(began=2, back_to=1)])
def test_what_becomes_of_files_of_others_is_told(tmp_path: Path, restoring: Restoring | None) -> None:
    told: list[AgentReport] = []
    asked: list[Any] = []

    def install(*_: object, **named: Any) -> str:
        asked.append(named["restoring"])
        return "1 of others kept"

    whole = _downloaded(tmp_path).model_copy(update={"order": report(restoring=restoring).order})
    (tmp_path / "attempts" / "t-1.jsonl").unlink()
    carry_out(a_host(tmp_path, told, install=install), Event.INSTALL, whole)
    assert asked == [restoring]
    lines = [line for each in told if isinstance(each, LogLines) for line in each.lines]
    assert lines == (["1 of others kept"] if restoring else [])


@pytest.mark.parametrize(
    ("event", "more", "expected"),
    [
        (Event.AFTER_INSTALL, {}, True),
        (Event.VALIDATE_SERVICE, {}, True),
        (Event.BEFORE_INSTALL, {}, False),
        (Event.AFTER_INSTALL, {"restoring": None}, False),
        (Event.APPLICATION_START, {"restart": True}, False),
    ],
)
@pytest.mark.parametrize("ended", [None, InstallError("the script is gone")], ids=["well", "badly"])
def test_what_scripts_made_of_files_over_others_is_noted_once_there_was_an_install(
    tmp_path: Path, event: Event, more: dict[str, Any], expected: bool, ended: InstallError | None
) -> None:
    archive = tmp_path / "deployments/g-1/d-AAAAAAAAA/deployment-archive"
    archive.mkdir(parents=True)
    (archive / "appspec.yml").write_text(f"version: 0.0\nos: linux\nhooks:\n  {event}:\n    - location: run.sh\n")
    owned: list[Path] = []
    host = a_host(tmp_path, [], own=owned.append, **({"run_scripts": raises(ended)} if ended else {}))
    host.records.mark_last_successful("g-1", "d-AAAAAAAAA")
    host.records.mark_most_recent("g-1", "d-AAAAAAAAA")
    (outcome,) = carry_out(host, event, report(**{"restoring": Restoring(began=1), **more})).outcomes
    assert outcome.status is (EventStatus.FAILED if ended else EventStatus.SUCCEEDED)
    assert owned == ([host.records.instructions("g-1")] if expected else [])


def test_a_note_that_cannot_be_taken_fails_no_event(tmp_path: Path) -> None:
    archive = tmp_path / "deployments/g-1/d-AAAAAAAAA/deployment-archive"
    archive.mkdir(parents=True)
    (archive / "appspec.yml").write_text("version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - location: run.sh\n")
    host = a_host(tmp_path, [], own=raises(FULL))
    (outcome,) = carry_out(host, Event.AFTER_INSTALL, report(restoring=Restoring(began=1))).outcomes
    assert outcome.status is EventStatus.SUCCEEDED


def _downloaded(folder: Path) -> HostReport:
    return carry_out(a_host(folder, []), Event.DOWNLOAD_BUNDLE, report()).model_copy(update={"order": report().order})


def test_records_that_cannot_be_read_do_not_hide_why_an_event_failed(tmp_path: Path) -> None:
    world = a_host(tmp_path, [], on_disk=raises(FULL), run_scripts=raises(InstallError("the script is gone")))
    (tmp_path / "deployments/g-1/d-AAAAAAAAA/deployment-archive").mkdir(parents=True)
    spec = tmp_path / "deployments/g-1/d-AAAAAAAAA/deployment-archive/appspec.yml"
    spec.write_text("version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - location: run.sh\n")
    (outcome,) = carry_out(world, Event.AFTER_INSTALL, report()).outcomes
    assert outcome.diagnostics is not None
    assert "the script is gone" in outcome.diagnostics.message
    assert "unknown, for the records cannot be read" in outcome.diagnostics.message


def test_a_message_that_is_no_report_is_refused_for_whom_it_names(tmp_path: Path) -> None:
    told: list[AgentReport] = []
    world = a_host(tmp_path, told)
    raw = {"order": {"deploymentId": "d-1", "targetId": "web-1", "attempt": "t-9"}}
    refuse(world, Event.APPLICATION_STOP, raw)
    (said,) = told
    assert isinstance(said, EventFinished)
    assert (said.deployment_id, said.attempt, said.interrupted) == ("d-1", "t-9", True)
    assert world.stopped["d-1"].is_set()


def test_what_is_sent_again_in_good_order_says_nothing_else_of_a_refused_attempt(tmp_path: Path) -> None:
    """Else the host would be told as Skipped, as if the deployment had been stopped before it."""
    told: list[AgentReport] = []
    world = a_host(tmp_path, told)
    good = report()
    order = json.loads(good.model_dump_json())["order"]
    refuse(world, Event.APPLICATION_STOP, {"order": {**order, "lane": "first"}})
    after = good
    for event in events_for()[:3]:
        after = carry_out(world, event, after)
    assert [outcome.status for outcome in after.outcomes] == [EventStatus.FAILED, *2 * [EventStatus.SKIPPED]]
    assert {outcome.diagnostics for outcome in finished(told)} == {after.outcomes[0].diagnostics}


@pytest.mark.parametrize("raw", [None, 7, "x", [], {}, {"order": []}, {"order": {"deploymentId": 1}}], ids=repr)
def test_a_message_that_names_nobody_is_dropped(tmp_path: Path, raw: object) -> None:
    told: list[AgentReport] = []
    refuse(a_host(tmp_path, told), Event.APPLICATION_STOP, raw)
    assert told == []


def test_a_broken_message_amid_an_attempt_stops_nothing(tmp_path: Path) -> None:
    told: list[AgentReport] = []
    world = a_host(tmp_path, told)
    carry_out(world, Event.APPLICATION_STOP, report())
    order = json.loads(report().model_dump_json())["order"]
    refuse(world, Event.DOWNLOAD_BUNDLE, {"order": {**order, "lane": "first"}})
    assert not world.stopped[report().order.deployment_id].is_set()
    assert len(finished(told)) == 1
