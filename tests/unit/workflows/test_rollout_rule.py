"""A rollout as the engine decides it, from admission to verdict, against the documented rule: hosts take their time and
end as they will, and what becomes of it is compared with a model that looks at a clock, second by second, and knows
neither lanes nor messages."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.store.memory import MemoryStore
from domain.configs import ALL_AT_ONCE, HALF_AT_A_TIME, ONE_AT_A_TIME, PREDEFINED, MinimumHealthyHosts
from domain.configs import MinimumHealthyHostsType as Type
from domain.deployments import Deployment, Progress
from domain.moves import Change, LaneView, Move, Step
from domain.reports import HostReport
from tests.unit.workflows.engine_values import (
    EVENTS,
    LIMITS,
    NOW,
    a_deployment,
    a_group,
    a_record,
    an_order,
    outcomes_of,
)
from workflows import admission, decide

OUTCOMES = {True: outcomes_of("s" * len(EVENTS)), False: outcomes_of("ssssf")}


class Host(NamedTuple):
    """How long a host takes, and how it ends."""

    seconds: int
    well: bool


@dataclass
class Story:
    """Which host was started when, and how the deployment ended."""

    started: dict[int, int] = field(default_factory=dict)
    ended: str = ""


def by_the_clock(hosts: Sequence[Host], floor: int) -> Story:
    """The rule by brute force: each second ends whoever is done, then starts whoever may be."""
    story, ends, clock = Story(), dict[int, int](), 0
    tally = {True: 0, False: 0}
    if len(hosts) <= floor:
        return Story(ended="Failed HEALTH_CONSTRAINTS_INVALID")
    while True:
        for done in [host for host, end in ends.items() if end == clock]:
            del ends[done]
            tally[hosts[done].well] += 1
        while len(story.started) < len(hosts) and len(ends) < len(hosts) - tally[False] - floor:
            fresh = len(story.started)
            story.started[fresh] = clock
            ends[fresh] = clock + hosts[fresh].seconds
        if not ends:
            enough = len(story.started) == len(hosts) and tally[True] >= max(1, floor)
            story.ended = "Succeeded" if enough else "Failed HEALTH_CONSTRAINTS"
            return story
        clock += 1


class Message(NamedTuple):
    """A lane's next step, and when it is heard."""

    at: int
    lane: int
    step: int
    report: HostReport | None = None


class Rollout:
    """One deployment of a store, moved by the engine's own decisions."""

    def __init__(self, minimum: MinimumHealthyHosts, config: str, hosts: Sequence[Host]) -> None:
        self._store, self._hosts, self._story = MemoryStore(), hosts, Story()
        created = a_deployment(
            total=0, floor=0, minimum_healthy_hosts=minimum, deployment_config_name=config, status="Created", phases=()
        )
        self._id = created.deployment_id
        self._store.admit(created, token=None, queue=False)
        self._store.lay_out(self._id, [a_record(f"host-{index}", index=index) for index in range(len(hosts))])
        self._store.change(self._id, lambda d: admission.start(d, len(hosts), group=a_group(), now=NOW))

    @property
    def deployment(self) -> Deployment:
        deployment = self._store.deployment(self._id)
        assert deployment is not None
        return deployment

    def run(self) -> Story:
        for phase in () if self.deployment.status.final else self.deployment.phases:
            self._store.open_phase(self._id, 0, Progress(total=phase.count, lanes=phase.lanes), check_at=NOW)
            messages = [Message(0, lane, 0) for lane in range(phase.lanes)]
            while messages:
                for following in self._deliver(heapq.heappop(messages)):
                    heapq.heappush(messages, following)
            self._store.change(self._id, self._verdict)
        error = self.deployment.error_information
        self._story.ended = " ".join([self.deployment.status, *([error.code] if error else [])])
        return self._story

    def _deliver(self, message: Message) -> Iterator[Message]:
        """The lane's next step; its host's chain comes back later as the message after."""
        token = f"t-{message.lane}-{message.step}"

        def choose(view: LaneView) -> Move:
            return decide.next_move(
                view,
                step=message.step,
                report=message.report,
                now=NOW + message.at,
                attempt=token,
                limits=LIMITS,
            )

        view, move = self._store.advance(self._id, 0, message.lane, choose) or (None, None)
        assert isinstance(move, Step)
        if move.take and view and view.upcoming:
            index = view.upcoming.index
            assert index not in self._story.started, "a host was started twice"
            self._story.started[index] = message.at
            host = self._hosts[index]
            order = an_order(move.take.target_id, attempt=token, lane=message.lane, step=message.step + 1)
            report = HostReport(order=order, outcomes=OUTCOMES[host.well])
            yield Message(message.at + host.seconds, message.lane, message.step + 1, report)

    def _verdict(self, deployment: Deployment) -> Change | None:
        progress = self._store.progress(self._id, 0)
        assert progress is not None
        return decide.conclude_phase(deployment, progress, now=NOW, sample=self._store.targets(self._id, count=1000))


