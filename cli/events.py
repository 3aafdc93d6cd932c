"""The command that prints what Slipway tells the outside."""

from __future__ import annotations

import json
import time

import click

from cli.world import json_option, world
from domain.happenings import Happening


@click.command()
@click.option("--follow", "keep_on", is_flag=True, help="Go on printing as events come.")
@click.option("--deployment", help="Only events of this deployment.")
@json_option
def events(keep_on: bool, deployment: str | None, as_json: bool) -> None:
    """Print deployment and instance events, oldest first."""
    after = ""
    while True:
        page = world().store.history(after=after, limit=200)
        for cursor, happening in page:
            after = cursor
            if deployment in (None, happening.deployment_id):
                click.echo(_line(happening, as_json=as_json))
        if not page:
            if not keep_on:
                return
            time.sleep(0.3)


def _line(happening: Happening, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(happening.model_dump(mode="json", exclude_none=True))
    when = time.strftime("%H:%M:%S", time.localtime(happening.at))
    about = " ".join(filter(None, [happening.deployment_id, happening.instance_id, happening.failed_event]))
    why = f"  {happening.error_code}: {happening.error_message}" if happening.error_code else ""
    return f"{when}  {happening.type:<20} {about}{why}"
