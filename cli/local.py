"""`slipway local`: a revision's lifecycle on this very machine, with no server and no broker.

The counterpart of codedeploy-local: it keeps its pointers and cleanup records between runs.
"""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path

import click

from cli.world import json_option
from domain.appspec import FileExistsBehavior
from domain.keeping import Restoring
from domain.reports import AgentReport, EventStatus, HostReport, LogLines, Outcome
from workflows.ids import deployment_id_of
from workflows.local import local_events

DEFAULT_GROUP = "default-local-deployment-group"
BEHAVIORS = click.Choice([behavior.value for behavior in FileExistsBehavior], case_sensitive=False)


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--root", type=click.Path(path_type=Path), default=Path("/"), help="A prefix for every destination.")
@click.option("--state", type=click.Path(path_type=Path), help="Where records are kept; <home>/local otherwise.")
@click.option("--events", "wanted", metavar="a,b,…", help="Only these lifecycle events, in this order.")
@click.option("--file-exists-behavior", type=BEHAVIORS, default="DISALLOW", show_default=True)
@click.option("--group", default=DEFAULT_GROUP, show_default=True, help="Whose records to use.")
@click.option("--appspec", "appspec_filename", help="The name of the AppSpec file.")
@click.option("--restore-overwritten", is_flag=True, help="Keep what of others OVERWRITE replaces.")
@click.option("--rollback", is_flag=True, help="Give back all that is kept, but for what SOURCE has itself.")
@json_option
def local(
    source: Path,
    root: Path,
    state: Path | None,
    wanted: str | None,
    file_exists_behavior: str,
    group: str,
    appspec_filename: str | None,
    restore_overwritten: bool,
    rollback: bool,
    as_json: bool,
) -> None:
    """Run the lifecycle of SOURCE, a directory or an archive, on this machine."""
    from config.settings import load_settings
    from workers.local import local_order, run_local

    settings = load_settings()
    events = local_events(wanted)
    order = local_order(
        source,
        deployment_id=f"{deployment_id_of(secrets.token_bytes(16))}-local",
        group=group,
        behavior=FileExistsBehavior(file_exists_behavior.upper()),
        appspec_filename=appspec_filename,
        final_event=events[-1],
        restoring=_restoring(rollback=rollback) if restore_overwritten or rollback else None,
    )
    agent = settings.agent.model_copy(
        update={"root": root.resolve(), "state": (state or settings.home / "local").resolve(), "local_revisions": True}
    )
    root.mkdir(parents=True, exist_ok=True)
    report = run_local(agent, order, events, tell=_silent if as_json else _show)
    _finish(report, as_json=as_json)


def _restoring(*, rollback: bool) -> Restoring:
    return Restoring(began=time.time(), back_to=0.0 if rollback else None)


def _silent(_report: AgentReport) -> None:
    return


def _show(report: AgentReport) -> None:
    if isinstance(report, LogLines):
        for line in report.lines:
            click.echo(f"  {line}")


def _finish(report: HostReport, *, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps({"deploymentId": report.order.deployment_id, "events": [_as_json(o) for o in report.outcomes]})
        )
    else:
        for outcome in report.outcomes:
            click.echo(_line(outcome))
    raise SystemExit(1 if report.failed else 0)


def _as_json(outcome: Outcome) -> dict[str, object]:
    return outcome.model_dump(mode="json", exclude_none=True)


def _line(outcome: Outcome) -> str:
    took = f"{outcome.end_time - outcome.start_time:.3f}s" if outcome.end_time and outcome.start_time else ""
    line = f"{outcome.event:<20} {outcome.status:<10} {took}"
    if outcome.status is EventStatus.FAILED and outcome.diagnostics:
        problem = outcome.diagnostics
        line += f"\n  {problem.error_code}: {problem.message}\n" + "\n".join(
            f"  {text}" for text in problem.log_tail.splitlines()
        )
    return line.rstrip()
