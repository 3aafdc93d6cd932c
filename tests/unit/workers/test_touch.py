"""What an agent knows of when control heard it last, and that its words tell it."""

from __future__ import annotations

from typing import Any

import pytest
from kombu import Connection, Queue

from domain.reports import AgentHello, AgentReport, LogLines
from tests.services import wait_until
from workers.reporter import Reporter
from workers.touch import Touch, host_clock


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_clock_of_a_host_goes_on() -> None:
    moments = [host_clock() for _ in range(100)]
    assert moments == sorted(moments)


def test_a_silence_is_known_while_it_lasts_and_after() -> None:
    clock = Clock()
    touch = Touch(every=10, clock=clock)
    began = touch.now()
    clock.now = 121.0
    assert not touch.lost_since(began)
    clock.now = 122.0
    assert touch.lost_since(began)
    touch.spoke(122.0)
    assert touch.lost_since(began)
    clock.now = 123.0
    assert not touch.lost_since(touch.now())


class Deaf(Reporter):
    """Its broker takes what it is told at the third try, ten seconds after the first."""

    def __init__(self, clock: Clock, touch: Touch) -> None:
        super().__init__("web-1", Connection("memory://"), Queue("reports"), touch=touch, retry_wait=0.001)
        self.clock, self.tries = clock, 0

    def _publish(self, body: dict[str, Any]) -> None:
        self.tries += 1
        self.clock.now += 5
        if self.tries < 3:
            raise OSError(f"away, with {len(body)} members unsaid")


@pytest.mark.parametrize(
    ("report", "began"),
    [
        (AgentHello(host="web-1", at=1.0), [110.0]),
        # Control goes by greetings alone.
        (LogLines(deployment_id="d", target_id="t", attempt="a", event="Install", first=0, lines=("x",)), []),
    ],
    ids=["a greeting", "a line"],
)
def test_a_greeting_that_arrived_counts_from_the_try_that_brought_it(
    monkeypatch: pytest.MonkeyPatch, report: AgentReport, began: list[float]
) -> None:
    clock = Clock()
    touch = Touch(every=10, clock=clock)
    said: list[float] = []
    monkeypatch.setattr(touch, "spoke", said.append)
    reporter = Deaf(clock, touch)
    reporter.tell(report)
    reporter.start()
    wait_until(lambda: reporter.tries == 3, "the third try")
    reporter.close()
    assert said == began
