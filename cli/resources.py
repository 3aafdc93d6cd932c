"""Commands that make what deployments need: applications, deployment groups, configurations, registered hosts. They
call the API's own operations."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from cli.world import answer, json_option, site
from domain.configs import ONE_AT_A_TIME
from domain.errors import InvalidTag
from domain.groups import Busy, DeploymentGroup
from workflows.resources import check_instance

F = TypeVar("F", bound=Callable[..., Any])

_ROLLBACK_EVENTS = {
    "failure": "DEPLOYMENT_FAILURE",
    "alarm": "DEPLOYMENT_STOP_ON_ALARM",
    "stop": "DEPLOYMENT_STOP_ON_REQUEST",
}

OWN_MEMBERS = ("busy", "event_seconds", "appspec_filename", "restore_overwritten")
"""Members of a deployment group that CodeDeploy's API does not know."""


def own_options(command: F) -> F:
    """The options for these members; None where one is not given."""
    options = (
        click.option("--queue/--no-queue", default=None, help="Queue a second deployment rather than refuse it."),
        click.option(
            "--event-seconds",
            type=click.IntRange(min=0),
            help="The limit of one lifecycle event; 0: as the settings say.",
        ),
        click.option(
            "--appspec", "appspec_filename", help="The name of the AppSpec file, where it is not appspec.yml."
        ),
        click.option(
            "--restore-overwritten/--no-restore-overwritten",
            default=None,
            help="A rollback brings back others' files that OVERWRITE replaced.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


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
@click.option(
    "--environment", multiple=True, metavar="NAME", help="Target the hosts of this Auto Scaling group or environment."
)
@click.option(
    "--load-balancer", "balancers", multiple=True, metavar="NAME", help="Take each host out of it before it is touched."
)
@click.option("--alarm", "alarms", multiple=True, metavar="NAME", help="Stop deployments while this alarm is active.")
@click.option(
    "--blue-green",
    type=click.Choice(["found", "made"]),
    help="Deploy to replacement hosts that each deployment names, or that are made for it.",
)
@click.option("--ready-wait", type=int, metavar="MINUTES", help="Blue/green: wait for `slipway continue`.")
@click.option("--terminate-after", type=int, metavar="MINUTES", help="Blue/green: then terminate the original hosts.")
@click.option(
    "--rollback-on",
    multiple=True,
    type=click.Choice(sorted(_ROLLBACK_EVENTS)),
    help="Roll back by itself after a failure, an alarm, or a stop by request.",
)
@own_options
@json_option
def create_group(
    application: str,
    name: str,
    tags: tuple[str, ...],
    config: str,
    environment: tuple[str, ...],
    balancers: tuple[str, ...],
    alarms: tuple[str, ...],
    blue_green: str | None,
    ready_wait: int | None,
    terminate_after: int | None,
    rollback_on: tuple[str, ...],
    as_json: bool,
    **ours: Any,
) -> None:
    """Create the deployment group NAME of APPLICATION, for the registered hosts that carry a tag."""
    from api.operations.groups import add_group

    given = {
        "applicationName": application,
        "deploymentGroupName": name,
        "deploymentConfigName": config,
        "onPremisesInstanceTagFilters": [_filter(tag) for tag in tags],
        "autoScalingGroups": list(environment) or None,
        "alarmConfiguration": {"enabled": True, "alarms": [{"name": each} for each in alarms]} if alarms else None,
        **_traffic(balancers),
        **_rollback(rollback_on),
        **_blue_green(blue_green, ready_wait, terminate_after),
    }
    made = add_group(site(), given, _ours(**ours))
    text = f"created deployment group {application}/{name}"
    answer({"deploymentGroupId": made.deployment_group_id}, text, as_json=as_json)


@click.command()
@click.argument("application")
@click.argument("name")
@own_options
@json_option
def update_group(application: str, name: str, as_json: bool, **ours: Any) -> None:
    """Change what CodeDeploy's own update-deployment-group does not know of the deployment group NAME of APPLICATION,
    for deployments to come. Without options: show it."""
    from api.operations import finding, groups

    changes = _ours(**ours)
    if changes:
        named = {"applicationName": application, "currentDeploymentGroupName": name}
        group, left = groups.update_group(site(), named, changes)
    else:
        group, left = finding.group(site(), finding.application(site(), application), name), []
    shown = group.model_dump(by_alias=True, mode="json", include=set(OWN_MEMBERS))
    text = f"{application}/{name}: {_said_of(group)}"
    if left:
        shown["hooksNotCleanedUp"] = left
        text += f"\nlifecycle hooks that could not be removed: {json.dumps(left)}"
    answer(shown, text, as_json=as_json)


def _ours(
    queue: bool | None, event_seconds: int | None, appspec_filename: str | None, restore_overwritten: bool | None
) -> dict[str, Any]:
    """The members that were given."""
    given = {
        "busy": queue if queue is None else Busy.QUEUE if queue else Busy.REFUSE,
        "appspecFilename": appspec_filename,
        "restoreOverwritten": restore_overwritten,
    }
    limit = {} if event_seconds is None else {"eventSeconds": event_seconds or None}
    return {**limit, **{member: value for member, value in given.items() if value is not None}}


def _said_of(group: DeploymentGroup) -> str:
    limit = f"{group.event_seconds} s for an event" if group.event_seconds else "the settings' limit for an event"
    second = "queued" if group.busy is Busy.QUEUE else "refused"
    restoring = "restored" if group.restore_overwritten else "left as they are"
    return (
        f"{limit}; a second deployment is {second}; AppSpec file {group.appspec_filename or 'appspec.yml'}; "
        f"files that OVERWRITE replaced are {restoring} by a rollback"
    )


def _rollback(causes: tuple[str, ...]) -> dict[str, Any]:
    if not causes:
        return {}
    return {"autoRollbackConfiguration": {"enabled": True, "events": [_ROLLBACK_EVENTS[cause] for cause in causes]}}


def _traffic(balancers: tuple[str, ...]) -> dict[str, Any]:
    if not balancers:
        return {}
    return {
        "deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        "loadBalancerInfo": {"targetGroupInfoList": [{"name": name} for name in balancers]},
    }


def _blue_green(how: str | None, ready_wait: int | None, terminate_after: int | None) -> dict[str, Any]:
    if how is None:
        if ready_wait is not None or terminate_after is not None:
            raise click.UsageError("--ready-wait and --terminate-after are for --blue-green")
        return {}
    ready: dict[str, Any] = {"actionOnTimeout": "CONTINUE_DEPLOYMENT"}
    if ready_wait is not None:
        ready = {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": ready_wait}
    ending: dict[str, Any] = {"action": "KEEP_ALIVE"}
    if terminate_after is not None:
        ending = {"action": "TERMINATE", "terminationWaitTimeInMinutes": terminate_after}
    action = "DISCOVER_EXISTING" if how == "found" else "COPY_AUTO_SCALING_GROUP"
    return {
        "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        "blueGreenDeploymentConfiguration": {
            "greenFleetProvisioningOption": {"action": action},
            "deploymentReadyOption": ready,
            "terminateBlueInstancesOnDeploymentSuccess": ending,
        },
    }


@click.command()
@click.argument("name")
@click.option("--host-count", type=int, help="Keep at least so many hosts healthy.")
@click.option("--fleet-percent", type=int, help="Keep at least this share of the hosts healthy, 0 to 99.")
@click.option("--by-zone", is_flag=True, help="Go zone by zone.")
@click.option("--zone-host-count", type=int, help="By zone: keep at least so many hosts of each healthy.")
@click.option("--zone-fleet-percent", type=int, help="By zone: keep at least this share of each healthy.")
@click.option("--monitor", type=int, metavar="SECONDS", help="By zone: look on for so long before the next.")
@click.option("--monitor-first", type=int, metavar="SECONDS", help="By zone: and for so long after the first.")
@json_option
def create_config(
    name: str,
    host_count: int | None,
    fleet_percent: int | None,
    by_zone: bool,
    zone_host_count: int | None,
    zone_fleet_percent: int | None,
    monitor: int | None,
    monitor_first: int | None,
    as_json: bool,
) -> None:
    """Create the deployment configuration NAME: how many hosts stay healthy at any time."""
    from api.operations.configs import create_deployment_config

    minimum = _minimum(host_count, fleet_percent)
    if minimum is None:
        raise click.UsageError("give exactly one of --host-count and --fleet-percent")
    zones = {
        "minimumHealthyHostsPerZone": _minimum(zone_host_count, zone_fleet_percent),
        "monitorDurationInSeconds": monitor or (0 if by_zone else None),
        "firstZoneMonitorDurationInSeconds": monitor_first,
    }
    zones = {member: value for member, value in zones.items() if value is not None}
    if zones and not by_zone:
        raise click.UsageError("what is said of zones needs --by-zone")
    made = create_deployment_config(
        site(),
        {"deploymentConfigName": name, "minimumHealthyHosts": minimum, "zonalConfig": zones if by_zone else None},
    )
    answer(made, f"created configuration {name}", as_json=as_json)


def _minimum(host_count: int | None, fleet_percent: int | None) -> dict[str, Any] | None:
    """A minimum of healthy hosts; None unless exactly one of the two is given."""
    if (host_count is None) == (fleet_percent is None):
        return None
    if host_count is not None:
        return {"type": "HOST_COUNT", "value": host_count}
    return {"type": "FLEET_PERCENT", "value": fleet_percent}


@click.command()
@click.argument("name")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag; several may be given.")
@json_option
def register(name: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Register the on-premises host NAME, whose agent runs as `slipway agent --id NAME`."""
    from api.operations import instances

    mine = dict(map(tag_of, tags))
    check_instance(name, mine)
    made = instances.register(site(), name, mine)
    answer({"instanceArn": made.arn}, f"registered {name}", as_json=as_json)


def tag_of(text: str) -> tuple[str, str]:
    """The key and value of a tag as it is written on the command line; raises InvalidTag."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InvalidTag(f"{text!r} is not a tag: write KEY=VALUE")
    return key, value


def _filter(text: str) -> dict[str, Any]:
    if "=" not in text:
        return {"Key": text, "Type": "KEY_ONLY"}
    key, value = tag_of(text)
    return {"Key": key, "Value": value, "Type": "KEY_AND_VALUE"}
