"""Whatever is done to the store in memory and the one in Redis, both give the same answers and hold the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from adapters.store.memory import MemoryStore
from adapters.store.redis import RedisStore
from domain.access import AccessKey, Policy
from domain.applications import Application
from domain.channels import DeadLetter
from domain.deployments import DeploymentStatus, Phase, Progress, TargetStatus
from domain.errors import SlipwayError
from domain.fleet import HostRecord
from domain.lifecycle import Event
from domain.moves import Change, Conclude, Heard, LaneView, Move, Stale, Step, Take
from domain.ports import Store
from domain.reports import (
    AgentHello,
    Diagnostics,
    ErrorCode,
    EventFinished,
    EventStarted,
    EventStatus,
    LogLines,
    Outcome,
)
from tests.contract.redis_server import RedisServer
from tests.contract.store_values import NOW, a_deployment, a_happening, a_target

DEPLOYMENTS = [f"d-{number}" for number in range(3)]
GROUPS = ["g-1", "g-2"]
CHANNELS = ["exchange", "webhook:a/b"]
HOSTS = [a_target(index).target.target_id for index in range(5)]
PHASES = (Phase(first=0, count=3, events=(Event.INSTALL,)), Phase(first=2, count=3, events=(Event.BLOCK_TRAFFIC,)))
EVENTS = [Event.INSTALL, Event.BLOCK_TRAFFIC, Event.VALIDATE_SERVICE]

deployments, groups = st.sampled_from(DEPLOYMENTS), st.sampled_from(GROUPS)
hosts, events = st.sampled_from(HOSTS), st.sampled_from(EVENTS)
phases, lanes = st.integers(0, 1), st.integers(0, 3)
moments = st.floats(NOW, NOW + 100)
maybe_moments = st.none() | moments
statuses = st.sampled_from(TargetStatus)
texts = st.text("aü|\0 ", max_size=12)
names = st.text("aé/:", min_size=1, max_size=3)

_prefixes = itertools.count()
_names = itertools.count()

Report = EventStarted | EventFinished | LogLines | AgentHello


def rename(store: Store, identity: str, name: str) -> Application | None:
    """Give an application another name."""
    return store.applications.change(identity, lambda a: a.model_copy(update={"application_name": name}))


class Sameness(RuleBasedStateMachine):
    """Does everything to both."""

    server: RedisServer

    def __init__(self) -> None:
        super().__init__()
        self.memory = MemoryStore(log_limit=60)
        self.redis = RedisStore(self.server.url, prefix=f"same{next(_prefixes)}", log_limit=60)

    def teardown(self) -> None:
        self.redis.close()

    @initialize(order=st.permutations(range(5)), count=lanes)
    def set_out(self, order: list[int], count: int) -> None:
        self.admit("d-0", "g-1", None, False, NOW)
        self.lay_out("d-0", order, 5, 0)
        self.open_phase("d-0", 0, 3, count, NOW + 1)

    def both(self, act: Callable[[Store], object]) -> Any:
        """The one answer of both, or the error of both."""
        answers = [answer_of(act, store) for store in (self.memory, self.redis)]
        assert answers[0] == answers[1]
        return answers[0]

    @rule(name=deployments, group=groups, token=st.sampled_from([None, "t", "u"]), queue=st.booleans(), at=moments)
    def admit(self, name: str, group: str, token: str | None, queue: bool, at: float) -> None:
        deployment = a_deployment(name, group=group, at=at).model_copy(update={"phases": PHASES})
        told = [a_happening(next(_names))]
        self.both(lambda store: store.admit(deployment, token=token, queue=queue, happenings=told))

    @rule(name=deployments, status=st.sampled_from(DeploymentStatus), text=texts)
    def change(self, name: str, status: DeploymentStatus, text: str) -> None:
        told = (a_happening(next(_names)),)
        update = {"status": status, "description": text}
        self.both(lambda store: store.change(name, lambda d: Change(d.model_copy(update=update), told)))

    @rule(name=deployments, order=st.permutations(range(5)), count=st.integers(0, 5), first=st.integers(0, 2))
    def lay_out(self, name: str, order: list[int], count: int, first: int) -> None:
        records = [
            a_target(index).model_copy(update={"index": place}) for place, index in enumerate(order[:count], first)
        ]
        self.both(lambda store: store.lay_out(name, records))

    @rule(name=deployments, phase=phases, total=st.integers(0, 4), count=lanes, at=moments)
    def open_phase(self, name: str, phase: int, total: int, count: int, at: float) -> None:
        progress = Progress(total=total, lanes=count)
        self.both(lambda store: store.open_phase(name, phase, progress, check_at=at))

    @rule(name=deployments, phase=phases, lane=lanes, status=statuses, at=moments, on=st.booleans())
    def advance(self, name: str, phase: int, lane: int, status: TargetStatus, at: float, on: bool) -> None:
        token = f"a-{next(_names)}"

        def choose(view: LaneView) -> Move:
            return Stale() if view.lane.retired else a_step(view, token, status, at, on=on)

        self.both(lambda store: store.advance(name, phase, lane, choose))

    @rule(data=st.data())
    def record(self, data: st.DataObject) -> None:
        heard = [Heard(self.a_report(data), data.draw(maybe_moments)) for _ in range(data.draw(st.integers(1, 4)))]
        self.both(lambda store: store.record(heard))

    def a_report(self, data: st.DataObject) -> Report:
        """A report of a target, mostly of its present attempt."""
        name, host, event, at = data.draw(st.tuples(deployments, hosts, events, moments))
        record = self.memory.target(name, host)
        attempt = (record.attempt if record and data.draw(st.integers(0, 4)) else None) or "a-old"
        about: dict[str, Any] = {"deployment_id": name, "target_id": host, "attempt": attempt}
        kind = data.draw(st.sampled_from(["started", "finished", "log", "hello"]))
        if kind == "started":
            return EventStarted(**about, event=event, at=at)
        if kind == "finished":
            return EventFinished(**about, outcome=data.draw(outcomes), interrupted=data.draw(st.booleans()))
        if kind == "log":
            first = data.draw(st.integers(-1, 12))
            return LogLines(**about, event=event, first=first, lines=data.draw(st.lists(texts, max_size=6)))
        return AgentHello(host=host, at=at, version=data.draw(texts))

    @rule(which=st.integers(0, 5), at=moments, check_at=moments)
    def postpone(self, which: int, at: float, check_at: float) -> None:
        if due := self.both(lambda store: store.due(at)):
            self.both(lambda store: store.watched(due))
            self.both(lambda store: store.postpone([(due[which % len(due)], check_at)]))

    @rule(at=moments, channel=st.sampled_from(CHANNELS))
    def serve(self, at: float, channel: str) -> None:
        self.both(lambda store: store.serve([channel], now=at))

    @rule(channel=st.sampled_from(CHANNELS), on=st.integers(-1, 3), letters=st.integers(0, 2), off=st.integers(-1, 1))
    def told(self, channel: str, on: int, letters: int, off: int) -> None:
        before = {state.name: state.told for state in self.memory.channels()}.get(channel, 0) + off
        after = min(before + on, len(self.memory.history(limit=1000)))
        dead = [DeadLetter(happening=a_happening(n), at=NOW) for n in range(letters)]
        self.both(lambda store: store.told(channel, before=before, after=after, letters=dead))

    @rule(channel=st.sampled_from(CHANNELS), told=st.integers(0, 2), tries=st.integers(1, 3), at=moments, why=texts)
    def hold(self, channel: str, told: int, tries: int, at: float, why: str) -> None:
        self.both(lambda store: store.hold(channel, before=told, tries=tries, since=at, again_at=at + 1, why=why))

    @rule(channel=st.sampled_from(CHANNELS))
    def redrive(self, channel: str) -> None:
        for store in (self.memory, self.redis):
            store.forget_dead_letters(channel, [place for place, _ in store.dead_letters(channel, limit=1)])

    @rule(name=names, at=moments)
    def add(self, name: str, at: float) -> None:
        document = AccessKey(access_key_id=name, nonce="n", policy=Policy.DEPLOY, create_time=at)
        self.both(lambda store: store.access_keys.add(name, document))

    @rule(name=names, at=moments)
    def edit(self, name: str, at: float) -> None:
        self.both(lambda store: store.access_keys.change(name, lambda a: a.model_copy(update={"create_time": at})))

    @rule(name=names)
    def remove(self, name: str) -> None:
        self.both(lambda store: store.access_keys.remove(name))

    @rule(prefix=names, after=names, limit=st.integers(0, 3))
    def listing(self, prefix: str, after: str, limit: int) -> None:
        self.both(lambda store: store.access_keys.names(prefix=prefix, after=after, limit=limit))
        self.both(lambda store: store.access_keys.count(prefix=prefix))

    @rule(name=names, identity=names, at=moments)
    def file(self, name: str, identity: str, at: float) -> None:
        document = Application(application_id=identity, application_name=name, create_time=at)
        if self.memory.applications.get(identity) is None:
            self.both(lambda store: store.applications.add(document))
        else:
            self.both(lambda store: rename(store, identity, name))

    @rule(identity=names)
    def strike(self, identity: str) -> None:
        self.both(lambda store: store.applications.remove(identity))

    @rule(name=names, prefix=names, after=names, limit=st.integers(0, 3))
    def directory(self, name: str, prefix: str, after: str, limit: int) -> None:
        self.both(lambda store: store.applications.named(name))
        self.both(lambda store: store.applications.names(prefix=prefix, after=after, limit=limit))
        self.both(lambda store: store.applications.count(prefix=prefix))

    @invariant()
    def the_same_is_held(self) -> None:
        self.both(lambda store: (store.deployments(DEPLOYMENTS), store.active(), store.recent(), store.seen(HOSTS)))
        self.both(lambda store: (store.shown(DEPLOYMENTS), store.active_count()))
        self.both(lambda store: [(store.running(g), store.recent(group_id=g)) for g in GROUPS])
        self.both(lambda store: [store.host_records(g, HOSTS) for g in GROUPS])
        self.both(lambda store: (store.due(NOW + 200), store.due(NOW + 50), store.happened(after=1)))
        self.both(lambda store: (store.history(), store.channels()))
        self.both(lambda store: [told_of(store.dead_letters(channel)) for channel in CHANNELS])
        for name in DEPLOYMENTS:
            if self.memory.deployment(name):
                self.both(partial(held, name=name))


outcomes = st.builds(
    Outcome,
    event=events,
    status=st.sampled_from(EventStatus),
    start_time=maybe_moments,
    end_time=maybe_moments,
    diagnostics=st.none() | st.builds(Diagnostics, error_code=st.sampled_from(ErrorCode), message=texts),
    forgiven=st.booleans(),
)


def answer_of(act: Callable[[Store], object], store: Store) -> object:
    try:
        return act(store)
    except SlipwayError as error:
        return type(error), str(error)


def a_step(view: LaneView, token: str, status: TargetStatus, at: float, *, on: bool) -> Step:
    ended = Outcome(event=Event.INSTALL, status=EventStatus.SUCCEEDED, end_time=at)
    conclude = None
    if view.current:
        remember = HostRecord(revision=token, lost_by=view.known.revision)
        conclude = Conclude(view.current.target.target_id, status, (ended,), at, remember)
    take = Take(view.upcoming.target.target_id, token, at, at + 1) if on and view.upcoming else None
    return Step(conclude, take, (a_happening(int(token[2:])),))


def told_of(entries: list[tuple[str, Any]]) -> list[Any]:
    return [happening for _, happening in entries]


def held(store: Store, *, name: str) -> list[object]:
    """Everything that belongs to a deployment."""
    logs = [store.log(name, host, event.value, after=after) for host in HOSTS for event in EVENTS for after in (0, 3)]
    state = [(store.progress(name, phase), [store.lane(name, phase, n) for n in range(3)]) for phase in (0, 1)]
    return [store.targets(name), [store.target(name, host) for host in HOSTS], *state, *logs]


@pytest.mark.timeout(600)  # a failure takes long to shrink
def test_memory_and_redis_hold_the_same(redis_server: RedisServer) -> None:
    Sameness.server = redis_server
    run_state_machine_as_test(
        Sameness,
        settings=settings(
            max_examples=50,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
