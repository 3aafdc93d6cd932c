"""Follows a deployment until it ends: a live grid in a terminal, JSON lines or plain lines elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live

from console.grid import DeploymentView, draw, final_line
from domain.deployments import Deployment, DeploymentStatus, TargetRecord, TargetStatus
from domain.errors import DeploymentDoesNotExist
from domain.lifecycle import TABLE, Event
from tasks.runtime import World
from workflows import agents, names, reporting
from workflows.events import events_for
from workflows.waits import waiting_for

EVERY = 0.25
"""Seconds between looks."""
PAGE = 200
MOST_TARGETS = 2_000
"""Targets read at one look; the counts of a larger fleet come from its counters."""


def look(world: World, deployment_id: str) -> DeploymentView:
    """The deployment as it stands; raises DeploymentDoesNotExist."""
    deployment = world.store.deployment(deployment_id)
    if deployment is None:
        raise DeploymentDoesNotExist(f"No deployment has the id {deployment_id}; `slipway list` shows those there are.")
    targets = _targets(world, deployment)
    progress = world.store.progress(deployment_id, deployment.phase)
    chosen = {event for phase in deployment.phases for event in phase.events}
    events: tuple[Event, ...] = tuple(row.event for row in TABLE if row.event in chosen) or events_for()
    return DeploymentView(
        deployment=deployment,
        overview=reporting.overview(deployment, progress),
        targets=targets,
        events=events,
        now=world.now(),
        labels={record.target.target_id: label for record in targets if (label := deployment.label(record.index))},
        waiting_for=waiting_for(deployment, world.now()),
        words=_words(world, deployment, targets),
    )


def _words(world: World, deployment: Deployment, targets: Sequence[TargetRecord]) -> dict[str, str]:
    phase = deployment.under_way
    at_work = [record for record in targets if record.status is TargetStatus.IN_PROGRESS]
    if phase is None or not at_work or deployment.status.final:
        return {}
    seen = world.store.seen([names.agent_of(record.target.queue) for record in at_work])
    words = {
        record.target.target_id: agents.word_on(record, phase.events, last, world.now())
        for record, last in zip(at_work, seen, strict=True)
    }
    return {target_id: word for target_id, word in words.items() if word}


def _targets(world: World, deployment: Deployment) -> list[TargetRecord]:
    found: list[TargetRecord] = []
    while len(found) < min(deployment.total, MOST_TARGETS):
        page = world.store.targets(deployment.deployment_id, first=len(found), count=PAGE)
        if not page:
            break
        found.extend(reporting.target_view(record, deployment) for record in page)
    return found


def as_json_value(view: DeploymentView) -> dict[str, Any]:
    """The view in the members of the API's DeploymentInfo and InstanceTarget."""
    info = view.deployment.model_dump(mode="json", exclude_none=True, exclude=_INTERNAL)
    info["instanceTerminationWaitTimeStarted"] = view.deployment.termination_wait_started
    info["deploymentOverview"] = view.overview.model_dump(mode="json")
    return {"deploymentInfo": info, "targets": [_target(record, view) for record in view.targets]}


_INTERNAL = {
    *("phases", "phase", "results", "until", "continued", "total", "blue", "floor", "stopping", "ends_as", "cutting"),
    *("minimum_healthy_hosts", "takes_over", "termination_wait_started", "alarms_awaited", "put_off_by"),
    *("stopping_at", "balancer_silence", "green_leaves_since"),
}
"""Members of a deployment that are for the engine."""


def _target(record: TargetRecord, view: DeploymentView) -> dict[str, Any]:
    return {
        "targetId": record.target.target_id,
        "targetArn": record.target.arn,
        "status": record.status,
        "instanceLabel": view.deployment.label(record.index),
        "lastUpdatedAt": record.last_updated_at,
        "agent": view.words.get(record.target.target_id),
        "lifecycleEvents": [
            {"lifecycleEventName": event, **record.events[event].model_dump(mode="json", exclude_none=True)}
            for event in view.events
            if event in record.events
        ],
    }


def follow(
    world: World,
    deployment_id: str,
    *,
    as_json: bool = False,
    console: Console | None = None,
    below: Callable[[], RenderableType] | None = None,
) -> int:
    """Follow until the end, with what is to be drawn below the grid; the exit code: 0 if it succeeded, else 1."""
    view = look(world, deployment_id)
    if as_json:
        view = _wait_for_end(world, view)
        click.echo(json.dumps(as_json_value(view), indent=2))
    else:
        shown = console or Console()
        view = _live(world, view, shown, below)
        shown.print(final_line(view.deployment), highlight=False)
    return 0 if view.deployment.status is DeploymentStatus.SUCCEEDED else 1


def _live(
    world: World, view: DeploymentView, console: Console, below: Callable[[], RenderableType] | None
) -> DeploymentView:
    def picture() -> RenderableType:
        return Group(draw(view), below()) if below else draw(view)

    with Live(picture(), console=console, refresh_per_second=8, transient=False) as live:
        while not view.deployment.status.final:
            time.sleep(EVERY)
            view = look(world, view.deployment.deployment_id)
            live.update(picture())
    if not console.is_terminal:
        console.print()
    return view


def _wait_for_end(world: World, view: DeploymentView) -> DeploymentView:
    while not view.deployment.status.final:
        time.sleep(EVERY)
        view = look(world, view.deployment.deployment_id)
    return view
