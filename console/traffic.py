"""Traffic as a person watches it: how many requests each version answered, how many were lost, and how long they took.

Draws values; counts nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

BAR = 30
"""Columns of a version that gets all requests."""


@dataclass(frozen=True, slots=True)
class TrafficView:
    """What is shown of a load: all of it so far, and how it goes at this moment."""

    asked: float
    """Requests a second that are to be sent."""
    rate: float
    """Requests a second that are sent at this moment."""
    answered: int
    failed: int
    p50: float
    p99: float
    worst: float
    versions: Mapping[str, int]
    """Answers so far, by version."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Answers a second at this moment, by version."""
    retried: int = 0
    late: int = 0
    """Requests that were sent later than they should have been."""
    reasons: Mapping[str, int] = field(default_factory=dict)


def draw_traffic(view: TrafficView) -> RenderableType:
    """The counter under the grid."""
    return Group(_headline(view), _versions(view))


def traffic_totals(view: TrafficView) -> str:
    """The last word on the requests of a load, in a line."""
    versions = ", ".join(f"{version}: {count:,}" for version, count in view.versions.items()) or "none answered"
    reasons = "; ".join(f"{count} × {reason}" for reason, count in view.reasons.items())
    return f"requests by version: {versions}; failed: {view.failed:,}" + (f" ({reasons})" if reasons else "")


def _headline(view: TrafficView) -> Text:
    line = Text("traffic  ", style="bold")
    line.append(f"{view.answered:,} ok", style="green")
    line.append("  ")
    line.append(f"{view.failed:,} failed", style="bold red" if view.failed else "bold green")
    if view.retried:
        line.append(f"  {view.retried:,} retried", style="yellow")
    line.append(f"  {view.rate:.0f}", style="" if view.rate >= 0.9 * view.asked else "yellow")
    latencies = f"p50 {_ms(view.p50)}  p99 {_ms(view.p99)}  worst {_ms(view.worst)}"
    line.append(f" of {view.asked:.0f}/s  {latencies}", style="dim")
    if view.late:
        line.append(f"  {view.late:,} sent late", style="yellow")
    if view.reasons:
        line.append("\n         " + ", ".join(f"{count} × {reason}" for reason, count in view.reasons.items()), "red")
    return line


def _versions(view: TrafficView) -> Table:
    table = Table.grid(padding=(0, 2))
    for version, count in view.versions.items():
        rate = view.rates.get(version, 0.0)
        bar = ProgressBar(total=max(view.asked, 1.0), completed=min(rate, view.asked), width=BAR)
        table.add_row(
            Text(f"  {version}", style="bold" if rate else "dim"),
            bar,
            Text(f"{rate:.0f}/s", justify="right", style="" if rate else "dim"),
            Text(f"{count:,} requests", justify="right", style="" if rate else "dim"),
        )
    return table


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
