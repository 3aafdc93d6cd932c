"""What must never happen in a deployment of several phases, whatever fails, is lost, doubled or stopped on the way: no
host gets traffic that was not installed, blue leaves only after green serves, and the end is one. Decisions are the
engine's, the store is the one in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.store.memory import MemoryStore
from domain.configs import MinimumHealthyHosts, MinimumHealthyHostsType
from domain.deployments import Deployment, DeploymentStatus, Phase, PhaseKind, Progress, TargetRecord, TargetStatus
from domain.happenings import TERMINAL
from domain.moves import Change, LaneView, Move, Resend, Step
from domain.reports import HostReport
from tests.unit.workflows.engine_values import (
    LIMITS,
    NOW,
    a_deployment,
    a_group,
    a_record,
    an_order,
    outcomes_of,
)
from workflows import admission, decide, reporting

ID = a_deployment().deployment_id
CONFIGS: dict[str, dict[str, Any]] = {
    "at once": {"ending": {"action": "KEEP_ALIVE"}},
    "with waits": {
        "ready": {"action_on_timeout": "STOP_DEPLOYMENT", "wait_time_in_minutes": 1},
        "ending": {"action": "TERMINATE", "termination_wait_time_in_minutes": 1},
    },
}


@dataclass(frozen=True)
class Message:
    """The next step of a lane of a phase, on its way."""

    phase: int
    lane: int
    step: int
    report: HostReport | None = None
    redelivered: bool = False


@dataclass
class World:
    """A blue/green deployment, and every message that has not arrived."""

    blue: int
    green: int
    floor: int
    config: str
    ill: frozenset[tuple[str, PhaseKind]]
    """Hosts that fail, each in a kind of phase."""
    store: MemoryStore = field(default_factory=MemoryStore)
    messages: list[Message] = field(default_factory=list)
    clock: float = NOW
    attempts: Counter[tuple[int, str]] = field(default_factory=Counter)
    installed: set[str] = field(default_factory=set)
    serving: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)

    def begin(self) -> None:
        minimum = MinimumHealthyHosts(type=MinimumHealthyHostsType.HOST_COUNT, value=self.floor)
        waits = CONFIGS[self.config]
        created = a_deployment(
            total=0,
            floor=0,
            minimum_healthy_hosts=minimum,
            status="Created",
            phases=(),
            start_time=None,
            deployment_style={"deployment_type": "BLUE_GREEN", "deployment_option": "WITH_TRAFFIC_CONTROL"},
            blue_green_deployment_configuration={
                "deployment_ready_option": waits.get("ready"),
                "terminate_blue_instances_on_deployment_success": waits["ending"],
            },
        )
        self.store.admit(created, token=None, queue=False)
        names = [*(f"blue-{at}" for at in range(self.blue)), *(f"green-{at}" for at in range(self.green))]
        self.store.lay_out(ID, [a_record(name, index=at) for at, name in enumerate(names)])
        self.change(lambda d: admission.start(d, self.green, group=a_group(), now=self.clock, blue=self.blue))

    def change(self, edit: object) -> None:
        """Write a change and put in motion what follows, as `tasks.phases` does."""
        changed = self.store.change(ID, edit)  # type: ignore[arg-type]
        if changed is not None and not changed.deployment.status.final:
            self.open()

    def open(self) -> None:
        phase = self.phase
        if phase.kind.on_hosts and self.progress is None:
            progress = Progress(total=phase.count, lanes=phase.lanes)
            self.store.open_phase(ID, self.deployment.phase, progress, check_at=self.clock)
            self.messages += [Message(self.deployment.phase, lane, 0) for lane in range(phase.lanes)]

    @property
    def deployment(self) -> Deployment:
        found = self.store.deployment(ID)
        assert found is not None
        return found

    @property
    def phase(self) -> Phase:
        assert self.deployment.under_way is not None
        return self.deployment.under_way

    @property
    def progress(self) -> Progress | None:
        return self.store.progress(ID, self.deployment.phase)

    @property
    def records(self) -> list[TargetRecord]:
        return self.store.targets(ID, count=1000)

    def deliver(self, message: Message) -> None:
        self.clock += 1
        step, report = message.step, message.report
        while True:
            token = f"t-{self.clock}-{step}"

            def choose(
                view: LaneView, step: int = step, report: HostReport | None = report, token: str = token
            ) -> Move:
                return decide.next_move(
                    view,
                    step=step,
                    report=report,
                    now=self.clock,
                    attempt=token,
                    limits=LIMITS,
                    redelivered=message.redelivered,
                )

            made = self.store.advance(ID, message.phase, message.lane, choose)
            assert made is not None
            view, move = made
            if not (isinstance(move, Step) and move.passes):
                break
            step, report = step + 1, None
        if isinstance(move, Step) and move.take:
            self.attempts[message.phase, move.take.target_id] += 1
            self._host(message, move.take.target_id, token, step + 1)
        elif isinstance(move, Resend) and view.current is not None:
            self._come_back(message, view.current.target.target_id, view.current.attempt or "", view.lane.step)

    def _host(self, message: Message, name: str, token: str, step: int) -> None:
        """What the host's events do in the world, unless the host fails."""
        kind = self.phase.kind
        if kind is PhaseKind.SHIFT:
            assert name in self.installed, "traffic to a host that was not installed"
        if kind is PhaseKind.BLOCK:
            assert self.serving, "blue leaves and nobody serves"
        if (name, kind) not in self.ill:
            marks = {PhaseKind.INSTALL: self.installed, PhaseKind.SHIFT: self.serving, PhaseKind.BLOCK: self.gone}
            marks[kind].add(name)
        self._come_back(message, name, token, step)

    def _come_back(self, message: Message, name: str, token: str, step: int) -> None:
        phase = self.deployment.phases[message.phase]
        letters = "s" * (len(phase.events) - 1) + ("f" if (name, phase.kind) in self.ill else "s")
        if self.deployment.stopping:
            letters = "s" + "-" * (len(phase.events) - 1)
        order = an_order(name, attempt=token, lane=message.lane, step=step)
        report = HostReport(order=order, outcomes=outcomes_of(letters, phase.events))
        self.messages.append(Message(message.phase, message.lane, step, report))

    def conclude(self) -> None:
        progress, sample = self.progress, self.records
        self.change(lambda d: decide.conclude_phase(d, progress, now=self.clock, sample=sample))

    def end_environment(self) -> None:
        def over(deployment: Deployment) -> Change | None:
            return decide.last_phase_over(deployment, now=self.clock)

        if self.phase.kind.in_environment:
            self.change(over)

    def stop(self) -> None:
        self.store.change(ID, lambda d: admission.stop(d, now=self.clock))

    def check(self) -> None:
        deployment = self.deployment
        view = reporting.overview(deployment, self.progress)
        shown = Counter(reporting.target_view(record, deployment).status for record in self.records)
        assert min(view.model_dump().values()) >= 0
        assert view.succeeded == shown[TargetStatus.SUCCEEDED]
        assert view.failed == shown[TargetStatus.FAILED]
        assert view.ready == shown[TargetStatus.READY]
        assert view.pending == shown[TargetStatus.PENDING]
        assert view.skipped == shown[TargetStatus.SKIPPED]
        assert view.in_progress == shown[TargetStatus.IN_PROGRESS]
        assert max(self.attempts.values(), default=0) <= 1
        assert not any(name.startswith("blue") for name in self.installed | self.serving)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    green = draw(st.integers(1, 5))
    blue = draw(st.integers(0, 3))
    hosts = [(f"green-{at}", kind) for at in range(green) for kind in (PhaseKind.INSTALL, PhaseKind.SHIFT)]
    hosts += [(f"blue-{at}", PhaseKind.BLOCK) for at in range(blue)]
    ill = frozenset(draw(st.lists(st.sampled_from(hosts), max_size=3)))
    world = World(blue, green, draw(st.integers(0, green - 1)), draw(st.sampled_from(sorted(CONFIGS))), ill)
    world.begin()
    return world


