"""The long-running processes, one command each. `slipway up` starts them all on one machine."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import click

from cli.world import answer, json_option, settings
from config.logs import start_logging
from config.settings import Settings

EC2 = "ec2"
"""The id that stands for the one of the EC2 instance on which the agent runs."""


def _end_on_signals() -> threading.Event:
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    return end


json_logs = click.option("--json", "as_json", is_flag=True, help="Log JSON, one object a line.")


def _settings_of_service(process: str, as_json: bool) -> Settings:
    given = settings()
    start_logging(given.log_level, as_json=as_json, about={"process": process})
    return given


@click.command()
@click.option("--name", help="The worker's name in Flower, if not control@<this machine>.")
@click.option(
    "--queue",
    "queues",
    multiple=True,
    type=click.Choice(["control", "traffic"]),
    default=("control", "traffic"),
    help="What it works on, if not both: deployments, or hosts at their load balancers.",
)
@json_logs
def control(name: str | None, queues: tuple[str, ...], as_json: bool) -> None:
    """Run the engine: a Celery worker that moves deployments. Start as many as needed.

    Where load balancers are slow to answer, give their queue workers of its own.
    """
    from workers.control import run_control

    process = "traffic" if queues == ("traffic",) else "control"
    raise SystemExit(run_control(_settings_of_service(process, as_json), name=name, process=process, queues=queues))


@click.command()
@click.option(
    "--id",
    "host",
    help="The host's id, as registered, or `ec2` for the instance's id; SLIPWAY_AGENT__HOST_ID otherwise.",
)
@click.option("--root", type=click.Path(path_type=Path), help="The prefix of every destination; / on a real host.")
@click.option("--state", type=click.Path(path_type=Path), help="Where the agent keeps revisions and records.")
@json_logs
def agent(host: str | None, root: Path | None, state: Path | None, as_json: bool) -> None:
    """Run the agent of a host: it installs what its queue tells it to."""
    from workers.agent import run_agent

    given = _settings_of_service("agent", as_json)
    chosen = host or given.agent.host_id
    if not chosen:
        raise click.UsageError("which host is this? give --id NAME or set SLIPWAY_AGENT__HOST_ID")
    if chosen == EC2:
        from adapters.host.instance_metadata import fetch_instance_id

        chosen = fetch_instance_id(given.agent.metadata_url)
    start_logging(given.log_level, as_json=as_json, about={"process": "agent", "host": chosen})
    update: dict[str, object] = {"host_id": chosen}
    if root is not None:
        update["root"] = root.resolve()
        root.mkdir(parents=True, exist_ok=True)
    if state is not None:
        update["state"] = state.resolve()
    mine = given.model_copy(update={"agent": given.agent.model_copy(update=update)})
    raise SystemExit(run_agent(mine, host=chosen))


@click.command()
@json_logs
def api(as_json: bool) -> None:
    """Serve the CodeDeploy API."""
    from workers.api import run_api

    run_api(_settings_of_service("api", as_json))


@click.command()
@json_logs
def trigger(as_json: bool) -> None:
    """Consume the trigger queue: each message starts a deployment, or stops one."""
    from tasks.admitting import create_deployment
    from tasks.steering import stop
    from workers.app import make_app
    from workers.trigger import run_trigger
    from workers.wiring import make_trigger_source, make_world

    mine = _settings_of_service("trigger", as_json)
    world = make_world(mine, make_app(mine, "client"))
    source = make_trigger_source(mine)
    try:
        run_trigger(
            source,
            lambda request: create_deployment(world, request),
            lambda request: stop(world, request.deployment_id, now=request.now, rollback=request.auto_rollback_enabled),
            stop=_end_on_signals(),
        )
    finally:
        source.close()


@click.command()
@json_logs
def watch(as_json: bool) -> None:
    """Watch over running deployments: find silent work, reap lost hosts."""
    from workers.app import make_app
    from workers.watch import run_watch
    from workers.wiring import make_world

    mine = _settings_of_service("watch", as_json)
    run_watch(make_world(mine, make_app(mine, "client")), _end_on_signals())


@click.command()
@json_logs
def scaling(as_json: bool) -> None:
    """Deploy to instances that Auto Scaling launches and terminates: each waits until it is done."""
    from workers.app import make_app
    from workers.scaling import run_scaling
    from workers.wiring import make_lifecycle_queue, make_world

    mine = _settings_of_service("scaling", as_json)
    world = make_world(mine, make_app(mine, "client"))
    queue = make_lifecycle_queue(mine)
    try:
        run_scaling(world, queue, _end_on_signals())
    finally:
        queue.close()


@click.command()
@json_logs
def bundles(as_json: bool) -> None:
    """Serve the bundle store to agents over HTTP."""
    from workers.bundles import run_bundles

    run_bundles(_settings_of_service("bundles", as_json))


@click.command()
@json_option
def flower(as_json: bool) -> None:
    """Run the Flower dashboard for this installation; says where before it becomes Flower's own process."""
    from workers.flower import flower_command, flower_environment, flower_url

    command = flower_command(settings())
    answer({"url": flower_url(settings())}, f"Flower: {flower_url(settings())}", as_json=as_json)
    sys.stdout.flush()
    os.execvpe(command[0], command, flower_environment(settings()))  # noqa: S606
