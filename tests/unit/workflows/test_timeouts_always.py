"""What must never happen to late work: a host given up too soon, or waited for without end."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from domain.deployments import EventRecord, Lane, TargetRecord
from domain.fleet import AgentSeen
from domain.lifecycle import TABLE, Event, Runner
from domain.limits import Limits
from domain.reports import EventStatus
from tests.unit.workflows.engine_values import NOW, a_deployment, held, taken
from workflows.events import events_for
from workflows.timeouts import judge
from workflows.verdicts import Continue, Nudge, Reap, Verdict, Wait

EVENTS = events_for(load_balancer=True)
AT_LOAD_BALANCER = {row.event for row in TABLE if row.runner is Runner.TRAFFIC}
EVENT_SECONDS = 3600
LIMITS = Limits(event_seconds=EVENT_SECONDS)
DEPLOYMENT = a_deployment(event_seconds=EVENT_SECONDS)


@dataclass(frozen=True)
class Scene:
    """A host at work: taken `age` seconds ago, some events done, the next one running since `running` or awaited."""

    age: float
    done: int
    ended: float
    running: float | None
    heard: float | None
    listening: float

    @property
    def event(self) -> Event:
        return EVENTS[self.done]

    def record(self) -> TargetRecord:
        start, end = NOW - self.age, NOW - self.age * self.ended
        events: dict[Event, EventRecord] = {
            event: held(EventStatus.SUCCEEDED, start=start, end=end) for event in EVENTS[: self.done]
        }
        if self.running is not None:
            events[self.event] = held(EventStatus.IN_PROGRESS, start=NOW - self.running)
        return taken(events=events)

    def judged(self, later: float = 0.0) -> Verdict:
        return judge(
            DEPLOYMENT,
            EVENTS,
            Lane(number=0, step=1, target_id="web-1", attempt="t-1", taken_at=NOW - self.age),
            self.record(),
            agent_seen=None if self.heard is None else AgentSeen(host="web-1", at=NOW - self.heard),
            control_since=NOW - self.listening,
            now=NOW + later,
            limits=LIMITS,
        )


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    age = draw(st.floats(0, 20_000))
    return Scene(
        age=age,
        done=draw(st.integers(0, len(EVENTS) - 1)),
        ended=draw(st.floats(0, 1)),
        running=draw(st.none() | st.floats(0, age)),
        heard=draw(st.none() | st.floats(0, 20_000)),
        listening=draw(st.floats(0, 100_000)),
    )


@given(scenes(), st.floats(0, EVENT_SECONDS - 1), st.floats(0, LIMITS.silence_seconds - 1))
def test_a_running_event_is_left_alone_while_its_agent_was_heard_lately(
    scene: Scene, running: float, heard: float
) -> None:
    lively = Scene(scene.age + running, scene.done, scene.ended, running, heard, scene.listening)
    # What control does at the load balancer is looked at by whoever does it; the watch only sends it there again.
    assert isinstance(lively.judged(), Nudge if lively.event in AT_LOAD_BALANCER else Wait)


@given(scenes(), st.floats(0, min(LIMITS.silence_seconds, LIMITS.pickup_seconds) - 1))
def test_nobody_is_given_up_just_after_control_came_back(scene: Scene, listening: float) -> None:
    back = Scene(scene.age, scene.done, scene.ended, scene.running, scene.heard, listening)
    assert isinstance(back.judged(), Wait | Nudge)


@given(scenes())
def test_an_event_that_nobody_took_up_is_given_up_after_its_five_minutes_and_not_before(scene: Scene) -> None:
    waiting = Scene(scene.age, scene.done, scene.ended, None, scene.heard, scene.listening)
    since = min(waiting.age * waiting.ended if waiting.done else waiting.age, waiting.listening)
    if abs(since - LIMITS.pickup_seconds) > 0.001:
        assert isinstance(waiting.judged(), Reap) is (since > LIMITS.pickup_seconds)


@given(scenes())
def test_silence_ends_a_host_and_never_what_control_does_itself(scene: Scene) -> None:
    if scene.running is None or scene.running >= EVENT_SECONDS:
        return
    silence = min(scene.heard, scene.listening) if scene.heard is not None else 0.0
    if abs(silence - LIMITS.silence_seconds) > 0.001:
        lost = silence > LIMITS.silence_seconds and scene.event not in AT_LOAD_BALANCER
        assert isinstance(scene.judged(), Reap) is lost


@given(scenes())
def test_when_nothing_more_is_heard_the_host_is_given_up_in_time(scene: Scene) -> None:
    """Looked at each time it asks to be: always later, and never without end."""
    most = EVENT_SECONDS + LIMITS.pickup_seconds + LIMITS.silence_seconds
    later = 0.0
    while isinstance(verdict := scene.judged(later), Wait | Nudge):
        assert verdict.until > NOW + later
        later = verdict.until - NOW
        assert later <= most
    assert isinstance(verdict, Reap)
    failed = verdict.outcomes[-1]
    assert (failed.event, failed.status, failed.end_time) == (scene.event, EventStatus.FAILED, NOW + later)
    assert [outcome.event for outcome in verdict.outcomes] == list(EVENTS[: scene.done + 1])


@given(st.floats(0, 20_000), st.floats(0, 5), st.integers(1, 8), st.floats(1, 60), st.integers(1, 20_000))
def test_an_agent_at_work_for_others_is_waited_for_as_long_as_an_event_may_take(
    age: float, heard: float, slots: int, every: float, event_seconds: int
) -> None:
    """And each time a message of it has expired, there is another."""
    seen = AgentSeen(host="web-1", at=NOW - heard, running=slots, slots=slots, every=every, full_at=NOW - heard)
    verdict = judge(
        a_deployment(event_seconds=event_seconds),
        EVENTS,
        Lane(number=0, step=1, target_id="web-1", attempt="t-1", taken_at=NOW - age),
        taken(),
        agent_seen=seen,
        control_since=NOW - 100_000,
        now=NOW,
        limits=LIMITS,
    )
    patience = max(event_seconds, LIMITS.pickup_seconds)
    if abs(age - patience) < 0.001 or abs(age % LIMITS.pickup_seconds) < 0.001:
        return
    assert isinstance(verdict, Reap) is (age > patience)
    if isinstance(verdict, Nudge):
        assert NOW < verdict.until <= NOW + LIMITS.look_seconds
        if verdict.expired:
            assert age > LIMITS.pickup_seconds
            assert age % LIMITS.pickup_seconds < LIMITS.look_seconds


@given(scenes(), st.floats(0, 1e6))
def test_what_is_done_is_never_waited_for(scene: Scene, later: float) -> None:
    record = taken(events={event: held(EventStatus.SUCCEEDED, start=NOW, end=NOW) for event in EVENTS})
    seen = None if scene.heard is None else AgentSeen(host="web-1", at=NOW - scene.heard)
    verdict = judge(
        DEPLOYMENT,
        EVENTS,
        Lane(number=0, step=1, target_id="web-1", attempt="t-1", taken_at=NOW - scene.age),
        record,
        agent_seen=seen,
        control_since=NOW - scene.listening,
        now=NOW + later,
        limits=LIMITS,
    )
    assert isinstance(verdict, Continue)
