"""When work is late, and what is done about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.deployments import EventRecord, Lane, Phase, PhaseKind, TargetRecord
from domain.fleet import AGENT_TAG, AgentSeen, Fate
from domain.lifecycle import Event
from domain.limits import Limits
from domain.reports import (
    AgentHello,
    AgentReport,
    ErrorCode,
    EventFinished,
    EventStarted,
    EventStatus,
    LogLines,
    Outcome,
)
from tests.unit.workflows.engine_values import EVENTS, NOW, a_deployment, an_outcome, held, taken
from workflows.decide import completed, target_status
from workflows.events import events_for
from workflows.timeouts import check_after, deployment_expired, heard, judge, outcome_of, vanished
from workflows.verdicts import Continue, GivenUp, Nudge, Reap, StartLane, Verdict, Wait, Withdraw

LIMITS = Limits(
    pickup_seconds=300,
    event_seconds=3600,
    nudge_seconds=15,
    look_seconds=30,
    silence_seconds=120,
    deployment_seconds=500,
)
STOP, DOWNLOAD = EVENTS[:2]
LANE = Lane(number=0, step=1, target_id="web-1", attempt="t-1", taken_at=NOW)
LONG_AGO = NOW - 1_000_000


def look(
    after: float,
    *,
    seen: float | None = None,
    since: float = LONG_AGO,
    lane: Lane = LANE,
    record: TargetRecord | None = None,
    events: tuple[Event, ...] = EVENTS,
    known: Mapping[Event, EventRecord] | None = None,
    deployment: Mapping[str, Any] | None = None,
    **agent: Any,
) -> Verdict:
    """The verdict `after` seconds, the agent last heard of at `seen`, with what is known of the events."""
    return judge(
        a_deployment(**{"event_seconds": 3600, **(deployment or {})}),
        events,
        lane,
        record or taken(events=known or {}),
        agent_seen=None if seen is None else AgentSeen(host="web-1", at=NOW + seen, **agent),
        control_since=since,
        now=NOW + after,
        limits=LIMITS,
    )


def done(start: float, end: float, status: EventStatus = EventStatus.SUCCEEDED, **more: Any) -> EventRecord:
    return held(status, start=NOW + start, end=NOW + end, **more)


def running(start: float) -> EventRecord:
    return held(EventStatus.IN_PROGRESS, start=NOW + start)


def failed_of(verdict: Verdict) -> Outcome:
    """The last outcome of a host that is given up: the failed one."""
    assert isinstance(verdict, Reap)
    assert verdict.outcomes[-1].status is EventStatus.FAILED
    assert target_status(completed(EVENTS, verdict.outcomes)) == "Failed"
    return verdict.outcomes[-1]


def test_a_lane_that_never_took_a_host_is_sent_its_message_again() -> None:
    fresh = Lane(number=0)
    assert judge(a_deployment(), EVENTS, fresh, None, agent_seen=None, control_since=NOW, now=NOW, limits=LIMITS) == (
        StartLane()
    )


def test_a_retired_lane_needs_nothing() -> None:
    assert isinstance(look(1e6, lane=Lane(number=0, step=3, retired=True)), Wait)


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (0, Wait(NOW + 15)),
        (14, Wait(NOW + 15)),
        (15, Nudge(NOW + 45, NOW + 300)),
        (45, Nudge(NOW + 90, NOW + 300)),
        (100, Nudge(NOW + 200, NOW + 300)),
        (290, Nudge(NOW + 300, NOW + 300)),
        (299.9, Nudge(NOW + 300, NOW + 300)),
    ],
)
def test_a_host_that_does_not_begin_is_reminded(after: float, verdict: Verdict) -> None:
    assert look(after) == verdict
    assert look(after, seen=after) == verdict


def test_a_host_that_never_begins_is_given_up_after_five_minutes() -> None:
    lost = failed_of(look(300))
    assert (lost.event, lost.start_time, lost.end_time) == (STOP, None, NOW + 300)
    assert lost.diagnostics is not None
    assert lost.diagnostics.error_code is ErrorCode.UNKNOWN_ERROR
    assert "within 300 seconds" in lost.diagnostics.message
    assert "no agent has ever been seen" in lost.diagnostics.message


def test_a_host_that_nobody_serves_says_what_to_start_and_where() -> None:
    lost = failed_of(look(300))
    assert lost.diagnostics is not None
    assert "slipway agent --id web-1" in lost.diagnostics.message
    assert "queue host.web-1 " in lost.diagnostics.message
    assert AGENT_TAG not in lost.diagnostics.message


def test_an_instance_that_nobody_serves_may_have_an_agent_of_another_name() -> None:
    lost = failed_of(look(300, record=taken("i-0123456789abcdef0")))
    assert lost.diagnostics is not None
    assert "slipway agent --id i-0123456789abcdef0" in lost.diagnostics.message
    assert "tag `slipway:agent`" in lost.diagnostics.message


def test_the_reason_says_when_the_agent_was_last_seen() -> None:
    lost = failed_of(look(300, seen=290))
    assert lost.diagnostics is not None
    assert "last seen 10 seconds ago" in lost.diagnostics.message


def test_each_event_has_five_minutes_from_the_end_of_the_one_before() -> None:
    first = {STOP: done(1, 1000)}
    assert look(1010, known=first) == Wait(NOW + 1015)
    assert look(1015, known=first) == Nudge(NOW + 1045, NOW + 1300)
    lost = look(1300, known=first)
    assert failed_of(lost).event is DOWNLOAD
    assert isinstance(lost, Reap)
    assert [outcome.event for outcome in lost.outcomes] == [STOP, DOWNLOAD]


def test_a_running_event_is_left_alone_while_its_agent_answers() -> None:
    assert look(100, seen=95, known={STOP: running(5)}) == Wait(NOW + 130)
    assert look(3599, seen=3590, known={STOP: running(5)}) == Wait(NOW + 3620)


def test_an_event_that_runs_too_long_is_given_up() -> None:
    lost = failed_of(look(3620, seen=3615, known={STOP: running(5)}))
    assert (lost.event, lost.start_time, lost.end_time) == (STOP, NOW + 5, NOW + 3620)
    assert lost.diagnostics is not None
    assert lost.diagnostics.error_code is ErrorCode.SCRIPT_TIMED_OUT
    assert "longer than 3600 seconds" in lost.diagnostics.message


def test_an_event_may_run_for_more_than_an_hour_where_its_group_says_so() -> None:
    two_hours = {"event_seconds": 7200}
    assert isinstance(look(7000, seen=6999, known={STOP: running(5)}, deployment=two_hours), Wait)
    lost = failed_of(look(7220, seen=7219, known={STOP: running(5)}, deployment=two_hours))
    assert "longer than 7200 seconds" in str(lost.diagnostics)


def test_an_agent_that_falls_silent_in_an_event_is_given_up() -> None:
    known = {STOP: done(1, 2), DOWNLOAD: running(3)}
    assert look(100, seen=10.5, known=known) == Wait(NOW + 130)
    # Not later than the moment from which it is taken for dead.
    assert look(130, seen=10.5, known=known) == Wait(NOW + 130.5)
    lost = failed_of(look(131, seen=10.5, known=known))
    assert lost.event is DOWNLOAD
    assert lost.diagnostics is not None
    assert lost.diagnostics.error_code is ErrorCode.UNKNOWN_ERROR
    assert lost.diagnostics.message == (
        "The agent has not answered since 2023-11-14 22:13:31 UTC (120 seconds ago), while this event ran."
    )


def test_an_agent_that_seldom_speaks_is_not_silent_before_it_should_have_spoken_twice() -> None:
    known = {STOP: running(5)}
    assert look(200, seen=10, known=known, every=100) == Wait(NOW + 212)
    assert isinstance(look(212, seen=10, known=known, every=100), Reap)


def test_a_script_may_end_by_itself_once_its_time_is_over() -> None:
    known = {STOP: running(5)}
    assert isinstance(look(3625, seen=3624, known=known, grace=10), Wait)
    assert failed_of(look(3630, seen=3629, known=known, grace=10)).event is STOP


BUSY = {"running": 1, "slots": 1, "every": 10}


def busy(after: float, *, heard: float | None = None, **more: Any) -> Verdict:
    """The verdict on a host whose agent is at work for others, and said so just now or at `heard`."""
    at = after - 1 if heard is None else heard
    return look(after, seen=at, full_at=NOW + at, **{**BUSY, **more})


def test_an_agent_that_is_at_work_for_others_is_waited_for() -> None:
    assert busy(14) == Wait(NOW + 15)
    assert busy(15) == Nudge(NOW + 45, NOW + 3600)
    assert busy(290) == Nudge(NOW + 300, NOW + 3600)
    assert busy(3585) == Nudge(NOW + 3600, NOW + 3600)


def test_each_time_its_message_has_expired_it_is_sent_another_once() -> None:
    assert [busy(after) for after in (299, 300, 329, 330, 599, 601)] == [
        Nudge(NOW + 300, NOW + 3600),
        Nudge(NOW + 330, NOW + 3600, expired=True),
        Nudge(NOW + 359, NOW + 3600, expired=True),
        Nudge(NOW + 360, NOW + 3600),
        Nudge(NOW + 600, NOW + 3600),
        Nudge(NOW + 631, NOW + 3600, expired=True),
    ]


def test_its_five_minutes_begin_once_it_has_room() -> None:
    room: dict[str, Any] = {"running": 0, "full_at": NOW + 1000, "slots": 1, "every": 10}
    assert look(1001, seen=1000, **room) == Nudge(NOW + 1031, NOW + 1300)
    assert look(1290, seen=1289, **room) == Nudge(NOW + 1300, NOW + 1300)
    lost = look(1300, seen=1299, **room)
    assert isinstance(lost, Reap)
    assert lost.why is GivenUp.NOT_PICKED_UP
    assert failed_of(lost).diagnostics is not None
    assert "did not take this event within 300 seconds" in str(failed_of(lost).diagnostics)


def test_who_waits_for_an_agent_that_is_started_again_has_five_minutes_from_its_start() -> None:
    """It was busy for a thousand seconds, then a new process says for the first time how it stands."""
    fresh: dict[str, Any] = {"running": 0, "slots": 1, "every": 10, "full_at": NOW + 1000}
    assert look(1002, seen=1002, **fresh) == Nudge(NOW + 1032, NOW + 1300)
    assert isinstance(look(1299, seen=1298, **fresh), Nudge)
    assert isinstance(look(1300, seen=1299, **fresh), Reap)
    # And never longer than an event may take.
    late = {**fresh, "full_at": NOW + 3500}
    assert isinstance(look(3599, seen=3598, **late), Nudge)
    assert isinstance(look(3600, seen=3599, **late), Reap)


def test_it_is_not_waited_for_longer_than_an_event_may_take() -> None:
    lost = busy(3600)
    assert isinstance(lost, Reap)
    assert lost.why is GivenUp.AGENT_BUSY
    problem = failed_of(lost).diagnostics
    assert problem is not None
    assert problem.message == (
        "The agent was at work for other deployments for all of the 3600 seconds that this event may wait for it; it "
        "runs 1 at a time. Deploy again once they are done, or let it run more at once: SLIPWAY_AGENT__CONCURRENCY "
        "on the host."
    )
    assert isinstance(busy(3600, deployment={"event_seconds": 7200}), Nudge)
    # Nor shorter than anybody.
    assert busy(299, deployment={"event_seconds": 10}) == Nudge(NOW + 300, NOW + 300)


def test_an_agent_that_dies_at_work_for_others_has_its_five_minutes_from_its_last_word() -> None:
    assert isinstance(busy(500, heard=400), Nudge)
    lost = busy(700, heard=400)
    assert isinstance(lost, Reap)
    assert lost.why is GivenUp.NOT_PICKED_UP


STOPPED = {"stopping": {"code": "MANUAL_STOP", "message": "stopped"}}


def test_what_waits_for_a_busy_agent_is_withdrawn_when_its_deployment_is_stopped() -> None:
    withdrawn = busy(20, deployment=STOPPED)
    assert isinstance(withdrawn, Withdraw)
    assert withdrawn.found == Continue(())


def in_a_stop(after: float, *, seen: float | None, stopped: float = 2, found: bool = False, **more: Any) -> Verdict:
    """What becomes of a host whose agent holds the message, or has left one in its queue, in a deployment that was
    stopped after so many seconds."""
    withdrawn = look(after, seen=seen, deployment={**STOPPED, "stopping_at": NOW + stopped}, **more)
    assert isinstance(withdrawn, Withdraw)
    return withdrawn.found if found else withdrawn.otherwise


def test_what_waits_there_may_be_a_copy_once_one_was_due_before_the_stop() -> None:
    assert in_a_stop(30, seen=1, stopped=14.9, found=True) == Continue(())
    assert in_a_stop(30, seen=1, stopped=15, found=True) == Wait(NOW + 45)
    assert in_a_stop(30, seen=20, stopped=15, found=True) == Continue(())


def test_an_agent_that_was_away_before_cannot_have_taken_anything() -> None:
    assert in_a_stop(30, seen=-23, stopped=20, found=True) == Continue(())
    assert in_a_stop(200, seen=-23) == Continue(())
    assert in_a_stop(30, seen=-21, stopped=20) == Wait(NOW + 45)


def test_what_an_agent_has_taken_is_skipped_once_it_was_heard_after_the_stop() -> None:
    assert in_a_stop(20, seen=5) == Continue(())
    # It may have begun the event just before it fell silent, and its word that it is there may have been on its way.
    assert in_a_stop(20, seen=3.9) == Wait(NOW + 35)
    assert in_a_stop(110, seen=1) == Wait(NOW + 121)
    assert in_a_stop(20, seen=None) == Continue(()), "nobody can have taken it"


def test_an_agent_that_fell_silent_before_a_stop_may_have_begun() -> None:
    known = {STOP: done(0, 1)}
    lost = in_a_stop(125, seen=1.5, known=known)
    failed = failed_of(lost)
    assert isinstance(lost, Reap)
    assert (lost.why, [outcome.event for outcome in lost.outcomes]) == (GivenUp.AGENT_SILENT, [STOP, DOWNLOAD])
    assert failed.start_time == NOW + 1, "so a rollback comes to it"
    assert failed.diagnostics is not None
    assert re.fullmatch(
        r"The agent has not answered since .* \(124 seconds ago\), from before the deployment was stopped; whether "
        r"this event began there is not known\.",
        failed.diagnostics.message,
    )


def test_what_control_does_itself_waits_for_no_agent() -> None:
    behind = events_for(load_balancer=True)
    assert isinstance(busy(310, events=behind[1:]), Reap)


def test_a_host_that_is_no_more_is_given_up_where_it_stands() -> None:
    lost = vanished(
        Phase(events=EVENTS), taken(events={STOP: done(1, 2), DOWNLOAD: running(3)}), Fate.TERMINATED, now=NOW + 9
    )
    assert lost is not None
    assert lost.why is GivenUp.TERMINATED
    assert [outcome.event for outcome in lost.outcomes] == [STOP, DOWNLOAD]
    failed = failed_of(lost)
    assert (failed.start_time, failed.end_time) == (NOW + 3, NOW + 9)
    assert failed.diagnostics is not None
    assert failed.diagnostics.message == "The instance was terminated while this event ran."


def test_a_host_that_is_no_more_need_not_have_begun() -> None:
    lost = vanished(Phase(events=EVENTS), taken(), Fate.DEREGISTERED, now=NOW)
    assert lost is not None
    failed = failed_of(lost)
    assert (failed.event, failed.start_time) == (STOP, None)
    assert failed.diagnostics is not None
    assert failed.diagnostics.message == (
        "The instance was deregistered while the deployment was under way, before this event began."
    )


@pytest.mark.parametrize(
    "known",
    [
        pytest.param({event: done(1, 2) for event in EVENTS}, id="all is done"),
        pytest.param({STOP: done(1, 2, EventStatus.FAILED)}, id="it failed before"),
    ],
)
def test_a_host_that_is_done_may_go(known: dict[Event, EventRecord]) -> None:
    assert vanished(Phase(events=EVENTS), taken(events=known), Fate.TERMINATED, now=NOW) is None


def test_a_blue_host_that_is_no_more_has_no_traffic_to_give_away() -> None:
    block = Phase(kind=PhaseKind.BLOCK, events=EVENTS)
    lost = vanished(block, taken(events={STOP: done(1, 2), DOWNLOAD: running(3)}), Fate.TERMINATED, now=NOW)
    assert lost == Reap((), GivenUp.TERMINATED)


def test_each_fate_is_counted() -> None:
    assert {GivenUp(fate) for fate in Fate} == {GivenUp.TERMINATED, GivenUp.DEREGISTERED}


def test_silence_counts_only_while_somebody_listens() -> None:
    known = {STOP: running(5)}
    assert look(1000, seen=10, since=NOW + 900, known=known) == Wait(NOW + 1020)
    assert isinstance(look(1020, seen=10, since=NOW + 900, known=known), Reap)


def test_an_agent_that_never_greeted_is_not_taken_for_dead() -> None:
    assert look(1000, known={STOP: running(5)}) == Wait(NOW + 1030)
    assert isinstance(look(3620, known={STOP: running(5)}), Reap)


def test_a_silent_host_does_not_end_what_control_does_at_the_load_balancer() -> None:
    behind = events_for(load_balancer=True)
    known = {behind[0]: done(1, 2), behind[1]: running(3)}
    assert look(1000, seen=10, events=behind, known=known) == Nudge(NOW + 1030, NOW + 3618)


def test_a_look_at_the_load_balancer_that_nobody_takes_is_taken_again_until_its_time_has_passed() -> None:
    behind = events_for(load_balancer=True)
    known = {behind[0]: done(1, 2), behind[1]: running(3)}
    assert look(3600, events=behind, known=known) == Nudge(NOW + 3618, NOW + 3618)
    lost = look(3618, events=behind, known=known)
    assert isinstance(lost, Reap)
    assert lost.outcomes[-1].diagnostics is not None
    assert "longer than 3600 seconds" in lost.outcomes[-1].diagnostics.message


def test_after_an_outage_of_control_its_mail_is_read_before_anybody_is_given_up() -> None:
    """Hosts went on without control; what they told waits in a queue."""
    back = NOW + 5000
    assert look(5001, since=back) == Wait(back + 15)
    assert look(5016, since=back) == Nudge(NOW + 5046, NOW + 5300)
    assert isinstance(look(5300, since=back), Reap)
    assert isinstance(look(5001, since=back, seen=3, known={STOP: running(5)}), Wait)
    assert isinstance(look(5120, since=back, seen=3, known={STOP: running(5)}), Reap)


def test_a_host_whose_events_have_all_ended_lets_its_lane_go_on() -> None:
    known = {event: done(1, 2) for event in EVENTS}
    verdict = look(20, known=known)
    assert isinstance(verdict, Continue)
    assert [outcome.event for outcome in verdict.outcomes] == list(EVENTS)


def test_after_a_failure_nothing_is_waited_for() -> None:
    verdict = look(20, known={STOP: done(1, 2), DOWNLOAD: done(2, 3, EventStatus.FAILED)})
    assert isinstance(verdict, Continue)
    assert [outcome.status for outcome in verdict.outcomes] == ["Succeeded", "Failed"]


def test_a_forgiven_failure_is_no_end() -> None:
    verdict = look(20, known={STOP: done(1, 2, EventStatus.FAILED, forgiven=True)})
    assert isinstance(verdict, Nudge)


def test_an_agent_that_was_restarted_in_an_event_ends_the_host() -> None:
    record = taken(events={STOP: done(1, 2), DOWNLOAD: done(3, 9, EventStatus.FAILED)}, interrupted=True)
    verdict = look(10, record=record)
    assert isinstance(verdict, Continue)
    assert target_status(completed(EVENTS, verdict.outcomes)) == "Failed"


def test_a_restart_ends_the_host_even_where_the_failure_is_forgiven() -> None:
    """Nothing carries the host's chain on; what was cut short counts as failed."""
    record = taken(events={STOP: done(1, 2, EventStatus.FAILED, forgiven=True)}, interrupted=True)
    verdict = look(10, record=record)
    assert isinstance(verdict, Continue)
    assert target_status(completed(EVENTS, verdict.outcomes)) == "Failed"


