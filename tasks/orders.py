"""What a host is told: a deployment and a target turned into the order that opens the host's chain."""

from __future__ import annotations

from collections.abc import Sequence

from domain.deployments import Deployment, DeploymentMode, TargetRecord
from domain.keeping import Restoring
from domain.lifecycle import Event
from domain.reports import HostOrder, HostReport, Outcome
from tasks.runtime import World
from workflows.events import last_event


def write_report(
    world: World,
    deployment: Deployment,
    record: TargetRecord,
    *,
    lane: int,
    step: int,
    outcomes: Sequence[Outcome] = (),
    link: bool = True,
) -> HostReport:
    """The report that the first (or next) event of the target's chain gets, with an order that holds a fresh link.

    Without `link` it is for the lane alone, which fetches nothing. Raises InvalidRevision where there is no link,
    WorldError where that cannot be known now.
    """
    restart = deployment.deployment_mode is DeploymentMode.RESTART
    fetches = link and not restart and not deployment.returns_to_blue
    order = HostOrder(
        deployment_id=deployment.deployment_id,
        target_id=record.target.target_id,
        attempt=record.attempt or "",
        lane=lane,
        step=step,
        application_name=deployment.application_name,
        deployment_group_name=deployment.deployment_group_name,
        deployment_group_id=deployment.deployment_group_id,
        source=world.sources.source_of(deployment.revision, now=world.now()) if fetches else None,
        appspec_filename=deployment.appspec_filename,
        file_exists_behavior=deployment.file_exists_behavior,
        ignore_application_stop_failures=deployment.ignore_application_stop_failures,
        creator=deployment.creator,
        event_limit=deployment.event_seconds,
        environment=bundle_variables(deployment),
        restart=restart,
        blue_green_rollback=deployment.returns_to_blue,
        final_event=last_event(deployment),
        restoring=restoring(deployment),
    )
    return HostReport(order=order, outcomes=tuple(outcomes))


def restoring(deployment: Deployment) -> Restoring | None:
    """What hosts must know to keep what is overwritten, if their group wants that."""
    if not deployment.restore_overwritten:
        return None
    return Restoring(began=deployment.began, back_to=deployment.back_to)


def bundle_variables(deployment: Deployment) -> dict[str, str]:
    """The documented BUNDLE_ variables of the revision; those without a value are left out."""
    s3, github = deployment.revision.s3_location, deployment.revision.github_location
    if s3:
        named = {"BUCKET": s3.bucket, "KEY": s3.key, "VERSION": s3.version, "ETAG": s3.e_tag}
        return {f"BUNDLE_{name}": value for name, value in named.items() if value}
    return {"BUNDLE_COMMIT": github.commit_id} if github else {}


def events_left(events: Sequence[Event], outcomes: Sequence[Outcome]) -> tuple[Event, ...]:
    """The events of a chain that have no outcome yet, in order."""
    done = {outcome.event for outcome in outcomes}
    return tuple(event for event in events if event not in done)
