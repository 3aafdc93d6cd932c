"""Canvas: which messages a phase, a host and a lost lane become, whose chord they belong to, and what they show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.deployments import Lane
from domain.lifecycle import TABLE, Event, Runner
from domain.reports import BundleSource, Diagnostics, ErrorCode, EventStatus, HostReport, Outcome
from tests.unit.workflows.engine_values import EVENTS, a_deployment, a_report, an_order
from tests.unit.workflows.wire_tap import Tap
from workflows import canvas, names
from workflows.events import events_for

MOST = canvas.LANES_PER_CHORD
LINK = "https://bucket.s3.example/v2.zip?X-Amz-Signature=5ec2e7"
SECRET = "5ec2e7"


@pytest.fixture(scope="module")
def tap() -> Tap:
    return Tap()


@pytest.mark.parametrize(
    ("lanes", "sizes"),
    [
        (0, []),
        (1, [1]),
        (MOST - 1, [MOST - 1]),
        (MOST, [MOST]),
        (MOST + 1, [MOST, 1]),
        (3 * MOST, [MOST] * 3),
        (1000, [256, 256, 256, 232]),
    ],
)
def test_a_wide_phase_is_several_chords(lanes: int, sizes: list[int]) -> None:
    deployment = a_deployment(total=lanes, floor=0)
    chords = canvas.phase_chords(deployment, 0)
    assert [len(chord.kwargs["header"]) for chord in chords] == sizes


@given(st.integers(0, 2000))
def test_every_lane_is_in_one_shard(lanes: int) -> None:
    shards = [canvas.shard_of(lane) for lane in range(lanes)]
    assert shards == sorted(shards)
    for shard in range((lanes + MOST - 1) // MOST + 2):
        assert canvas.shard_size(lanes, shard) == shards.count(shard) <= MOST


def test_a_phase_opens_with_the_first_step_of_every_lane(tap: Tap) -> None:
    deployment = a_deployment(total=MOST + 2, floor=0)
    sent = [message for chord in canvas.phase_chords(deployment, 0) for message in tap.send(chord)]
    assert [message.args for message in sent] == [[None, "d-AAAAAAAAA", 0, lane, 0] for lane in range(MOST + 2)]
    assert {message.queue for message in sent} == {names.CONTROL_QUEUE}
    groups = [(message.headers["group"], message.headers["group_index"]) for message in sent[-3:]]
    assert groups == [("d-AAAAAAAAA.0.0", MOST - 1), ("d-AAAAAAAAA.0.1", 0), ("d-AAAAAAAAA.0.1", 1)]
    assert len({message.headers["id"] for message in sent}) == MOST + 2


def test_ids_are_the_same_whoever_builds_them() -> None:
    deployment = a_deployment(total=300, floor=0)
    first, second = ([json.dumps(chord) for chord in canvas.phase_chords(deployment, 0)] for _ in range(2))
    assert first == second


def test_ids_differ_between_deployments_phases_and_shards() -> None:
    ids = [canvas.chord_id(name, phase, shard) for name in ("d-A", "d-B") for phase in (0, 1) for shard in (0, 1)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("lane", [0, MOST - 1, MOST, MOST + 1])
def test_a_lane_sent_again_stands_where_the_lost_one_stood(tap: Tap, lane: int) -> None:
    deployment = a_deployment(total=MOST + 2, floor=0)
    every = [message for chord in canvas.phase_chords(deployment, 0) for message in tap.send(chord)]
    (again,) = tap.send(canvas.lane_again(deployment, 0, Lane(number=lane), None))
    assert again.args == every[lane].args
    for name in ("task", "id", "group", "group_index", "argsrepr", "kwargsrepr"):
        assert again.headers[name] == every[lane].headers[name]
    assert body_of(again.body[2]["chord"]) == body_of(every[lane].body[2]["chord"])


def body_of(signature: dict[str, Any]) -> dict[str, Any]:
    """A chord's body without what Celery adds when it sends the whole chord."""
    options = {k: v for k, v in signature["options"].items() if k not in {"reply_to", "group_id"}}
    return {**signature, "options": options}


def test_a_lane_sent_again_brings_what_its_host_came_to(tap: Tap) -> None:
    lane = Lane(number=2, step=4, target_id="web-1", attempt="t-1")
    (again,) = tap.send(canvas.lane_again(a_deployment(total=3, floor=0), 0, lane, a_report()))
    told, *rest = again.args
    assert HostReport.model_validate(told) == a_report()
    assert rest == ["d-AAAAAAAAA", 0, 2, 4]


def host_chain(report: HostReport, events: Sequence[Event] = EVENTS) -> Any:
    return canvas.host_chain(report, events, queue="host.web-1", phase=0, pickup_seconds=300)


def test_a_host_is_a_chain_of_its_events_and_its_lanes_next_step(tap: Tap) -> None:
    report = a_report("")
    (first,) = tap.send(host_chain(report))
    assert (first.queue, first.headers["task"]) == ("host.web-1", "ApplicationStop")
    assert first.args == [canvas.wire(report)]
    assert [each["task"] for each in first.chain] == [*EVENTS[1:], names.NEXT_HOST]
    assert [each["args"] for each in first.chain] == [[]] * 6 + [["d-AAAAAAAAA", 0, 0, 1]]
    assert {each["options"]["queue"] for each in first.chain[:-1]} == {"host.web-1"}
    assert first.chain[-1]["options"]["queue"] == names.CONTROL_QUEUE


