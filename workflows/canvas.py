"""Deployments as Celery canvas: a phase is chords of lanes, a host is a chain with one task per lifecycle event.

Builds signatures by task name and sends nothing. The one pure module that may import Celery: signatures are values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from celery import chain, chord, group
from celery.canvas import Signature

from domain.deployments import Deployment, Lane
from domain.lifecycle import Event
from domain.reports import HostOrder, HostReport
from workflows import names

LANES_PER_CHORD = 256
"""A chord's bookkeeping in the result backend grows with its header; a wider phase is several chords."""


def shard_of(lane: int) -> int:
    """Which chord of its phase a lane belongs to."""
    return lane // LANES_PER_CHORD


def shard_size(lanes: int, shard: int) -> int:
    """How many lanes the chord has."""
    return max(0, min(LANES_PER_CHORD, lanes - shard * LANES_PER_CHORD))


def chord_id(deployment_id: str, phase: int, shard: int) -> str:
    """The group id of a chord, the same whoever builds it."""
    return f"{deployment_id}.{phase}.{shard}"


def phase_chords(deployment: Deployment, phase: int) -> list[Signature[Any]]:
    """The whole phase: every lane's first step in the header of a chord, `phase_concluded` the body."""
    lanes = deployment.phases[phase].lanes
    return [
        _shard(deployment.deployment_id, phase, shard, lanes)
        for shard in range((lanes + LANES_PER_CHORD - 1) // LANES_PER_CHORD)
    ]


def _shard(deployment_id: str, phase: int, shard: int, lanes: int) -> Signature[Any]:
    first = shard * LANES_PER_CHORD
    header = [
        _signature(
            names.NEXT_HOST,
            (None, deployment_id, phase, lane, 0),
            about=_lane_step(deployment_id, lane, 0),
            task_id=_lane_task(deployment_id, phase, lane),
        )
        for lane in range(first, first + shard_size(lanes, shard))
    ]
    # Celery takes a chord's own task id for the group of its header and for its body alike.
    body = _concluded(deployment_id, phase, shard)
    return cast("Signature[Any]", chord(group(header), body, task_id=chord_id(deployment_id, phase, shard)))


def _concluded(deployment_id: str, phase: int, shard: int) -> Signature[Any]:
    # The chord prepends the list of its lanes' results, which nobody needs: the store knows.
    return _signature(
        names.PHASE_CONCLUDED,
        (deployment_id, phase),
        about=f"{deployment_id} phase {phase}",
        task_id=chord_id(deployment_id, phase, shard),
    )


def phase_concluded(deployment_id: str, phase: int) -> Signature[Any]:
    """The look at whether a phase is over, sent on its own."""
    return _signature(names.PHASE_CONCLUDED, (None, deployment_id, phase), about=f"{deployment_id} phase {phase}")


def begin(deployment_id: str) -> Signature[Any]:
    """The start of a deployment that was admitted."""
    return _signature(names.BEGIN, (deployment_id,), about=deployment_id)


def environment(deployment_id: str, phase: int) -> Signature[Any]:
    """One step towards green hosts, or towards the end of blue ones."""
    return _signature(names.ENVIRONMENT, (deployment_id, phase), about=f"{deployment_id} phase {phase}")


def settle(deployment_id: str) -> Signature[Any]:
    """The verdict on a deployment."""
    return _signature(names.SETTLE, (deployment_id,), about=deployment_id)


def announce() -> Signature[Any]:
    """The telling of what is in the outbox."""
    return _signature(names.ANNOUNCE, (), about="outbox")


def alarms(deployment_id: str, *, expires: int) -> Signature[Any]:
    """A look at the alarms of a deployment. On the queue of what moves lanes, so that it cannot be later than they are;
    one that nobody took within `expires` seconds is dropped, for others were sent since."""
    return _signature(names.ALARMS, (deployment_id,), about=deployment_id, expires=expires)


def vanished(expires: int) -> Signature[Any]:
    """The look for hosts that are no more, dropped if nobody takes it by then: the next one is due."""
    return _signature(names.VANISHED, (), about="hosts at work", expires=expires)


def host_chain(
    report: HostReport,
    events: Sequence[Event],
    *,
    queue: str,
    phase: int,
    pickup_seconds: int,
    good_for: float | None = None,
) -> Signature[Any]:
    """One host's lifecycle events, each a task on the host's queue (traffic events on control's), then the lane's next
    step. A message that nobody took within `pickup_seconds`, the first one within `good_for` where that is given, is
    dropped by the broker's consumers."""
    order = report.order
    about = about_host(order)
    steps = [
        _signature(
            names.event_task(event),
            (wire(report),) if event is events[0] else (),
            queue=names.event_queue(event, queue),
            about=about,
            expires=good_for if good_for is not None and event is events[0] else pickup_seconds,
        )
        for event in events
    ]
    tail = _signature(
        names.NEXT_HOST,
        (order.deployment_id, phase, order.lane, order.step),
        about=_lane_step(order.deployment_id, order.lane, order.step),
    )
    return cast("Signature[Any]", chain(*steps, tail))


def about_host(order: HostOrder) -> str:
    """What people are shown of a message for a host."""
    return f"{order.deployment_id} {order.application_name}/{order.deployment_group_name} {order.target_id}"


def deployment_of(body: object) -> str | None:
    """Whose event the body of a message of a host's queue is; None if it is none."""
    match body:
        case [[{"order": {"deploymentId": str(deployment_id)}}, *_], *_]:
            return deployment_id
        case _:
            return None


def undo_traffic(deployment_id: str, target_id: str) -> Signature[Any]:
    """Bring a host whose traffic event failed back to where it was at its balancers."""
    about = f"{deployment_id} {target_id}"
    return _signature(names.UNDO_TRAFFIC, (deployment_id, target_id), queue=names.TRAFFIC_QUEUE, about=about)


def lane_again(deployment: Deployment, phase: int, lane: Lane, report: HostReport | None) -> Signature[Any]:
    """A lane's next step as a part of its chord, sent afresh because its own message was lost."""
    return _signature(
        names.NEXT_HOST,
        (wire(report) if report else None, deployment.deployment_id, phase, lane.number, lane.step),
        about=_lane_step(deployment.deployment_id, lane.number, lane.step),
        **_membership(deployment.deployment_id, phase, lane.number),
        task_id=_lane_task(deployment.deployment_id, phase, lane.number),
    )


def host_again(
    report: HostReport,
    events: Sequence[Event],
    *,
    queue: str,
    phase: int,
    pickup_seconds: int,
    good_for: float | None = None,
) -> Signature[Any]:
    """What is left of a host's chain as a part of its lane's chord, sent afresh; hosts know the attempt and run nothing
    twice."""
    order = report.order
    again = host_chain(report, events, queue=queue, phase=phase, pickup_seconds=pickup_seconds, good_for=good_for)
    again.options.update(
        _membership(order.deployment_id, phase, order.lane),
        task_id=_lane_task(order.deployment_id, phase, order.lane),
    )
    return again


def _membership(deployment_id: str, phase: int, lane: int) -> dict[str, Any]:
    shard = shard_of(lane)
    return {
        "chord": _concluded(deployment_id, phase, shard),
        "group_id": chord_id(deployment_id, phase, shard),
        "group_index": lane - shard * LANES_PER_CHORD,
    }


def wire(report: HostReport) -> dict[str, Any]:
    """A report as JSON values, without members at their defaults."""
    return report.model_dump(mode="json", exclude_defaults=True)


def _lane_step(deployment_id: str, lane: int, step: int) -> str:
    return f"{deployment_id} lane {lane} step {step}"


def _lane_task(deployment_id: str, phase: int, lane: int) -> str:
    return f"{deployment_id}.{phase}.lane-{lane}"


def _signature(
    name: str, args: tuple[Any, ...], *, about: str, queue: str = names.CONTROL_QUEUE, **options: Any
) -> Signature[Any]:
    # `argsrepr` is all that Flower and the logs are shown of the arguments: sense for a person, no link in it.
    return Signature(name, args=args, options={"queue": queue, "argsrepr": about, "kwargsrepr": "", **options})
