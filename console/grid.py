"""A deployment as a person watches it: a grid of hosts by lifecycle events, a progress bar, and why a host failed.

Draws values; reads nothing itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from domain.deployments import Deployment, EventRecord, Overview, TargetRecord, TargetStatus
from domain.lifecycle import BY_EVENT, Event, Part
from domain.reports import EventStatus

MOST_ROWS = 40
"""Hosts shown at once; of a larger fleet, those that matter now."""
MOST_WORDS = 5

MARKS: dict[EventStatus, tuple[str, str]] = {
    EventStatus.PENDING: ("·", "dim"),
    EventStatus.IN_PROGRESS: ("●", "yellow"),
    EventStatus.SUCCEEDED: ("✓", "green"),
    EventStatus.FAILED: ("✗", "bold red"),
    EventStatus.SKIPPED: ("-", "dim"),
    EventStatus.UNKNOWN: ("?", "magenta"),
}
STATUS_STYLES: dict[str, str] = {
    "Succeeded": "bold green",
    "Failed": "bold red",
    "Stopped": "bold magenta",
    "InProgress": "bold yellow",
    "Ready": "bold cyan",
    "Baking": "bold cyan",
    "Skipped": "dim",
}
LABEL_STYLES = {"Blue": "blue", "Green": "green"}


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """What the grid shows: the deployment, its counts, the targets in pick order, and lines of the failing script."""

    deployment: Deployment
    overview: Overview
    targets: Sequence[TargetRecord]
    events: Sequence[Event]
    now: float
    tail: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    """Blue or Green by target id, of a blue/green deployment."""
    waiting_for: str = ""
    """What the deployment waits for, in words, if it waits."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What is to be said of the agents of hosts at work, by target id."""


def draw(view: DeploymentView) -> RenderableType:
    """The whole picture."""
    parts: list[RenderableType] = [_headline(view), _progress(view)]
    stopping = view.deployment.stopping
    if stopping and not view.deployment.status.final:
        parts.append(Text(f"stopping: {stopping.code}: {stopping.message}", style="magenta"))
    if view.waiting_for:
        parts.append(Text(f"waits for {view.waiting_for}", style="cyan"))
    parts.append(_grid(view))
    parts.extend(_words(view))
    parts.extend(_failures(view))
    parts.extend(_reason(view.deployment))
    parts.extend(_messages(view.deployment))
    return Group(*parts)


def _reason(deployment: Deployment) -> list[Text]:
    """Why the deployment ended as it did, where it did not succeed."""
    error = deployment.error_information
    style = STATUS_STYLES.get(deployment.status, "")
    return [Text(f"{error.code}: {error.message}", style=style)] if error and deployment.status.final else []


def _messages(deployment: Deployment) -> list[Text]:
    """What people are to know of the deployment as a whole: alarms, what is left to them, what rolls it back."""
    rollback = deployment.rollback_info.rollback_message if deployment.rollback_info else None
    return [Text(told, style="magenta") for told in (*deployment.status_messages, *([rollback] if rollback else []))]


def _headline(view: DeploymentView) -> Text:
    d = view.deployment
    line = Text()
    line.append(d.deployment_id, style="bold")
    line.append(f"  {d.application_name}/{d.deployment_group_name}  {d.deployment_config_name}  ")
    line.append(d.status, style=STATUS_STYLES.get(d.status, ""))
    if d.start_time:
        line.append(f"  {(d.complete_time or view.now) - d.start_time:.1f}s", style="dim")
    return line


def _progress(view: DeploymentView) -> RenderableType:
    o = view.overview
    ended = o.succeeded + o.failed + o.skipped
    total = max(1, ended + o.pending + o.in_progress + o.ready)
    row = Table.grid(padding=(0, 1))
    row.add_row(
        ProgressBar(total=total, completed=ended, width=20),
        Text.assemble(
            (f"{o.succeeded} succeeded", "green"),
            "  ",
            (f"{o.failed} failed", "red" if o.failed else "dim"),
            "  ",
            (f"{o.in_progress} in progress", "yellow" if o.in_progress else "dim"),
            "  ",
            (f"{o.ready} ready  " if o.ready else "", "cyan"),
            (f"{o.pending} pending", "dim"),
            "  ",
            (f"{o.skipped} skipped", "dim"),
            overflow="fold",
            no_wrap=True,
        ),
    )
    return row