def test_events_that_nobody_takes_up_are_dropped_and_the_lanes_step_never_is(tap: Tap) -> None:
    (first,) = tap.send(host_chain(a_report("")))
    assert first.headers["expires"] is not None
    assert [each["options"].get("expires") for each in first.chain] == [300] * 6 + [None]


def test_traffic_events_are_controls(tap: Tap) -> None:
    events = events_for(load_balancer=True)
    (first,) = tap.send(host_chain(a_report(""), events))
    queues = dict(zip(events, [first.queue, *(each["options"]["queue"] for each in first.chain)], strict=False))
    wanted = {r.event: "host.web-1" if r.runner is Runner.HOST else names.TRAFFIC_QUEUE for r in TABLE}
    assert queues == wanted


def test_one_hosts_chain_is_a_few_kilobytes(tap: Tap) -> None:
    source = BundleSource(location=LINK, bundle_type="zip", sha256="0" * 64)
    (first,) = tap.send(host_chain(HostReport(order=an_order(source=source)), events_for(load_balancer=True)))
    assert len(json.dumps(first.body)) < 8192


def test_the_rest_of_a_host_sent_again_ends_in_its_lanes_chord(tap: Tap) -> None:
    report = HostReport(order=an_order(lane=MOST + 1, step=3), outcomes=a_report("ss").outcomes)
    again = canvas.host_again(report, EVENTS[2:], queue="host.web-1", phase=1, pickup_seconds=300)
    (first,) = tap.send(again)
    assert first.headers["task"] == EVENTS[2]
    assert first.headers["group"] is None
    last = first.chain[-1]
    assert last["args"] == ["d-AAAAAAAAA", 1, MOST + 1, 3]
    options = last["options"]
    assert (options["task_id"], options["group_id"], options["group_index"]) == (
        f"d-AAAAAAAAA.1.lane-{MOST + 1}",
        "d-AAAAAAAAA.1.1",
        1,
    )
    assert options["chord"]["options"]["task_id"] == "d-AAAAAAAAA.1.1"
    for event in first.chain[:-1]:
        assert not {"chord", "group_id"} & set(event["options"])


@pytest.mark.parametrize(
    ("signature", "task", "args", "about"),
    [
        (canvas.begin("d-1"), names.BEGIN, ["d-1"], "d-1 "),
        (canvas.settle("d-1"), names.SETTLE, ["d-1"], "d-1 "),
        (canvas.announce(), names.ANNOUNCE, [], "outbox "),
        (canvas.phase_concluded("d-1", 2), names.PHASE_CONCLUDED, [None, "d-1", 2], "d-1 phase 2 "),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_single_messages(tap: Tap, signature: Any, task: str, args: list[Any], about: str) -> None:
    (sent,) = tap.send(signature)
    assert (sent.queue, sent.headers["task"], sent.args, sent.about) == (names.CONTROL_QUEUE, task, args, about)


diagnostics = st.builds(
    Diagnostics,
    error_code=st.sampled_from(ErrorCode),
    message=st.just(f"fetching {LINK} failed") | st.text(max_size=20),
    log_tail=st.just(SECRET) | st.text(max_size=20),
)
outcomes = st.builds(
    Outcome,
    event=st.sampled_from(Event),
    status=st.sampled_from(EventStatus),
    start_time=st.none() | st.floats(0, 2e9),
    end_time=st.none() | st.floats(0, 2e9),
    diagnostics=st.none() | diagnostics,
    forgiven=st.booleans(),
)
sources = st.builds(BundleSource, location=st.just(LINK), bundle_type=st.sampled_from(["tar", "zip"]))
orders = st.builds(
    lambda source, lane, step, environment, ignore, last: an_order(
        source=source,
        lane=lane,
        step=step,
        environment=environment,
        ignore_application_stop_failures=ignore,
        final_event=last,
        appspec_filename=SECRET,
    ),
    st.none() | sources,
    st.integers(0, 999),
    st.integers(0, 999),
    st.dictionaries(st.text(max_size=5), st.just(SECRET), max_size=2),
    st.booleans(),
    st.sampled_from(Event),
)
reports = st.builds(HostReport, order=orders, outcomes=st.lists(outcomes, max_size=13).map(tuple))


@given(reports)
def test_a_report_comes_back_from_the_wire_as_it_was(report: HostReport) -> None:
    assert HostReport.model_validate(json.loads(json.dumps(canvas.wire(report)))) == report


@settings(max_examples=40, deadline=None)
@given(report=reports)
def test_no_link_and_no_secret_is_shown(tap: Tap, report: HostReport) -> None:
    chain = host_chain(report)
    again = canvas.host_again(report, EVENTS, queue="host.web-1", phase=0, pickup_seconds=300)
    lane = canvas.lane_again(a_deployment(), 0, Lane(number=0, step=1), report)
    messages = [*tap.send(chain), *tap.send(again), *tap.send(lane)]
    # What follows gets the report as its result, and is sent with the signature that travels in the chain.
    followers = [each for message in messages for each in message.chain]
    shown = [*messages, *(sent for each in followers for sent in tap.send(each, canvas.wire(report)))]
    assert len(shown) == 3 + 14
    for message in shown:
        assert "d-AAAAAAAAA" in message.about
        assert SECRET not in json.dumps(message.headers)
        assert "://" not in json.dumps(message.headers)


def test_a_host_in_flower_is_called_by_its_name(tap: Tap) -> None:
    (first,) = tap.send(host_chain(a_report("")))
    assert first.about == "d-AAAAAAAAA shop/web web-1 "
