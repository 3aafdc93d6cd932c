"""Commands that make what deployments need: applications, deployment groups, configurations, registered hosts. They
call the API's own operations."""

from __future__ import annotations

from typing import Any

import click

from cli.world import answer, json_option, site
from domain.configs import ONE_AT_A_TIME
from domain.errors import InvalidTag
from domain.groups import Busy
from workflows.resources import check_instance


@click.command()
@click.argument("name")
@json_option
def create_application(name: str, as_json: bool) -> None:
    """Create the application NAME."""
    from api.operations.applications import create_application as create

    made = create(site(), {"applicationName": name})
    answer(made, f"created application {name}", as_json=as_json)


@click.command()
@click.argument("application")
@click.argument("name")
@click.option(
    "--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Target hosts with this tag; several: any of them."
)
@click.option("--config", default=ONE_AT_A_TIME, show_default=True, help="The deployment configuration.")
@click.option("--queue", is_flag=True, help="Queue a second deployment rather than refuse it.")
@click.option("--event-seconds", type=click.IntRange(min=1), help="The limit of one lifecycle event.")
@click.option("--appspec", "appspec_filename", help="The name of the AppSpec file, where it is not appspec.yml.")
@json_option
def create_group(
    application: str,
    name: str,
    tags: tuple[str, ...],
    config: str,
    queue: bool,
    event_seconds: int | None,
    appspec_filename: str | None,
    as_json: bool,
) -> None:
    """Create the deployment group NAME of APPLICATION, for the registered hosts that carry a tag."""
    from api.operations.groups import add_group

    given = {
        "applicationName": application,
        "deploymentGroupName": name,
        "deploymentConfigName": config,
        "onPremisesInstanceTagFilters": [_filter(tag) for tag in tags],
    }
    ours = {
        "busy": Busy.QUEUE if queue else Busy.REFUSE,
        "eventSeconds": event_seconds,
        "appspecFilename": appspec_filename,
    }
    made = add_group(site(), given, ours)
    text = f"created deployment group {application}/{name}"
    answer({"deploymentGroupId": made.deployment_group_id}, text, as_json=as_json)


@click.command()
@click.argument("name")
@click.option("--host-count", type=int, help="Keep at least so many hosts healthy.")
@click.option("--fleet-percent", type=int, help="Keep at least this share of the hosts healthy, 0 to 99.")
@json_option
def create_config(name: str, host_count: int | None, fleet_percent: int | None, as_json: bool) -> None:
    """Create the deployment configuration NAME: how many hosts stay healthy at any time."""
    from api.operations.configs import create_deployment_config

    if (host_count is None) == (fleet_percent is None):
        raise click.UsageError("give exactly one of --host-count and --fleet-percent")
    minimum = (
        {"type": "HOST_COUNT", "value": host_count}
        if host_count is not None
        else {"type": "FLEET_PERCENT", "value": fleet_percent}
    )
    made = create_deployment_config(site(), {"deploymentConfigName": name, "minimumHealthyHosts": minimum})
    answer(made, f"created configuration {name}", as_json=as_json)


@click.command()
@click.argument("name")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag; several may be given.")
@json_option
def register(name: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Register the on-premises host NAME, whose agent runs as `slipway agent --id NAME`."""
    from api.operations import instances

    mine = dict(map(_tag, tags))
    check_instance(name, mine)
    made = instances.register(site(), name, mine)
    answer({"instanceArn": made.arn}, f"registered {name}", as_json=as_json)


def _tag(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InvalidTag(f"{text!r} is not a tag: write KEY=VALUE")
    return key, value


def _filter(text: str) -> dict[str, Any]:
    if "=" not in text:
        return {"Key": text, "Type": "KEY_ONLY"}
    key, value = _tag(text)
    return {"Key": key, "Value": value, "Type": "KEY_AND_VALUE"}