@settings(deadline=None)
@given(worlds(), st.data())
def test_whatever_happens_the_promises_hold(world: World, data: st.DataObject) -> None:
    acts = ["deliver"] * 8 + ["double", "again", "conclude", "wait", "stop"]
    for _ in range(300):
        if world.deployment.status.final:
            break
        act = data.draw(st.sampled_from(acts)) if world.messages else "conclude"
        if act in {"deliver", "double", "again"} and world.messages:
            message = world.messages.pop(data.draw(st.integers(0, len(world.messages) - 1)))
            world.deliver(message)
            if act == "double":
                world.deliver(message)
            if act == "again" and not world.deployment.status.final:
                world.deliver(Message(message.phase, message.lane, message.step, message.report, redelivered=True))
        elif act == "stop":
            world.stop()
        else:
            world.clock += 120 if act == "wait" or not world.messages else 0
            world.conclude()
            if not world.deployment.status.final:
                world.end_environment()
        world.check()
    over = world.deployment
    assert over.status.final
    told = [happening.type for _, happening in world.store.history(limit=10_000)]
    assert sum(kind in TERMINAL for kind in told) == 1
    if over.status is DeploymentStatus.SUCCEEDED:
        assert len(world.serving) >= max(1, world.floor)
        assert len(world.gone) == world.blue


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(0, 3), st.sampled_from(sorted(CONFIGS)))
def test_with_all_well_it_succeeds_and_every_green_host_serves(green: int, blue: int, config: str) -> None:
    world = World(blue, green, green - 1, config, frozenset())
    world.begin()
    for _ in range(200):
        if world.deployment.status.final:
            break
        if world.messages:
            world.deliver(world.messages.pop(0))
        elif world.phase.kind is PhaseKind.READY_WAIT and not world.deployment.continued:
            assert {r.status for r in world.records if r.index >= blue} == {TargetStatus.READY}
            world.store.change(ID, lambda d: Change(d.model_copy(update={"continued": True})))
        else:
            world.clock += 120
            world.conclude()
            if not world.deployment.status.final:
                world.end_environment()
        world.check()
    assert world.deployment.status is DeploymentStatus.SUCCEEDED
    assert len(world.serving) == green
    assert len(world.gone) == blue
