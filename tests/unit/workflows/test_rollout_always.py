"""What must never happen in a rollout, whatever becomes of its messages: they are lost, doubled, late and out of order,
hosts fail or fall silent, a person stops it halfway. Decisions are the engine's, the store is the one in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.store.memory import MemoryStore
from domain.configs import MinimumHealthyHosts, MinimumHealthyHostsType
from domain.deployments import (
    NEXT,
    NEXT_TARGET,
    Deployment,
    DeploymentStatus,
    Lane,
    Progress,
    TargetRecord,
    TargetStatus,
)
from domain.happenings import TERMINAL, Happening
from domain.moves import Change, Due, LaneView, Move, Resend, Stale, Step
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
    taken,
)
from workflows import admission, decide, reporting, timeouts, verdicts

ID = a_deployment().deployment_id
LETTERS = {True: "s" * len(EVENTS), False: "ssf"}


@dataclass(frozen=True)
class Message:
    """The next step of a lane, on its way."""

    lane: int
    step: int
    report: HostReport | None = None
    redelivered: bool = False


@dataclass
class World:
    """A deployment under way, and every message that has not arrived."""

    total: int
    floor: int
    well: list[bool]
    store: MemoryStore = field(default_factory=MemoryStore)
    messages: list[Message] = field(default_factory=list)
    clock: float = NOW
    attempts: Counter[str] = field(default_factory=Counter)

    def begin(self) -> None:
        minimum = MinimumHealthyHosts(type=MinimumHealthyHostsType.HOST_COUNT, value=self.floor)
        created = a_deployment(total=0, floor=0, minimum_healthy_hosts=minimum, status="Created", phases=())
        self.store.admit(created, token=None, queue=False)
        self.store.lay_out(ID, [a_record(f"web-{index}", index=index) for index in range(self.total)])
        self.store.change(ID, lambda d: admission.start(d, self.total, group=a_group(), now=self.clock))
        lanes = self.deployment.phases[0].lanes
        self.store.open_phase(ID, 0, Progress(total=self.total, lanes=lanes), check_at=self.clock)
        self.messages = [Message(lane, 0) for lane in range(lanes)]

    @property
    def deployment(self) -> Deployment:
        deployment = self.store.deployment(ID)
        assert deployment is not None
        return deployment

    @property
    def progress(self) -> Progress:
        progress = self.store.progress(ID, 0)
        assert progress is not None
        return progress

    @property
    def records(self) -> list[TargetRecord]:
        return self.store.targets(ID, count=1000)

    def deliver(self, message: Message) -> None:
        """One message arrives: the lane moves, and its host's chain comes back as the next message."""
        self.clock += 1
        token = f"t-{self.clock}"

        def choose(view: LaneView) -> Move:
            return decide.next_move(
                view,
                step=message.step,
                report=message.report,
                now=self.clock,
                attempt=token,
                limits=LIMITS,
                redelivered=message.redelivered,
            )

        made = self.store.advance(ID, 0, message.lane, choose)
        assert made is not None
        view, move = made
        if isinstance(move, Step) and move.take:
            self.attempts[move.take.target_id] += 1
            self.messages.append(self._come_back(message.lane, move.take.target_id, token, message.step + 1))
        elif isinstance(move, Resend):
            assert view.current is not None
            attempt = view.current.attempt or ""
            self.messages.append(self._come_back(message.lane, view.current.target.target_id, attempt, view.lane.step))
        self.check()

    def _come_back(self, lane: int, target_id: str, attempt: str, step: int) -> Message:
        stopped = self.deployment.stopping is not None
        letters = "s--" if stopped else LETTERS[self.well[int(target_id.removeprefix("web-"))]]
        order = an_order(target_id, attempt=attempt, lane=lane, step=step)
        return Message(lane, step, HostReport(order=order, outcomes=outcomes_of(letters)))

    def watch(self) -> None:
        """Far later, every lane that stands still is put in motion again, as the watch does."""
        self.clock += 10_000
        for due in self.store.due(self.clock, limit=1000):
            self._look(due)

    def _look(self, due: Due) -> None:
        lane = self.store.lane(ID, 0, due.lane)
        record = self.store.target(ID, lane.target_id) if lane.target_id else None
        verdict = timeouts.judge(
            self.deployment,
            EVENTS,
            lane,
            record,
            agent_seen=None,
            control_since=NOW,
            now=self.clock,
            limits=LIMITS,
        )
        match verdict:
            case verdicts.StartLane():
                self.messages.append(Message(due.lane, lane.step))
            case verdicts.Continue(outcomes=outcomes) | verdicts.Reap(outcomes=outcomes):
                assert record is not None
                order = an_order(record.target.target_id, attempt=record.attempt or "", lane=due.lane, step=lane.step)
                self.messages.append(Message(due.lane, lane.step, HostReport(order=order, outcomes=outcomes)))

    def stop(self) -> None:
        self.store.change(ID, lambda d: admission.stop(d, now=self.clock))

    def settle(self) -> None:
        self.store.change(ID, self.verdict)

    def verdict(self, deployment: Deployment) -> Change | None:
        return decide.conclude_phase(deployment, self.progress, now=self.clock, sample=self.records)

    def told(self) -> list[Happening]:
        return [happening for _, happening in self.store.history(limit=10_000)]

    def check(self) -> None:
        """Never more in flight than the cap, never fewer healthy than the floor, counters that add up."""
        progress = self.progress
        assert progress.in_flight <= self.total - self.floor - progress.failed - progress.skipped
        assert self.total - progress.failed - progress.skipped - progress.in_flight >= self.floor
        assert max(self.attempts.values(), default=0) <= 1
        by_status = Counter(record.status for record in self.records)
        assert by_status[TargetStatus.IN_PROGRESS] == progress.in_flight
        assert by_status[TargetStatus.PENDING] == progress.pending
        view = reporting.overview(self.deployment, progress)
        assert sum(view.model_dump().values()) == self.total


