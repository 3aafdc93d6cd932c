"""The grid of a deployment, as text: seven events, thirteen with a balancer, the fleets of blue/green."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.grid import SHORTEST_NAMES, DeploymentView, draw, final_line, shortest_name
from domain.deployments import (
    DeploymentErrorCode,
    DeploymentStatus,
    ErrorInformation,
    Overview,
    RollbackInfo,
    TargetStatus,
)
from domain.lifecycle import BY_EVENT, Event, Part
from domain.reports import EventStatus
from tests.unit.console.drawing import ALL_EVENTS, as_text, target, view

APPLICATION = tuple(event for event in ALL_EVENTS if BY_EVENT[event].part is Part.APPLICATION)


def marks(text: str, host: str) -> str:
    line = next(line for line in text.splitlines() if line.startswith(host))
    return "".join(sign for sign in line.removeprefix(host) if sign in "·●✓✗-?")


def row(text: str, host: str) -> list[str]:
    return next(line for line in text.splitlines() if line.startswith(host)).split()


def test_seven_events_keep_their_longer_heads() -> None:
    text = as_text(draw(view([target("web-1", TargetStatus.PENDING)], events=APPLICATION)))
    assert "Before" in text
    assert "Install" in text
    assert "fleet" not in text
    assert "waits for" not in text


def test_every_event_has_a_head_of_five_letters_at_most() -> None:
    assert set(SHORTEST_NAMES) == set(Event)
    for event in Event:
        assert max(map(len, shortest_name(event).split("\n"))) <= 5


@pytest.mark.parametrize("labels", [{}, {"web-1": "Green", "web-2": "Blue"}], ids=["in place", "blue/green"])
def test_thirteen_events_fit_a_hundred_columns(labels: dict[str, str]) -> None:
    done = dict.fromkeys(ALL_EVENTS, EventStatus.SUCCEEDED)
    targets = [target(host, TargetStatus.IN_PROGRESS, done) for host in ("web-1", "web-2")]
    text = as_text(draw(view(targets, labels=labels)))
    assert marks(text, "web-1") == 13 * "✓"
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_blue_and_green_show_the_events_that_are_theirs() -> None:
    targets = [target("new-1", TargetStatus.READY), target("old-1", TargetStatus.PENDING)]
    text = as_text(draw(view(targets, labels={"new-1": "Green", "old-1": "Blue"})))
    assert row(text, "new-1")[1:3] == ["Green", "Ready"]
    assert marks(text, "new-1") == 10 * "·"
    assert row(text, "old-1")[1:3] == ["Blue", "Pending"]
    assert marks(text, "old-1") == 3 * "·"


def test_a_rollback_shows_what_blue_went_through_beside_its_own() -> None:
    known = {Event.BLOCK_TRAFFIC: EventStatus.FAILED, Event.ALLOW_TRAFFIC: EventStatus.SUCCEEDED}
    text = as_text(draw(view([target("old-1", TargetStatus.FAILED, known)], labels={"old-1": "Blue"})))
    assert marks(text, "old-1") == "·✗·✓"


@pytest.mark.parametrize("status", [DeploymentStatus.READY, DeploymentStatus.BAKING])
def test_it_says_what_is_waited_for(status: DeploymentStatus) -> None:
    shown = view(
        [target("new-1", TargetStatus.READY)],
        status=status,
        overview=Overview(ready=4, pending=4),
        waiting_for="the word to go on, 9 minutes at most",
    )
    text = as_text(draw(shown))
    assert f"CodeDeployDefault.OneAtATime  {status}" in text
    assert "4 ready" in text
    assert "waits for the word to go on, 9 minutes at most" in text


def test_what_is_to_be_said_of_agents_stands_below_the_grid() -> None:
    names = [f"web-{number}" for number in range(7)]
    at_work = view([target(name, TargetStatus.IN_PROGRESS) for name in names])
    shown = as_text(draw(replace(at_work, words=dict.fromkeys(names, "agent not answering"))))
    assert "web-0: agent not answering\n" in shown.replace(" \n", "\n")
    assert shown.count("not answering") == 5
    assert "… and 2 more agents" in shown


def test_what_is_to_be_known_of_the_whole_deployment_is_said() -> None:
    shown = view([target("web-1", TargetStatus.FAILED)])
    told = {
        "status_messages": ("The alarm cpu is active.",),
        "rollback_info": RollbackInfo(rollback_message="d-2 rolls"),
    }
    text = as_text(draw(replace(shown, deployment=shown.deployment.model_copy(update=told))))
    assert text.splitlines()[-2:] == ["The alarm cpu is active.", "d-2 rolls"]
    assert "rolls" not in as_text(draw(shown))


NO_HOSTS = ErrorInformation(code=DeploymentErrorCode.NO_INSTANCES, message="no instances were found")
STOP = ErrorInformation(code=DeploymentErrorCode.MANUAL_STOP, message="stopped by request")


def with_(shown: DeploymentView, **update: object) -> DeploymentView:
    return replace(shown, deployment=shown.deployment.model_copy(update=update))


@pytest.mark.parametrize("hosts", [[], ["web-1"]], ids=["no hosts", "a host"])
@pytest.mark.parametrize(
    ("status", "why"),
    [(DeploymentStatus.FAILED, NO_HOSTS), (DeploymentStatus.STOPPED, STOP)],
    ids=["Failed", "Stopped"],
)
def test_what_did_not_succeed_says_why_and_the_last_word_does_not_again(
    hosts: list[str], status: DeploymentStatus, why: ErrorInformation
) -> None:
    shown = with_(
        view([target(name, TargetStatus.SKIPPED) for name in hosts], status=status),
        error_information=why,
        stopping=why,
        status_messages=("left to you",),
    )
    text = as_text(draw(shown))
    assert text.splitlines()[-2:] == [f"{why.code}: {why.message}", "left to you"]
    assert text.count(why.message) == 1
    assert final_line(shown.deployment) == f"d-ABCDEFGHI {status.lower()}"


def test_what_is_stopping_says_that_and_why() -> None:
    running = view([target("web-1", TargetStatus.IN_PROGRESS)])
    text = as_text(draw(with_(running, stopping=STOP)))
    assert "stopping: MANUAL_STOP: stopped by request" in text.splitlines()
    assert "stopping" not in as_text(draw(running))
