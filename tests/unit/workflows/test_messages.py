"""Queued messages outlive the code that sent them: one example of each is kept and read with today's code.

`tests/golden/messages/<name>.json` holds a message as it was sent, and how it is to be read. When a message changes on
purpose, keep the old example under another name (`<name>.before-….json`): queues may still hold such messages.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

import tasks.alarms
import tasks.announce
import tasks.beginning
import tasks.environment
import tasks.host
import tasks.rollout
import tasks.traffic
import tasks.vanished
from domain.deployments import Lane
from domain.keeping import Restoring
from domain.lifecycle import TABLE, Event, Runner
from domain.reports import (
    AgentHello,
    AgentReports,
    BundleSource,
    EventFinished,
    EventStarted,
    EventStatus,
    HostReport,
    LogLines,
)
from domain.triggers import Incoming
from tests.unit.workflows.engine_values import EVENTS, NOW, a_deployment, an_order, an_outcome
from tests.unit.workflows.wire_tap import Tap
from workflows import canvas, names, triggering
from workflows.events import events_for

FOLDER = Path(__file__).parents[2] / "golden" / "messages"
FILES = sorted(FOLDER.glob("*.json"))
TASK_FILES = [path for path in FILES if path.stem.split(".")[0] not in {"reports", "trigger", "stop_deployment"}]

DEPLOYMENT = a_deployment(total=3, floor=1)
FULL = an_order(
    source=BundleSource(location="https://releases.example/v2.zip?signature=x", bundle_type="zip", sha256="0" * 64),
    appspec_filename="appspec.web.yml",
    file_exists_behavior="OVERWRITE",
    ignore_application_stop_failures=True,
    creator="codeDeployRollback",
    event_limit=900,
    environment={"BUNDLE_BUCKET": "releases", "BUNDLE_KEY": "v2.zip"},
    blue_green_rollback=True,
    restart=True,
    final_event=Event.AFTER_ALLOW_TRAFFIC,
    restoring=Restoring(began=NOW, back_to=1_600_000_000.25),
)
OPENING = HostReport(order=FULL)
HALFWAY = HostReport(
    order=FULL.brief(),
    outcomes=(
        an_outcome(Event.APPLICATION_STOP, EventStatus.FAILED, forgiven=True),
        an_outcome(Event.DOWNLOAD_BUNDLE),
        an_outcome(Event.BEFORE_INSTALL, EventStatus.FAILED),
        an_outcome(Event.INSTALL, EventStatus.SKIPPED),
    ),
)
BEHIND = events_for(load_balancer=True)
PASSING = HostReport(order=FULL.brief(), outcomes=(an_outcome(BEHIND[0]),))
LANE = Lane(number=1, step=2, target_id="web-1", attempt="t-1")
REST: dict[str, Any] = {"queue": "host.web-1", "phase": 0, "pickup_seconds": 300}


def sent_today() -> dict[str, dict[str, Any]]:
    """Each kind of task message as today's code sends it."""
    tap = Tap()
    phase, *_ = canvas.phase_chords(DEPLOYMENT, 0)
    first, *others = tap.send(phase)
    (opening,) = tap.send(canvas.host_chain(OPENING, EVENTS, **REST))
    follower = {**opening.chain[0], "options": {**opening.chain[0]["options"], "chain": opening.body[2]["chain"][:-1]}}
    messages = {
        "begin": tap.send(canvas.begin("d-AAAAAAAAA")),
        "next_host": [first],
        "next_host.after_a_host": tap.send(opening.chain[-1], canvas.wire(HALFWAY)),
        "next_host.again": tap.send(canvas.lane_again(DEPLOYMENT, 0, LANE, HALFWAY)),
        "phase_concluded": tap.send(first.body[2]["chord"], [None] * (1 + len(others))),
        "phase_concluded.on_its_own": tap.send(canvas.phase_concluded("d-AAAAAAAAA", 0)),
        "environment": tap.send(canvas.environment("d-AAAAAAAAA", 0)),
        "undo_traffic": tap.send(canvas.undo_traffic("d-AAAAAAAAA", "web-1")),
        "block_traffic": tap.send(canvas.host_again(PASSING, BEHIND[1:], **REST)),
        "allow_traffic": tap.send(canvas.host_again(PASSING, BEHIND[11:], **REST)),
        "alarms": tap.send(canvas.alarms("d-AAAAAAAAA", expires=30)),
        "settle": tap.send(canvas.settle("d-AAAAAAAAA")),
        "announce": tap.send(canvas.announce()),
        "vanished": tap.send(canvas.vanished(15)),
        "event.first": [opening],
        "event.later": tap.send(follower, canvas.wire(HALFWAY)),
        "event.again": tap.send(canvas.host_again(HALFWAY, EVENTS[4:], **REST)),
    }
    return {name: sent.stored() for name, (sent,) in messages.items()}


def a_said(**more: Any) -> dict[str, Any]:
    return {"deployment_id": "d-AAAAAAAAA", "target_id": "web-1", "attempt": "t-1", **more}


LOAD: dict[str, Any] = {"every": 10.0, "grace": 5.0, "running": 1, "slots": 1, "full_at": NOW - 1}
SAID = AgentReports(
    host="web-1",
    reports=(
        AgentHello(host="web-1", at=NOW, version="0.1.0", root="/srv", started_at=NOW - 60, **LOAD),
        EventStarted(**a_said(event=Event.INSTALL, at=NOW, limit=900)),
        LogLines(**a_said(event=Event.INSTALL, first=7, lines=("copying", "größer"))),
        EventFinished(**a_said(outcome=an_outcome(Event.INSTALL, EventStatus.FAILED), interrupted=True)),
    ),
)


