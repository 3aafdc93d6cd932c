"""Commands that make what deployments need: applications, deployment groups, configurations, registered hosts."""

from __future__ import annotations

import secrets
import string
import uuid

import click

from cli.world import answer, json_option, settings, world
from domain.applications import Application
from domain.configs import ONE_AT_A_TIME, PREDEFINED, DeploymentConfig, MinimumHealthyHosts, MinimumHealthyHostsType
from domain.errors import (
    ApplicationAlreadyExists,
    DeploymentConfigAlreadyExists,
    DeploymentGroupAlreadyExists,
    InstanceNameAlreadyRegistered,
    InvalidTag,
)
from domain.fleet import Instance, TargetKind
from domain.groups import Busy, DeploymentGroup, TagFilter, TagFilterType
from workflows import admission, resources


@click.command()
@click.argument("name")
@json_option
def create_application(name: str, as_json: bool) -> None:
    """Create the application NAME."""
    here = world()
    made = Application(application_id=str(uuid.uuid4()), application_name=name, create_time=here.now())
    resources.check_application_name(name)
    if not here.store.applications.add(name, made):
        raise ApplicationAlreadyExists(f"An application with the name {name} exists already; choose another name.")
    answer({"applicationId": made.application_id}, f"created application {name}", as_json=as_json)


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
    here = world()
    made = DeploymentGroup(
        application_name=application,
        deployment_group_id=str(uuid.uuid4()),
        deployment_group_name=name,
        deployment_config_name=config,
        on_premises_instance_tag_filters=tuple(map(_filter, tags)),
        create_time=here.now(),
        busy=Busy.QUEUE if queue else Busy.REFUSE,
        event_seconds=event_seconds,
        appspec_filename=appspec_filename,
    )
    resources.check_group(
        made,
        application=here.store.applications.get(application) is not None,
        config=config in PREDEFINED or here.store.configs.get(config) is not None,
    )
    if not here.store.groups.add(made.key, made):
        raise DeploymentGroupAlreadyExists(f"The application {application} has a deployment group {name} already.")
    answer({"deploymentGroupId": made.deployment_group_id}, f"created deployment group {made.key}", as_json=as_json)


@click.command()
@click.argument("name")
@click.option("--host-count", type=int, help="Keep at least so many hosts healthy.")
@click.option("--fleet-percent", type=int, help="Keep at least this share of the hosts healthy, 0 to 99.")
@json_option
def create_config(name: str, host_count: int | None, fleet_percent: int | None, as_json: bool) -> None:
    """Create the deployment configuration NAME: how many hosts stay healthy at any time."""
    if (host_count is None) == (fleet_percent is None):
        raise click.UsageError("give exactly one of --host-count and --fleet-percent")
    here = world()
    minimum = (
        MinimumHealthyHosts(type=MinimumHealthyHostsType.HOST_COUNT, value=host_count)
        if host_count is not None
        else MinimumHealthyHosts(type=MinimumHealthyHostsType.FLEET_PERCENT, value=fleet_percent or 0)
    )
    made = DeploymentConfig(
        deployment_config_name=name,
        deployment_config_id=str(uuid.uuid4()),
        minimum_healthy_hosts=minimum,
        create_time=here.now(),
    )
    resources.check_config(made)
    if not here.store.configs.add(name, made):
        raise DeploymentConfigAlreadyExists(f"A deployment configuration {name} exists already; choose another name.")
    answer({"deploymentConfigId": made.deployment_config_id}, f"created configuration {name}", as_json=as_json)


@click.command()
@click.argument("name")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag; several may be given.")
@json_option
def register(name: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Register the on-premises host NAME, whose agent runs as `slipway agent --id NAME`."""
    here = world()
    suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(10))
    made = Instance(
        instance_id=name,
        kind=TargetKind.ON_PREMISES,
        arn=admission.instance_arn(settings().region, settings().account_id, name, suffix),
        tags=dict(map(_tag, tags)),
        register_time=here.now(),
    )
    resources.check_instance(name, made.tags)
    if not here.store.instances.add(name, made):
        raise InstanceNameAlreadyRegistered(f"An on-premises instance {name} is registered already.")
    answer({"instanceArn": made.arn}, f"registered {name}", as_json=as_json)


def _tag(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InvalidTag(f"{text!r} is not a tag: write KEY=VALUE")
    return key, value


def _filter(text: str) -> TagFilter:
    if "=" not in text:
        return TagFilter(key=text, type=TagFilterType.KEY_ONLY)
    key, value = _tag(text)
    return TagFilter(key=key, value=value, type=TagFilterType.KEY_AND_VALUE)