def test_an_end_in_the_future_puts_nothing_off() -> None:
    assert look(60, known={STOP: done(7000, 7001)}) == Wait(NOW + 75)


def test_a_report_that_was_lost_does_not_hide_what_runs() -> None:
    """The end of the first event was never told, the second runs: nobody waits for the first to begin."""
    assert look(400, seen=399, known={DOWNLOAD: running(5)}) == Wait(NOW + 430)
    assert failed_of(look(4000, seen=3999, known={DOWNLOAD: running(5)})).event is DOWNLOAD


@pytest.mark.parametrize("skew", [-7200, -300, 300, 7200])
def test_a_host_whose_clock_is_off_is_not_given_up_at_once(skew: float) -> None:
    assert isinstance(look(60, seen=59, known={STOP: running(50 + skew)}), Wait)
    assert isinstance(look(60, seen=59, known={STOP: done(50 + skew, 51 + skew)}), Wait | Nudge)


def report(kind: str, **more: Any) -> AgentReport:
    about = {"deployment_id": "d-AAAAAAAAA", "target_id": "web-1", "attempt": "t-1"}
    match kind:
        case "started":
            return EventStarted.model_validate({**about, "event": STOP, "at": NOW - 9000, **more})
        case "finished":
            return EventFinished.model_validate({**about, "outcome": an_outcome(STOP), **more})
        case "log":
            return LogLines.model_validate({**about, "event": STOP, "first": 0, "lines": ["x"]})
        case _:
            return AgentHello(host="web-1", at=NOW - 9000, version="1")