def tasks_today() -> dict[str, Callable[..., Any]]:
    """Every task by its name, as a worker would call it."""
    app = Celery("reader", set_as_current=False)
    tasks.host.register(app, None)  # type: ignore[arg-type]
    found = {name: app.tasks[name].run for name in app.tasks if not name.startswith("celery.")}
    control = (
        *(tasks.beginning.begin, tasks.rollout.next_host, tasks.rollout.phase_concluded, tasks.rollout.settle),
        *(tasks.traffic.block_traffic, tasks.traffic.allow_traffic, tasks.traffic.undo_traffic),
        *(tasks.environment.environment, tasks.alarms.look_at_alarms, tasks.announce.announce, tasks.vanished.vanished),
    )
    return found | {task.name: task.run for task in control}


TASKS = tasks_today()
COMES = "<what the task before returns>"


def read(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls that come of a message: its task's, those of its chain, and that of its chord's body."""
    args, kwargs, embedded = message["body"]
    calls = [call(message["headers"]["task"], args, kwargs)]
    following = list(reversed(embedded["chain"] or []))
    bodies = [each["options"].get("chord") for each in following] + [embedded["chord"]]
    for signature in following + [body for body in bodies if body]:
        calls.append(call(signature["task"], [COMES, *signature["args"]], signature["kwargs"]))
    return calls


def call(task: str, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    bound = inspect.signature(TASKS[task]).bind(*args, **kwargs).arguments
    if isinstance(bound.get("report"), dict):
        report = bound["report"]
        assert within(report, HostReport.model_validate(report).model_dump(mode="json"))
        bound["report"] = "<read>"
    return {"task": task, **bound}


def within(part: Any, whole: Any) -> bool:
    """Every member of the part is in the whole under the same name: values silently ignore what they do not know."""
    if isinstance(part, dict):
        return all(name in whole and within(value, whole[name]) for name, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(within(*pair) for pair in zip(part, whole, strict=True))
    return bool(part == whole)


@pytest.mark.parametrize("path", TASK_FILES, ids=lambda path: path.stem)
def test_a_kept_message_is_read_as_it_was_meant(path: Path) -> None:
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert read(kept["message"]) == kept["read"]


def test_the_kept_messages_are_those_sent_today() -> None:
    today = sent_today()
    kept = {path.stem: json.loads(path.read_text(encoding="utf-8"))["message"] for path in TASK_FILES}
    assert {name: kept.get(name) for name in today} == today


def test_whose_an_event_is_can_be_told_of_its_message() -> None:
    events = [path for path in TASK_FILES if path.stem.startswith("event.")]
    assert events
    for path in events:
        message = json.loads(path.read_text(encoding="utf-8"))["message"]
        assert canvas.deployment_of(message["body"]) == "d-AAAAAAAAA"


def test_every_task_has_an_example() -> None:
    hosts = {row.event for row in TABLE if row.runner is Runner.HOST}
    examples = {json.loads(path.read_text(encoding="utf-8"))["message"]["headers"]["task"] for path in TASK_FILES}
    # The events of hosts all take the same message.
    assert examples - hosts == set(TASKS) - hosts
    assert examples & hosts
    assert hosts <= set(TASKS)


def test_every_member_of_an_order_and_an_outcome_is_in_an_example() -> None:
    order = {name for report in (OPENING, HALFWAY) for name in canvas.wire(report)["order"]}
    assert order == {field.alias for field in type(FULL).model_fields.values()}
    outcomes = {name for outcome in canvas.wire(HALFWAY)["outcomes"] for name in outcome}
    assert outcomes == {field.alias for field in type(HALFWAY.outcomes[0]).model_fields.values()}


def kept(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_kept_reports_of_an_agent_are_read_as_they_were_meant() -> None:
    assert AgentReports.model_validate(kept("reports")) == SAID
    assert within(kept("reports"), SAID.model_dump(mode="json"))
    hello, *others = SAID.reports
    silent = hello.model_copy(update={"every": 0.0, "grace": 0.0, "running": 0, "slots": 0, "full_at": None})
    before = AgentReports(host=SAID.host, reports=(silent, *others))
    assert AgentReports.model_validate(kept("reports.before-load")) == before


def test_a_kept_request_of_the_trigger_queue_is_read_as_it_was_meant() -> None:
    message = kept("trigger")
    request = triggering.parse_request(Incoming(body=json.dumps(message).encode(), receipt=None, message_id="m-1"))
    read_again = request.model_dump(mode="json", exclude_none=True)
    assert {name: value for name, value in message.items() if read_again.get(name) != value} == {
        # A caller's token is kept apart from the engine's own.
        "clientRequestToken": "build-7",
        # These three are the message's own.
        "replyTo": "answers",
        "correlationId": "c-1",
        "messageId": "m-1",
    }


def test_the_command_that_stops_hosts_is_called_as_it_was() -> None:
    assert kept("stop_deployment") == {
        "method": names.STOP_DEPLOYMENT,
        "arguments": {"deployment_id": "d-AAAAAAAAA", "now": True},
    }