@st.composite
def worlds(draw: st.DrawFn) -> World:
    total = draw(st.integers(1, 8))
    well = draw(st.lists(st.booleans(), min_size=total, max_size=total))
    world = World(total=total, floor=draw(st.integers(0, total - 1)), well=well)
    world.begin()
    return world


def run(world: World, data: st.DataObject, *, losses: bool, stops: bool) -> None:
    """Deliver in any order until nothing moves; what was lost is found by the watch."""
    acts = ["deliver"] * 6 + ["double", "again"] + ["lose"] * losses + ["stop"] * stops
    for _ in range(400):
        if world.progress.concluded:
            break
        if not world.messages:
            world.watch()
            continue
        message = world.messages.pop(data.draw(st.integers(0, len(world.messages) - 1)))
        match data.draw(st.sampled_from(acts)):
            case "deliver":
                world.deliver(message)
            case "double":
                world.deliver(message)
                world.deliver(message)
            case "again":
                world.deliver(message)
                world.deliver(Message(message.lane, message.step, message.report, redelivered=True))
            case "stop":
                world.messages.append(message)
                world.stop()
            case "lose":
                pass
    world.settle()


@settings(max_examples=60, deadline=None)
@given(worlds(), st.data())
def test_every_rollout_ends_once_and_keeps_its_promises(world: World, data: st.DataObject) -> None:
    run(world, data, losses=True, stops=True)
    assert world.deployment.status.final
    for record in world.records:
        shown = reporting.target_view(record, world.deployment)
        assert shown.status.final
        assert all(held.status.final for held in shown.events.values())
        assert list(shown.events) == list(EVENTS)
    told = world.told()
    assert len([happening for happening in told if happening.type in TERMINAL]) == 1
    assert len({happening.event_id for happening in told}) == len(told)