@pytest.mark.parametrize(
    ("said", "check_at"),
    [
        (report("started"), NOW + 30),
        (report("started", limit=10), NOW + 10),
        (report("finished"), NOW + 15),
        (report("finished", interrupted=True), NOW),
        (report("log"), None),
        (report("hello"), None),
    ],
)
def test_when_a_lane_is_looked_at_after_a_report(said: AgentReport, check_at: float | None) -> None:
    assert check_after(said, LIMITS, NOW) == check_at
    assert heard(said, LIMITS, NOW).check_at == check_at


def test_an_agent_is_alive_by_the_clock_of_control() -> None:
    greeting = heard(report("hello"), LIMITS, NOW).report
    assert isinstance(greeting, AgentHello)
    assert (greeting.at, greeting.host, greeting.version) == (NOW, "web-1", "1")
    assert heard(report("started"), LIMITS, NOW).report == report("started")


@pytest.mark.parametrize("skew", [-9000, 0, 9000])
def test_when_an_agent_was_full_is_told_by_the_clock_of_control(skew: float) -> None:
    hello = AgentHello(host="web-1", at=NOW + skew, full_at=NOW + skew - 7)
    told = heard(hello, LIMITS, NOW).report
    assert isinstance(told, AgentHello)
    assert (told.full_at, told.ahead) == (NOW - 7, skew)
    late = heard(hello.model_copy(update={"full_at": NOW + skew + 1e6}), LIMITS, NOW).report
    assert isinstance(late, AgentHello)
    assert late.full_at == NOW


