"""Commands that look: status, list and logs."""

from __future__ import annotations

import json
import time

import click
from rich.console import Console
from rich.table import Table

from cli.following import as_json_value, follow, look
from cli.world import json_option, site, world
from console.grid import draw
from domain.errors import DeploymentTargetDoesNotExist
from domain.lifecycle import Event
from domain.values import Instant


@click.command()
@click.argument("deployment_id")
@click.option("--watch", is_flag=True, help="Follow until the deployment ends; exit 1 unless it succeeds.")
@json_option
def status(deployment_id: str, watch: bool, as_json: bool) -> None:
    """Show a deployment: its hosts by lifecycle events, and why any failed."""
    if watch:
        raise SystemExit(follow(world(), deployment_id, as_json=as_json))
    view = look(world(), deployment_id)
    if as_json:
        click.echo(json.dumps(as_json_value(view), indent=2))
    else:
        Console().print(draw(view))


@click.command(name="list")
@click.option("--group", metavar="APPLICATION/GROUP", help="Only this group's deployments.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@json_option
def list_deployments(group: str | None, limit: int, as_json: bool) -> None:
    """List deployments, newest first."""
    from api.operations import finding

    here = world()
    group_id = None
    if group is not None:
        application, _, name = group.partition("/")
        if not name:
            raise click.UsageError(f"--group {group}: write APPLICATION/GROUP")
        held = finding.group(site(), finding.application(site(), application), name)
        group_id = held.deployment_group_id
    recent = here.store.recent(group_id=group_id, limit=limit)
    found = [d for d in here.store.deployments([deployment_id for _, deployment_id in recent]) if d]
    if as_json:
        shown = {"deployment_id", "application_name", "deployment_group_name", "status", "create_time", "complete_time"}
        click.echo(json.dumps([d.model_dump(mode="json", include=shown) for d in found], indent=2))
        return
    table = Table(box=None, header_style="dim")
    for head in ("deployment", "group", "status", "created", "seconds"):
        table.add_column(head)
    for d in found:
        seconds = f"{d.complete_time - d.create_time:.1f}" if d.complete_time else ""
        table.add_row(
            d.deployment_id, f"{d.application_name}/{d.deployment_group_name}", d.status, _clock(d.create_time), seconds
        )
    Console().print(table)


def _clock(at: Instant) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


@click.command()
@click.argument("deployment_id")
@click.argument("host")
@click.argument("event", required=False, type=click.Choice([event.value for event in Event]))
@click.option("--follow", "keep_on", is_flag=True, help="Print lines as they come, until the host is done.")
@json_option
def logs(deployment_id: str, host: str, event: str | None, keep_on: bool, as_json: bool) -> None:
    """Print what the scripts of HOST wrote, of one EVENT or of all."""
    here = world()
    printed: dict[str, int] = {}
    while True:
        view = look(here, deployment_id)
        record = here.store.target(deployment_id, host)
        if record is None and (view.deployment.phases or view.deployment.status.final):
            raise DeploymentTargetDoesNotExist(f"The deployment {deployment_id} has no target {host}.")
        ended = view.deployment.status.final or (record is not None and record.status.final)
        for name in [event] if event else [e.value for e in view.events]:
            _print_new(deployment_id, host, name, printed, as_json=as_json)
        if ended or not keep_on:
            return
        time.sleep(0.2)


def _print_new(deployment_id: str, host: str, event: str, printed: dict[str, int], *, as_json: bool) -> None:
    seen = printed.get(event, 0)
    for chunk in world().store.log(deployment_id, host, event, after=seen):
        if chunk.dropped:
            click.echo(f"… {chunk.dropped} bytes left out …", err=True)
        for number, line in enumerate(chunk.lines, start=chunk.first):
            if number >= seen:
                shown = json.dumps({"event": event, "line": number, "text": line}) if as_json else line
                click.echo(shown)
                seen = number + 1
    printed[event] = seen