def count(value: int) -> MinimumHealthyHosts:
    return MinimumHealthyHosts(type=Type.HOST_COUNT, value=value)


crowds = st.lists(st.builds(Host, st.integers(1, 5), st.booleans()), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(crowds, st.data())
def test_the_engine_does_what_the_rule_says(hosts: list[Host], data: st.DataObject) -> None:
    floor = data.draw(st.integers(0, len(hosts) + 1))
    assert Rollout(count(floor), "custom", hosts).run() == by_the_clock(hosts, floor)


@settings(max_examples=150, deadline=None)
@given(crowds, st.data())
def test_at_no_second_are_more_in_flight_or_fewer_healthy_than_allowed(hosts: list[Host], data: st.DataObject) -> None:
    floor = data.draw(st.integers(0, len(hosts) - 1))
    started = Rollout(count(floor), "custom", hosts).run().started
    ends = {host: start + hosts[host].seconds for host, start in started.items()}
    for second in range(max(ends.values()) + 1):
        in_flight = [host for host, start in started.items() if start <= second < ends[host]]
        failed = [host for host, end in ends.items() if end <= second and not hosts[host].well]
        assert len(in_flight) <= len(hosts) - floor
        assert len(hosts) - len(failed) - len(in_flight) >= floor


def percent(value: int) -> MinimumHealthyHosts:
    return MinimumHealthyHosts(type=Type.FLEET_PERCENT, value=value)


INVALID, LOST, WON = "Failed HEALTH_CONSTRAINTS_INVALID", "Failed HEALTH_CONSTRAINTS", "Succeeded"


@pytest.mark.parametrize(
    ("minimum", "total", "failing", "ended", "attempted"),
    [
        pytest.param(percent(95), 10, (), INVALID, 0, id="95 percent of 10"),
        pytest.param(percent(99), 50, (), INVALID, 0, id="99 percent of 50"),
        *(pytest.param(count(9), 10, (at,), LOST, at + 1, id=f"10 keep 9, number {at + 1} fails") for at in range(9)),
        pytest.param(count(9), 10, (9,), WON, 10, id="10 keep 9, the last fails"),
        pytest.param(count(8), 10, (0, 1), LOST, 2, id="10 keep 8, the first two fail"),
        pytest.param(count(8), 10, (0, 8), LOST, 9, id="10 keep 8, a second fails with one pending"),
        pytest.param(count(8), 10, (0, 9), WON, 10, id="10 keep 8, the last is the second"),
        pytest.param(count(0), 10, range(9), WON, 10, id="10 keep none, nine fail"),
        pytest.param(count(0), 10, range(10), LOST, 10, id="10 keep none, ten fail"),
        pytest.param(HALF_AT_A_TIME, 9, range(5, 9), WON, 9, id="half of 9, the last four fail"),
        pytest.param(HALF_AT_A_TIME, 9, range(4), LOST, 4, id="half of 9, the first four fail"),
        pytest.param(HALF_AT_A_TIME, 9, range(4, 9), LOST, 8, id="half of 9, five fail"),
        pytest.param(percent(85), 10, (0,), LOST, 1, id="85 percent of 10, the first fails"),
        pytest.param(percent(85), 10, (9,), WON, 10, id="85 percent of 10, the last fails"),
        pytest.param(ONE_AT_A_TIME, 1, (), WON, 1, id="one of 1"),
        pytest.param(ONE_AT_A_TIME, 1, (0,), LOST, 1, id="one of 1 fails"),
        pytest.param(HALF_AT_A_TIME, 1, (), WON, 1, id="half of 1, ours"),
        pytest.param(HALF_AT_A_TIME, 1, (0,), LOST, 1, id="half of 1 fails"),
        pytest.param(percent(50), 1, (), INVALID, 0, id="50 percent of 1"),
        pytest.param(ALL_AT_ONCE, 10, range(9), WON, 10, id="all of 10, one succeeds"),
        pytest.param(ALL_AT_ONCE, 10, range(10), LOST, 10, id="all of 10, none succeeds"),
        pytest.param(ONE_AT_A_TIME, 10, (9,), WON, 10, id="one of 10, the last fails"),
    ],
)
def test_documented_example(
    minimum: MinimumHealthyHosts | str, total: int, failing: Collection[int], ended: str, attempted: int
) -> None:
    config = minimum if isinstance(minimum, str) else "custom"
    rule = PREDEFINED[minimum].minimum_healthy_hosts if isinstance(minimum, str) else minimum
    story = Rollout(rule, config, [Host(1, number not in failing) for number in range(total)]).run()
    assert (story.ended, len(story.started)) == (ended, attempted)