def test_a_deployment_runs_only_so_long() -> None:
    deployment = a_deployment(start_time=NOW)
    assert [deployment_expired(deployment, NOW + after, LIMITS) for after in (0, 499.9, 500)] == [False, False, True]
    assert not deployment_expired(a_deployment(start_time=None), NOW + 1e9, LIMITS)


moments = st.floats(-10_000, 10_000) | st.none()
events_known = st.dictionaries(
    st.sampled_from(EVENTS),
    st.builds(
        lambda status, start, end, forgiven: held(
            status,
            start=None if start is None else NOW + start,
            end=None if end is None else NOW + end,
            forgiven=forgiven,
        ),
        st.sampled_from(EventStatus),
        moments,
        moments,
        st.booleans(),
    ),
)


@given(
    events_known,
    st.booleans(),
    moments,
    moments,
    st.floats(0, 20_000),
    st.booleans(),
)
def test_there_is_a_verdict_for_every_record_and_it_leads_on(
    known: dict[Event, EventRecord],
    interrupted: bool,
    taken_at: float | None,
    seen: float | None,
    after: float,
    lately: bool,
) -> None:
    record = taken(events=known, interrupted=interrupted)
    lane = LANE.model_copy(update={"taken_at": None if taken_at is None else NOW + taken_at})
    verdict = look(after, seen=seen, lane=lane, record=record, since=NOW + after - 1 if lately else LONG_AGO)
    match verdict:
        case Wait(until=until) | Nudge(until=until):
            assert until > NOW + after
        case Continue(outcomes=outcomes) | Reap(outcomes=outcomes):
            assert {outcome.event for outcome in outcomes} <= set(EVENTS)
            assert len({outcome.event for outcome in outcomes}) == len(outcomes)
            assert all(outcome.status.final for outcome in outcomes)
            ended = {event for event, each in known.items() if each.status.final}
            assert ended <= {outcome.event for outcome in outcomes}
            assert all(outcome == outcome_of(outcome.event, known[outcome.event]) for outcome in outcomes[: len(ended)])
