"""Commands that start and stop deployments."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from cli.following import follow
from cli.resources import tag_of
from cli.world import F, answer, json_option, settings, world
from domain.appspec import FileExistsBehavior
from domain.deployments import CreateDeployment, WaitType
from domain.errors import TargetInstancesRequired
from domain.group_options import AlarmConfiguration
from domain.groups import TagFilter, TargetInstances
from domain.revisions import BundleLocation, LocalLocation, RevisionLocation, RevisionType
from tasks.admitting import create_deployment
from workflows.resources import check_target_instances
from workflows.tokens import of_caller

BEHAVIORS = click.Choice([behavior.value for behavior in FileExistsBehavior], case_sensitive=False)


def green_options(command: F) -> F:
    """`--green` and `--green-environment`: which hosts a blue/green deployment to hosts that exist goes to."""
    tags = click.option(
        "--green", multiple=True, metavar="KEY=VALUE", help="Blue/green: the replacement hosts carry this tag."
    )
    environments = click.option(
        "--green-environment", multiple=True, metavar="NAME", help="Blue/green: they are in this environment."
    )
    return tags(environments(command))


@click.command()
@click.argument("source")
@click.option("--group", required=True, metavar="APPLICATION/GROUP", help="Where to deploy to.")
@click.option("--config", help="The deployment configuration, if not the group's own.")
@click.option("--description", help="A note, at most 256 characters.")
@click.option("--file-exists-behavior", type=BEHAVIORS, help="What to do where a file exists already.")
@click.option("--ignore-application-stop-failures", is_flag=True, help="Go on where ApplicationStop fails.")
@click.option("--update-outdated-instances-only", is_flag=True, help="Leave hosts that have the revision alone.")
@green_options
@click.option(
    "--without-alarms", is_flag=True, help="Watch none of the group's alarms, as for a mend while one is active."
)
@click.option("--in-place-source", is_flag=True, help="Do not upload: every host reads SOURCE from its own disk.")
@click.option("--token", help="A second call with the same token answers with the first one's deployment.")
@click.option("--watch", is_flag=True, help="Follow the deployment until it ends; exit 1 unless it succeeds.")
@json_option
def deploy(
    source: str,
    group: str,
    config: str | None,
    description: str | None,
    file_exists_behavior: str | None,
    ignore_application_stop_failures: bool,
    update_outdated_instances_only: bool,
    green: tuple[str, ...],
    green_environment: tuple[str, ...],
    without_alarms: bool,
    in_place_source: bool,
    token: str | None,
    watch: bool,
    as_json: bool,
) -> None:
    """Deploy SOURCE to a deployment group.

    It is a directory or an archive (.zip, .tar, .tgz) that is uploaded, or lies elsewhere already:

    \b
    s3://bucket/key.tgz?version=…&etag=…
    github:owner/name@commit//folder
    https://host/path.tgz#sha256=…&subfolder=…
    """
    application, _, name = group.partition("/")
    if not name:
        raise click.UsageError(f"--group {group}: write APPLICATION/GROUP")
    request = CreateDeployment(
        application_name=application,
        deployment_group_name=name,
        revision=_revision(source, in_place=in_place_source),
        deployment_config_name=config,
        description=description,
        file_exists_behavior=file_exists_behavior.upper() if file_exists_behavior else None,
        ignore_application_stop_failures=ignore_application_stop_failures,
        update_outdated_instances_only=update_outdated_instances_only,
        target_instances=_green(green, green_environment),
        override_alarm_configuration=AlarmConfiguration(enabled=False) if without_alarms else None,
        client_request_token=of_caller(token),
    )
    deployment_id = _create(request)
    if watch:
        raise SystemExit(follow(world(), deployment_id, as_json=as_json))
    answer({"deploymentId": deployment_id}, deployment_id, as_json=as_json)


def _create(request: CreateDeployment) -> str:
    """The id of the new deployment; where the green hosts are not named, the error says by which options they are."""
    try:
        return create_deployment(world(), request)
    except TargetInstancesRequired as error:
        how = "Name them with --green KEY=VALUE or --green-environment NAME."
        raise TargetInstancesRequired(f"{error.message} {how}") from None


def _green(tags: Sequence[str], environments: Sequence[str]) -> TargetInstances | None:
    if not tags and not environments:
        return None
    filters = tuple(TagFilter(key=key, value=value) for key, value in map(tag_of, tags))
    wanted = TargetInstances(tag_filters=filters, auto_scaling_groups=tuple(environments))
    check_target_instances(wanted)
    return wanted


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "_as_json", is_flag=True, help="The same: a revision is always printed as JSON.")
def push(source: Path, _as_json: bool) -> None:
    """Put SOURCE into the bundle store without deploying it; prints the revision as JSON, for a trigger message."""
    click.echo(upload(source).model_dump_json(exclude_none=True))


def upload(source: Path) -> RevisionLocation:
    """Put a directory or an archive into the bundle store; where it lies then."""
    from adapters.revisions.pack import hash_file, pack_directory
    from adapters.revisions.upload import upload_bundle
    from domain.bundles import BundleType, bundle_type_of

    bundles = settings().bundles
    with tempfile.TemporaryDirectory(prefix="slipway-") as scratch:
        if source.is_dir():
            kind, bundle = BundleType.TGZ, Path(scratch) / "bundle.tgz"
            sha256 = pack_directory(source, bundle, kind)
        else:
            kind, bundle = bundle_type_of(source.name), source
            sha256 = hash_file(source)
        upload_bundle(bundles.base_url, bundles.token.get_secret_value(), bundle, sha256)
    location = BundleLocation.model_validate({"sha256": sha256, "bundleType": kind.value})
    return RevisionLocation(revision_type=RevisionType.BUNDLE, bundle_location=location)


def _revision(source: str, *, in_place: bool) -> RevisionLocation:
    from workflows.source_text import FORMS, revision_from

    named = revision_from(source)
    path = Path(source)
    if named is None and not path.exists():
        raise click.UsageError(f"there is no {source} here; a SOURCE elsewhere is written {FORMS}")
    if named is None:
        return _local(path) if in_place else upload(path)
    if in_place:
        raise click.UsageError(f"--in-place-source is for paths, and {source.partition(':')[0]} names another place")
    return named


def _local(source: Path) -> RevisionLocation:
    from domain.bundles import bundle_type_of

    kind = "directory" if source.is_dir() else bundle_type_of(source.name).value
    location = LocalLocation.model_validate({"path": str(source.resolve()), "bundleType": kind})
    return RevisionLocation(revision_type=RevisionType.LOCAL, local_location=location)


@click.command()
@click.argument("deployment_id")
@click.option("--now", is_flag=True, help="End the scripts that run at this moment as well.")
@click.option("--rollback/--no-rollback", default=None, help="Whether to roll back; the group's own rule otherwise.")
@json_option
def stop(deployment_id: str, now: bool, rollback: bool | None, as_json: bool) -> None:
    """Stop a deployment: nothing new starts, hosts skip the events they have not begun."""
    from tasks.steering import stop as stop_deployment

    stopped = stop_deployment(world(), deployment_id, now=now, rollback=rollback)
    state = "Succeeded" if stopped.status.final else "Pending"
    text = f"{deployment_id} is stopped" if stopped.status.final else f"{deployment_id} is stopping"
    answer({"status": state, "statusMessage": text}, text, as_json=as_json)


@click.command(name="continue")
@click.argument("deployment_id")
@click.option("--terminate", is_flag=True, help="End the wait before the original hosts are terminated.")
@json_option
def continue_deployment(deployment_id: str, terminate: bool, as_json: bool) -> None:
    """Let a blue/green deployment that is Ready shift traffic to the replacement hosts."""
    from tasks.steering import go_on

    wait = WaitType.TERMINATION_WAIT if terminate else WaitType.READY_WAIT
    go_on(world(), deployment_id, wait)
    answer({"deploymentId": deployment_id, "continued": wait.value}, f"{deployment_id} goes on", as_json=as_json)


@click.command()
@click.argument("group", metavar="APPLICATION/GROUP")
@click.option("--to", metavar="DEPLOYMENT", help="Deploy the revision of this deployment.")
@green_options
@click.option("--watch", is_flag=True, help="Follow the deployment until it ends; exit 1 unless it succeeds.")
@json_option
def rollback(
    group: str,
    to: str | None,
    green: tuple[str, ...],
    green_environment: tuple[str, ...],
    watch: bool,
    as_json: bool,
) -> None:
    """Deploy an earlier revision to a deployment group: the last good one or, if that is what the group has, the one
    before it."""
    from tasks.rolling_back import revision_to_return_to
    from workflows.source_text import text_of

    application, _, name = group.partition("/")
    if not name:
        raise click.UsageError(f"{group}: write APPLICATION/GROUP")
    earlier = revision_to_return_to(world(), application, name, to=to)
    request = CreateDeployment(
        application_name=application,
        deployment_group_name=name,
        revision=earlier.revision,
        file_exists_behavior=earlier.file_exists_behavior,
        description=f"Rollback to {earlier.deployment_id}",
        target_instances=_green(green, green_environment),
        # The alarm may be active for what this mends.
        override_alarm_configuration=AlarmConfiguration(enabled=False),
        back_to=earlier.began,
    )
    deployment_id = _create(request)
    # Beside the answer: programs take the id alone for theirs.
    click.echo(f"it returns to the revision of {earlier.deployment_id}: {text_of(earlier.revision)}", err=True)
    if watch:
        raise SystemExit(follow(world(), deployment_id, as_json=as_json))
    answer({"deploymentId": deployment_id, "rollbackTo": earlier.deployment_id}, deployment_id, as_json=as_json)