def _grid(view: DeploymentView) -> Table:
    many = len(view.events) > FEW_EVENTS
    table = Table(box=None, pad_edge=False, collapse_padding=many, header_style="dim")
    table.add_column("host", no_wrap=True)
    if view.labels:
        table.add_column("fleet", no_wrap=True)
    table.add_column("status", no_wrap=True, min_width=10)
    for event in view.events:
        table.add_column(shortest_name(event) if many else short_name(event), justify="center", overflow="crop")
    rows = choose_rows(view.targets)
    for record in rows:
        label = view.labels.get(record.target.target_id, "")
        table.add_row(
            record.target.target_id,
            *([Text(label, style=LABEL_STYLES.get(label, ""))] if view.labels else []),
            Text(record.status, style=STATUS_STYLES.get(record.status, "dim")),
            *(_cell(record.events.get(event), view.now, expected=_expected(event, label)) for event in view.events),
        )
    if len(rows) < len(view.targets):
        table.add_row(f"… {len(view.targets) - len(rows)} more")
    return table


def _expected(event: Event, label: str) -> bool:
    """Whether an event of which nothing is known will come: blue is taken out of traffic, green never is, unless the
    deployment is undone; then there is something to know."""
    blocks = BY_EVENT[event].part is Part.BLOCK
    return blocks if label == "Blue" else not blocks if label == "Green" else True


def choose_rows(targets: Sequence[TargetRecord]) -> list[TargetRecord]:
    """All targets of a small fleet; of a large one those that failed or run, then the rest in pick order."""
    if len(targets) <= MOST_ROWS:
        return list(targets)
    urgency = {TargetStatus.FAILED: 0, TargetStatus.IN_PROGRESS: 1}
    chosen = sorted(targets, key=lambda record: (urgency.get(record.status, 2), record.index))[:MOST_ROWS]
    return sorted(chosen, key=lambda record: record.index)


def _cell(record: EventRecord | None, now: float, *, expected: bool) -> Text:
    if record is None:
        return Text(*MARKS[EventStatus.PENDING]) if expected else Text()
    mark, style = MARKS[record.status]
    if record.status is EventStatus.IN_PROGRESS and record.start_time and now - record.start_time >= 1:
        mark = f"{mark} {now - record.start_time:.0f}s"
    return Text(mark, style=style)


def _words(view: DeploymentView) -> list[RenderableType]:
    lines = [Text(f"{target_id}: {word}", style="yellow") for target_id, word in view.words.items()]
    more = len(lines) - MOST_WORDS
    return [*lines[:MOST_WORDS], *([Text(f"… and {more} more agents", style="yellow")] if more > 0 else [])]


def _failures(view: DeploymentView) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for record in view.targets:
        for event, held in record.events.items():
            if held.status is EventStatus.FAILED and held.diagnostics and len(lines) < 5:
                problem = held.diagnostics
                where = f"{record.target.target_id} {event}" + (
                    f" {problem.script_name}" if problem.script_name else ""
                )
                lines.append(Text(f"{where}: {problem.error_code}: {problem.message}", style="red"))
                lines.extend(Text(f"  {line}", style="dim") for line in problem.log_tail.splitlines()[-6:])
    lines.extend(Text(f"  {line}", style="dim") for line in view.tail)
    return lines


SHORT_NAMES: dict[Event, str] = {
    Event.APPLICATION_STOP: "Stop",
    Event.DOWNLOAD_BUNDLE: "Down\nload",
    Event.APPLICATION_START: "Start",
    Event.VALIDATE_SERVICE: "Vali\ndate",
}


SHORTEST_NAMES: dict[Event, str] = {
    Event.BEFORE_BLOCK_TRAFFIC: "pre\nBlock",
    Event.BLOCK_TRAFFIC: "\nBlock",
    Event.AFTER_BLOCK_TRAFFIC: "post\nBlock",
    Event.APPLICATION_STOP: "\nStop",
    Event.DOWNLOAD_BUNDLE: "Down\nload",
    Event.BEFORE_INSTALL: "pre\nInst",
    Event.INSTALL: "\nInst",
    Event.AFTER_INSTALL: "post\nInst",
    Event.APPLICATION_START: "\nStart",
    Event.VALIDATE_SERVICE: "Vali\ndate",
    Event.BEFORE_ALLOW_TRAFFIC: "pre\nAllow",
    Event.ALLOW_TRAFFIC: "\nAllow",
    Event.AFTER_ALLOW_TRAFFIC: "post\nAllow",
}
"""Where a load balancer makes them thirteen."""
FEW_EVENTS = 7


def short_name(event: Event) -> str:
    """An event's name as a narrow column head."""
    return SHORT_NAMES.get(event) or "\n".join(re.findall("[A-Z][a-z]*", event.value))


def shortest_name(event: Event) -> str:
    """An event's name as a column head of at most five letters."""
    return SHORTEST_NAMES.get(event) or short_name(event)


def final_line(deployment: Deployment) -> str:
    """The last word on a deployment; the picture above it says why."""
    return f"{deployment.deployment_id} {deployment.status.lower()}"
