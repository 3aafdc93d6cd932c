"""How long a deployment waits for a load balancer before it begins, and what it says meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from domain.deployments import Deployment, DeploymentErrorCode, DeploymentStatus
from domain.group_options import LoadBalancerInfo
from tests.unit.workflows.engine_values import NOW, STOP, a_deployment
from workflows import admission, balancer_waits
from workflows.agents import clock

AWAY = "HAProxy at /run/haproxy.sock does not answer: connection refused"
CREATED = DeploymentStatus.CREATED


def waiting(**more: Any) -> Deployment:
    """One that was created this moment, with events that may take ten minutes."""
    values = {"status": CREATED, "phases": (), "create_time": NOW, "start_time": None, "event_seconds": 600, **more}
    return a_deployment(**values)


def told(deployment: Deployment, balancer: str = "web", *, at: float = 0.0) -> Deployment:
    """The deployment after a look at a balancer that does not answer."""
    change = balancer_waits.silent(deployment, balancer, AWAY, now=NOW + at)
    assert change is None or change.happenings == ()
    return change.deployment if change else deployment


def test_each_balancer_is_asked_alone_under_its_name() -> None:
    info = LoadBalancerInfo.model_validate(
        {"elbInfoList": [{"name": "a"}, {"name": "b"}], "targetGroupInfoList": [{"name": "c"}]}
    )
    asked = [(name, one.model_dump(exclude_none=True)) for name, one in balancer_waits.one_by_one(info)]
    assert asked == [
        ("a", {"elbInfoList": ({"name": "a"},)}),
        ("b", {"elbInfoList": ({"name": "b"},)}),
        ("c", {"targetGroupInfoList": ({"name": "c"},)}),
    ]
    assert list(balancer_waits.one_by_one(LoadBalancerInfo())) == []


def test_while_it_waits_it_says_so_once() -> None:
    first = told(waiting(status_messages=("before",)), at=20)
    before, text = first.status_messages
    assert before == "before"
    assert f"'web', which has not answered since {clock(NOW + 20)}: {AWAY}. It begins" in text
    assert clock(NOW + 620) in text
    for at in (30, 300, 3000):
        assert balancer_waits.silent(first, "web", "something else", now=NOW + at) is None


def test_what_is_said_of_another_balancer_takes_its_place() -> None:
    second = told(told(waiting(status_messages=("before",))), "edge", at=60)
    assert len(second.status_messages) == 2
    assert f"'edge', which has not answered since {clock(NOW + 60)}" in second.status_messages[1]


def test_once_all_answer_nothing_is_said_any_more() -> None:
    deployment = waiting(status_messages=("before",))
    assert balancer_waits.answered(deployment) is None
    change = balancer_waits.answered(told(deployment))
    assert change is not None
    assert change.deployment == deployment


@pytest.mark.parametrize("status", list(DeploymentStatus))
def test_nobody_is_told_that_a_deployment_waits_that_does_not(status: DeploymentStatus) -> None:
    change = balancer_waits.silent(waiting(status=status), "web", AWAY, now=NOW)
    assert (change is not None) is (status in {CREATED, DeploymentStatus.QUEUED})


@pytest.mark.parametrize(
    ("more", "asked", "last"),
    [
        pytest.param({}, 0, 600, id="as long as an event may take"),
        pytest.param({"event_seconds": 4}, 0, 4, id="of its group"),
        pytest.param({}, 5000, 5600, id="from when it was asked first, whatever was waited for before"),
    ],
)
def test_it_waits_as_long_as_one_event_may_take(more: dict[str, Any], asked: float, last: float) -> None:
    assert balancer_waits.given_up(waiting(**more), "web", AWAY, now=NOW + last) is None
    deployment = told(waiting(**more), at=asked)
    assert balancer_waits.given_up(deployment, "web", AWAY, now=NOW + last - 0.1) is None
    why = balancer_waits.given_up(deployment, "web", AWAY, now=NOW + last)
    assert why is not None
    assert why.code is DeploymentErrorCode.ELASTIC_LOAD_BALANCING_INVALID
    assert f"'web' has not answered since {clock(NOW + asked)}: {AWAY}. " in why.message
    assert f" {deployment.event_seconds} seconds. " in why.message


def test_another_balancer_has_its_own_time() -> None:
    deployment = told(waiting(alarms_awaited="they are being read."))
    assert deployment.alarms_awaited == "", "that is not what it waits for now"
    assert balancer_waits.given_up(deployment, "edge", "it is gone.", now=NOW + 600) is None
    second = told(deployment, "edge", at=600)
    assert balancer_waits.given_up(second, "edge", AWAY, now=NOW + 1199) is None
    assert balancer_waits.given_up(second, "edge", AWAY, now=NOW + 1200) is not None


def test_names_show_no_terminal_what_it_would_obey() -> None:
    deployment = told(waiting(), "a\x1b[2J")
    why = balancer_waits.given_up(deployment, "a\x1b[2J", AWAY, now=NOW + 600)
    assert why is not None
    assert (deployment.status_messages[0] + why.message).isprintable()


@pytest.mark.parametrize("stopped", [True, False])
def test_one_that_ends_before_it_began_waits_no_more(stopped: bool) -> None:
    deployment = told(waiting(status_messages=("before",)))
    change = (
        admission.stop(deployment, now=NOW + 1) if stopped else admission.cannot_begin(deployment, STOP, now=NOW + 1)
    )
    assert change is not None
    assert change.deployment.status is DeploymentStatus.STOPPED
    assert (change.deployment.status_messages, change.deployment.balancer_silence) == (("before",), None)
