"""`slipway up`: a whole installation on one machine, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from cli.world import answer, json_option, settings
from config.endpoint import aws_variables, read_endpoint


@click.command()
@click.option("--agent", "agents", multiple=True, metavar="HOST", help="Run a simulated host with a root of its own.")
@click.option("--flower/--no-flower", default=True, show_default=True, help="Run the Flower dashboard.")
@click.option("--home", type=click.Path(path_type=Path), help="Where everything is kept; .slipway otherwise.")
@json_option
def up(agents: tuple[str, ...], flower: bool, home: Path | None, as_json: bool) -> None:
    """Run Redis, bundle store, API, control, trigger, watch, Flower and, with a queue, scaling on this machine."""
    from workers.installation import Installation

    mine = settings() if home is None else settings().model_copy(update={"home": home})
    running = read_endpoint(mine.home)
    if running is not None:
        raise click.UsageError(f"an installation runs in {mine.home} already (process {running.pid})")
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    installation = Installation(mine, agents=agents, flower=flower)
    try:
        endpoint = installation.start()
        text = f"Slipway runs; its data and logs are in {mine.home}. End it with Ctrl-C."
        text += f"\nAPI: {endpoint.api_url}, with the credentials in these files:"
        text += "".join(f"\n  export {name}={value}" for name, value in aws_variables(mine.home).items())
        if endpoint.flower_url:
            text += f"\nFlower: {endpoint.flower_url}"
        where = {
            "home": str(mine.home),
            "apiUrl": endpoint.api_url,
            "bundlesUrl": endpoint.bundles_url,
            "flowerUrl": endpoint.flower_url,
        }
        answer({**where, "pid": endpoint.pid}, text, as_json=as_json)
        installation.supervisor.watch(end)
    finally:
        installation.stop()