@settings(max_examples=60, deadline=None)
@given(worlds(), st.data())
def test_order_and_repetition_of_messages_change_no_verdict(world: World, data: st.DataObject) -> None:
    run(world, data, losses=False, stops=False)
    # Who fails first decides only where there are exactly as many bad hosts as lanes.
    bad, lanes = world.well.count(False), world.total - world.floor
    won = world.progress.pending == 0 and world.progress.succeeded >= max(1, world.floor)
    if bad != lanes:
        assert won is (bad < lanes)
    assert world.deployment.status is (DeploymentStatus.SUCCEEDED if won else DeploymentStatus.FAILED)


@settings(max_examples=60, deadline=None)
@given(worlds(), st.data())
def test_a_finished_deployment_does_not_move(world: World, data: st.DataObject) -> None:
    run(world, data, losses=False, stops=True)
    before = (world.deployment, world.records, world.told())
    for lane in range(world.progress.lanes):
        for step in range(world.total + 1):
            for report in (None, HostReport(order=an_order("web-0"), outcomes=outcomes_of("s"))):
                world.deliver(Message(lane, step, report, redelivered=data.draw(st.booleans())))
    world.stop()
    world.settle()
    world.watch()
    assert (world.deployment, world.records, world.told()) == before


numbers = st.sampled_from([-1, 0, 1, 2, 3])
names = st.sampled_from(["web-1", "web-2", None])
tokens = st.sampled_from(["t-1", "t-2", "", None])


@st.composite
def views(draw: st.DrawFn) -> dict[str, Any]:
    """Anything at all, sane or not."""
    record = st.one_of(
        st.none(),
        st.builds(
            lambda name, status, attempt: taken(name or "web-9").model_copy(
                update={"status": status, "attempt": attempt}
            ),
            names,
            st.sampled_from(TargetStatus),
            tokens,
        ),
    )
    deployment = a_deployment(
        status=draw(st.sampled_from(DeploymentStatus)),
        phases=draw(st.sampled_from([(), a_deployment().phases])),
        phase=draw(st.sampled_from([0, 1])),
        stopping=draw(st.sampled_from([None, admission.MANUAL_STOP])),
    )
    lane = {"number": 0, "step": draw(numbers), "target_id": draw(names), "attempt": draw(tokens)}
    return {
        "deployment": deployment,
        "progress": Progress(total=draw(numbers), taken=draw(numbers), lanes=draw(numbers)),
        "lane": {**lane, "retired": draw(st.booleans())},
        "current": draw(record),
        "upcoming": draw(record),
    }


reports = st.one_of(
    st.none(),
    st.builds(
        lambda name, attempt, letters: HostReport(
            order=an_order(name or "web-9", attempt=attempt or ""), outcomes=outcomes_of(letters)
        ),
        names,
        tokens,
        st.text("sfF-u", max_size=7),
    ),
)


@settings(max_examples=300)
@given(views(), numbers, reports, st.booleans())
def test_there_is_a_move_for_every_view(
    values: dict[str, Any], step: int, report: HostReport | None, redelivered: bool
) -> None:
    view = LaneView(**{**values, "lane": Lane(**values["lane"])})
    move = decide.next_move(
        view, step=step, report=report, now=NOW, attempt="t-3", limits=LIMITS, redelivered=redelivered
    )
    if view.deployment.status.final or view.lane.retired:
        assert move == Stale()
    if isinstance(move, Step):
        assert step == view.lane.step
        told = move.conclude.target_id if move.conclude else None
        assert told == view.lane.target_id
        if move.conclude and view.current:
            assert move.conclude.status in {TargetStatus.SUCCEEDED, TargetStatus.FAILED, TargetStatus.SKIPPED}
            assert not view.current.status.final
        if move.take and view.upcoming:
            assert not view.upcoming.status.final
            assert not view.deployment.stopping


def test_every_status_has_a_row() -> None:
    assert set(NEXT) == set(DeploymentStatus)
    assert set(NEXT_TARGET) == set(TargetStatus)
