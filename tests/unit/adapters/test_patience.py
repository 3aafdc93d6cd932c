"""When a balancer that does not answer is left in peace, and when it is asked again."""

from __future__ import annotations

import threading

import pytest

from adapters.load_balancers.patience import FAILURES, REST, SLOW, PatientBalancer
from domain.errors import BalancerRefuses, WorldError
from domain.fleet import Target
from domain.traffic import Standing
from tests.unit.workflows.engine_values import a_target


class Sluggish:
    """A balancer that takes its time to fail."""

    def __init__(self) -> None:
        self.now = 0.0
        self.takes = SLOW
        self.error: Exception | None = WorldError("no answer")
        self.asked: list[str] = []

    def check(self) -> None:
        """There."""

    def block(self, target: Target, *, waited: float) -> Standing:  # noqa: ARG002
        self.asked.append(target.target_id)
        self.now += self.takes
        if self.error:
            raise self.error
        return Standing(done=True)

    allow = block


@pytest.fixture
def sluggish() -> Sluggish:
    return Sluggish()


@pytest.fixture
def patient(sluggish: Sluggish) -> PatientBalancer:
    return PatientBalancer(sluggish, now=lambda: sluggish.now)


def ask(patient: PatientBalancer, *hosts: str) -> None:
    for host in hosts:
        with pytest.raises((WorldError, BalancerRefuses)):
            patient.block(a_target(host), waited=0)


def test_after_some_hosts_waited_in_vain_the_others_are_told_at_once(
    sluggish: Sluggish, patient: PatientBalancer
) -> None:
    ask(patient, "web-1", "web-2", "web-3")
    with pytest.raises(WorldError, match="no answer"):
        patient.allow(a_target("web-4"), waited=0)
    assert sluggish.asked == ["web-1", "web-2", "web-3"]
    assert len(sluggish.asked) == FAILURES


def test_after_a_rest_one_asks_and_its_answer_counts_for_all(sluggish: Sluggish, patient: PatientBalancer) -> None:
    ask(patient, "web-1", "web-2", "web-3")
    sluggish.now += REST
    ask(patient, "web-4", "web-5")
    assert sluggish.asked[FAILURES:] == ["web-4"]
    sluggish.now += REST
    sluggish.error = None
    assert patient.block(a_target("web-5"), waited=0).done
    assert patient.block(a_target("web-6"), waited=0).done


def test_one_host_alone_keeps_nobody_waiting(sluggish: Sluggish, patient: PatientBalancer) -> None:
    ask(patient, *["web-1"] * 10)
    sluggish.error = None
    assert patient.block(a_target("web-2"), waited=0).done


def test_what_fails_quickly_or_is_refused_may_be_asked_as_often_as_anyone_likes(
    sluggish: Sluggish, patient: PatientBalancer
) -> None:
    sluggish.takes = SLOW / 2
    ask(patient, "web-1", "web-2", "web-3", "web-4")
    sluggish.takes, sluggish.error = SLOW, BalancerRefuses("not this host")
    ask(patient, "web-1", "web-2", "web-3", "web-4")
    assert len(sluggish.asked) == 8


def test_while_one_asks_nobody_else_waits(sluggish: Sluggish, patient: PatientBalancer) -> None:
    ask(patient, "web-1", "web-2", "web-3")
    sluggish.now += REST
    inside, go_on = threading.Event(), threading.Event()

    def block(target: Target, *, waited: float) -> Standing:
        inside.set()
        assert go_on.wait(5)
        return Standing(done=True)

    sluggish.block = block  # type: ignore[method-assign]
    asking = threading.Thread(target=lambda: patient.block(a_target("web-4"), waited=0))
    asking.start()
    assert inside.wait(5)
    ask(patient, "web-5")
    go_on.set()
    asking.join(5)
    assert patient.block(a_target("web-5"), waited=0).done
