"""May it start, and as what: requests checked and frozen into deployments, in the order in which AWS checks.

Source: AWS CodeDeploy API reference, CreateDeployment, CreateDeploymentGroup, CreateDeploymentConfig.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence, Set
from urllib.parse import urlsplit

from domain import reasons
from domain.api_errors import InvalidAutoRollbackConfig
from domain.applications import Application
from domain.appspec import FileExistsBehavior
from domain.configs import DeploymentConfig
from domain.deployments import (
    CreateDeployment,
    Deployment,
    DeploymentErrorCode,
    DeploymentMode,
    DeploymentStatus,
    ErrorInformation,
    Phase,
    PhaseKind,
    moved,
)
from domain.errors import (
    ApplicationDoesNotExist,
    ApplicationNameRequired,
    DeploymentAlreadyCompleted,
    DeploymentConfigDoesNotExist,
    DeploymentDoesNotExist,
    DeploymentGroupDoesNotExist,
    DeploymentGroupNameRequired,
    DescriptionTooLong,
    InvalidApplicationName,
    InvalidDeploymentConfigName,
    InvalidDeploymentGroupName,
    InvalidFileExistsBehavior,
    InvalidInput,
    InvalidRevision,
    InvalidTargetInstances,
    RevisionMissing,
    RevisionRequired,
    SlipwayError,
    TargetInstancesRequired,
)
from domain.fleet import TargetKind
from domain.group_options import AutoRollbackConfiguration, DeploymentType
from domain.groups import DeploymentGroup, Selection, TargetInstances
from domain.happenings import ROLLBACK, Happening, HappeningType
from domain.limits import Limits, Quotas
from domain.moves import Change
from domain.revisions import RevisionLocation, RevisionType
from domain.values import Instant
from workflows import waits
from workflows.alarms import watched
from workflows.balancer_waits import waits_no_more
from workflows.decide import SHOWN, cut_short, end_early, ended, go_on
from workflows.plan import back_to_blue, blue_green, copies_environment, in_place, provisioning
from workflows.speed import floor_of
from workflows.targeting import selection_of, wants_ec2
from workflows.telling import deployment_happening

NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,100}")
REPOSITORY = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9._-]+/(?!\.{1,2}$)[A-Za-z0-9._-]+")
COMMIT = re.compile(r"[0-9a-fA-F]{40}")
LONGEST_DESCRIPTION = 256
LONGEST_FOLDER = 1024
_LIMITS = Limits()
_URL = re.compile(r"(?!.*#)[!-~]{1,2048}")
LONGEST_S3 = 1024
"""What S3 itself allows of a key and of a version."""


def admit(
    request: CreateDeployment,
    *,
    application: Application | None,
    group: DeploymentGroup | None,
    config: DeploymentConfig | None,
    deployment_id: str,
    now: Instant,
    limits: Limits,
) -> Deployment:
    """The deployment that the request asks for, with the group and configuration frozen into it.

    Raises the CallerErrors of CreateDeployment: required members first, then form, then what does not exist.
    """
    name, group_name = _required(request)
    _check_form(request, name, group_name)
    if application is None:
        raise ApplicationDoesNotExist(f"No application is named {name}; `slipway create-application {name}` makes it.")
    if group is None:
        raise DeploymentGroupDoesNotExist(f"The application {name} has no deployment group {group_name}.")
    if config is None:
        wanted = request.deployment_config_name or group.deployment_config_name
        raise DeploymentConfigDoesNotExist(f"No deployment configuration is named {wanted}.")
    revision = request.revision or group.target_revision
    if revision is None:
        raise InvalidInput(f"The deployment group {group_name} has no revision to restart; deploy one first.")
    _check_style(request, group, config)
    return Deployment(
        deployment_id=deployment_id,
        application_id=application.application_id,
        application_name=name,
        deployment_group_name=group_name,
        deployment_group_id=group.deployment_group_id,
        deployment_config_name=config.deployment_config_name,
        minimum_healthy_hosts=config.minimum_healthy_hosts,
        revision=revision,
        previous_revision=group.target_revision,
        create_time=now,
        description=request.description,
        creator=request.creator,
        ignore_application_stop_failures=request.ignore_application_stop_failures,
        update_outdated_instances_only=request.update_outdated_instances_only,
        file_exists_behavior=_behavior(request) or group.file_exists_behavior or FileExistsBehavior.DISALLOW,
        deployment_mode=request.deployment_mode,
        deployment_style=group.deployment_style,
        load_balancer_info=group.load_balancer_info,
        blue_green_deployment_configuration=group.blue_green_deployment_configuration,
        target_instances=_green_wanted(request),
        zonal_config=config.zonal_config,
        auto_rollback_configuration=request.auto_rollback_configuration or group.auto_rollback_configuration,
        override_alarm_configuration=request.override_alarm_configuration,
        ec2_deployment_options=request.ec2_deployment_options or group.ec2_deployment_options,
        event_seconds=group.event_seconds or limits.event_seconds,
        appspec_filename=group.appspec_filename,
        alarm_configuration=watched(
            request.override_alarm_configuration, group.alarm_configuration, creator=request.creator
        ),
        trigger_configurations=group.trigger_configurations,
        restore_overwritten=group.restore_overwritten,
        back_to=request.back_to,
    )


def _required(request: CreateDeployment) -> tuple[str, str]:
    if not request.application_name:
        raise ApplicationNameRequired
    if not request.deployment_group_name:
        raise DeploymentGroupNameRequired
    if request.revision is None and request.deployment_mode is DeploymentMode.STANDARD:
        raise RevisionRequired
    return request.application_name, request.deployment_group_name


def _check_style(request: CreateDeployment, group: DeploymentGroup, config: DeploymentConfig) -> None:
    style = group.deployment_style
    wanted = _green_wanted(request)
    if style is None or style.deployment_type is not DeploymentType.BLUE_GREEN:
        if wanted is not None:
            raise InvalidTargetInstances
        return
    if complaint := zones_complaint(group, config):
        raise InvalidInput(complaint)
    if request.deployment_mode is DeploymentMode.RESTART:
        raise InvalidInput("A deployment of mode RESTART is in place; this deployment group is blue/green.")
    copies = copies_environment(group.blue_green_deployment_configuration)
    if copies and wanted is not None:
        raise InvalidTargetInstances("The green instances are made for the deployment: give no target instances.")
    if not copies and wanted is None:
        raise TargetInstancesRequired


def zones_complaint(group: DeploymentGroup, config: DeploymentConfig) -> str | None:
    """What is wrong with a configuration that goes zone by zone, where the group is blue/green."""
    style = group.deployment_style
    if config.zonal_config is None or style is None or style.deployment_type is not DeploymentType.BLUE_GREEN:
        return None
    return (
        f"{config.deployment_config_name} goes zone by zone, which blue/green deployments cannot; choose another "
        "deployment configuration."
    )


def _green_wanted(request: CreateDeployment) -> TargetInstances | None:
    """The target instances, if the request names any."""
    return request.target_instances if request.target_instances != TargetInstances() else None


def _check_form(request: CreateDeployment, name: str, group_name: str) -> None:
    if not NAME.fullmatch(name):
        raise InvalidApplicationName
    if not NAME.fullmatch(group_name):
        raise InvalidDeploymentGroupName
    if request.revision is not None:
        check_revision(request.revision)
    if request.deployment_config_name and not NAME.fullmatch(request.deployment_config_name):
        raise InvalidDeploymentConfigName("The configuration name must be 1 to 100 of A-Z a-z 0-9 + = , . @ _ -.")
    if request.description and len(request.description) > LONGEST_DESCRIPTION:
        raise DescriptionTooLong
    _behavior(request)
    _check_restart(request)
    check_rollback(request.auto_rollback_configuration)


def _check_restart(request: CreateDeployment) -> None:
    if request.deployment_mode is not DeploymentMode.RESTART:
        return
    if request.revision is not None:
        raise InvalidInput("A deployment of mode RESTART takes no revision: it restarts the one that is there.")
    if request.update_outdated_instances_only:
        raise InvalidInput("A deployment of mode RESTART cannot be for outdated instances only.")


def check_rollback(rollback: AutoRollbackConfiguration | None) -> None:
    """Raises InvalidAutoRollbackConfig for one that is enabled and has no events."""
    if rollback is not None and rollback.enabled and not rollback.events:
        raise InvalidAutoRollbackConfig


_MEMBERS = {
    RevisionType.S3: "s3_location",
    RevisionType.GITHUB: "github_location",
    RevisionType.BUNDLE: "bundle_location",
    RevisionType.HTTP: "http_location",
    RevisionType.LOCAL: "local_location",
}


def check_revision(revision: RevisionLocation) -> None:
    """A revision as servers can install it, by its form alone: nothing is fetched. Raises InvalidRevision."""
    given = {kind for kind, member in _MEMBERS.items() if getattr(revision, member) is not None}
    if given != {revision.revision_type}:
        raise InvalidRevision(f"A revision of type {revision.revision_type} needs that location and no other.")
    s3, github = revision.s3_location, revision.github_location
    if s3 and not (s3.bucket and s3.key):
        raise InvalidRevision("A revision in S3 needs a bucket and a key.")
    if s3 and max(map(len, (s3.bucket, s3.key, s3.version or "", s3.e_tag or ""))) > LONGEST_S3:
        raise InvalidRevision(f"Bucket, key, version and eTag have at most {LONGEST_S3} characters each.")
    if github and not (REPOSITORY.fullmatch(github.repository) and COMMIT.fullmatch(github.commit_id)):
        raise InvalidRevision("A revision on GitHub needs a repository as owner/name and a commit id of 40 hex digits.")
    if revision.http_location:
        _check_url(revision.http_location.url)
    for packed in (github, revision.bundle_location, revision.http_location):
        if packed and packed.subfolder is not None:
            _check_subfolder(packed.subfolder)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not _URL.fullmatch(url):
        raise InvalidRevision(
            "The URL of a revision must look like https://host/path.tgz, of printable ASCII without spaces or '#'; "
            "write other characters as %XX."
        )
    if "@" in parts.netloc:
        raise InvalidRevision(
            "The URL of a revision may hold no user and password: every host and record would show them. Keep the "
            "bundle in S3 or in Slipway's own store, which give hosts links that end."
        )


def _check_subfolder(folder: str) -> None:
    parts = folder.split("/")
    if len(folder) > LONGEST_FOLDER or not folder.isprintable() or not {"", ".", ".."}.isdisjoint(parts):
        raise InvalidRevision(
            "The folder of a revision must be a path below the archive's root, as in services/web: no '/' at its ends, "
            f"no '.' or '..' in it, at most {LONGEST_FOLDER} printable characters."
        )


def _behavior(request: CreateDeployment) -> FileExistsBehavior | None:
    if request.file_exists_behavior is None:
        return None
    try:
        return FileExistsBehavior(request.file_exists_behavior)
    except ValueError:
        raise InvalidFileExistsBehavior from None


def started(deployment: Deployment) -> Happening:
    """What is told when a deployment was created."""
    return deployment_happening(deployment, HappeningType.DEPLOYMENT_START, at=deployment.create_time)


def queued(deployment: Deployment) -> Happening:
    """What is told beside it if its group is busy and it waits."""
    waiting = deployment.model_copy(update={"status": moved(deployment.status, DeploymentStatus.QUEUED)})
    return deployment_happening(waiting, HappeningType.DEPLOYMENT_QUEUED, at=deployment.create_time)


def start(
    deployment: Deployment,
    total: int,
    *,
    group: DeploymentGroup | None,
    now: Instant,
    matched: int | None = None,
    application: bool = True,
    kinds: Container[TargetKind] = frozenset(TargetKind),
    environments: Set[str] = frozenset(),
    zones: Sequence[int] = (),
    blue: int = 0,
    takes_over: Selection | None = None,
    limits: Limits = _LIMITS,
) -> Change | None:
    """A created deployment under way with its targets counted and its phases laid out; or ended, where it cannot start.

    None if it has started already. `total` are the targets to deploy to (in place, or green), `matched` the hosts of
    the group before those that updateOutdatedInstancesOnly leaves out: where it leaves none, there is nothing to do and
    that is a success. A group made anew under the old name is another group. `kinds`: where hosts were looked for,
    and `environments`: names of Auto Scaling groups that are none of AWS's; `zones`: how many targets each zone has;
    `blue`: how many hosts serve beside green, and how the group selects its hosts once green `takes_over`.
    """
    if deployment.status is DeploymentStatus.QUEUED:
        deployment = deployment.model_copy(update={"status": moved(deployment.status, DeploymentStatus.CREATED)})
    if deployment.status is not DeploymentStatus.CREATED:
        return None
    if not application:
        return _refused(deployment, DeploymentErrorCode.APPLICATION_MISSING, reasons.APPLICATION_MISSING, now)
    if group is None or group.deployment_group_id != deployment.deployment_group_id:
        return _refused(deployment, DeploymentErrorCode.DEPLOYMENT_GROUP_MISSING, reasons.GROUP_MISSING, now)
    last = group.last_successful_deployment
    before = {"previous_revision": group.target_revision, "previous_success": last.deployment_id if last else None}
    deployment = deployment.model_copy(update={**before, "blue": blue})
    if deployment.rolls_back:
        return _lay_out(deployment, total, (total,), now, limits)
    if deployment.blue_green:
        hosts = {"takes_over": takes_over, "gives_back": selection_of(group)}
        deployment = deployment.model_copy(update=hosts)
    if deployment.blue_green and copies_environment(deployment.blue_green_deployment_configuration):
        if not group.auto_scaling_groups:
            code = DeploymentErrorCode.AUTO_SCALING_CONFIGURATION
            return _refused(deployment, code, reasons.NOTHING_TO_COPY, now)
        source = {"source_environment": group.auto_scaling_groups[0], "total": blue}
        return _under_way(deployment.model_copy(update=source), provisioning(limits), now)
    if total == 0 and (matched == 0 or not deployment.update_outdated_instances_only):
        unseen = wants_ec2(group, environments) and TargetKind.EC2 not in kinds
        return _refused(deployment, DeploymentErrorCode.NO_INSTANCES, _none_found(deployment, unseen=unseen), now)
    return _lay_out(deployment, total, zones or (total,), now, limits)


def its_turn(deployment: Deployment, *, now: Instant) -> Change | None:
    """A deployment that waited for its group and does no more; None if it waits no more already."""
    if deployment.status is not DeploymentStatus.QUEUED:
        return None
    status = moved(deployment.status, DeploymentStatus.CREATED)
    return Change(deployment.model_copy(update={"status": status, "turn_time": now}))


def _none_found(deployment: Deployment, *, unseen: bool) -> str:
    if deployment.blue_green:
        return reasons.NO_GREEN
    return reasons.NO_INSTANCES + (reasons.AWS_OFF if unseen else "")


NO_BALANCER = ErrorInformation(code=DeploymentErrorCode.MISSING_ELB_INFORMATION, message=reasons.NO_BALANCER)


def serves_already(hosts: Sequence[str]) -> ErrorInformation:
    """Why green may not hold hosts that serve: they would be installed on while requests come in."""
    shown = ", ".join(hosts[:SHOWN]) + (" …" if len(hosts) > SHOWN else "")
    text = reasons.GREEN_SERVES.format(hosts=shown)
    return ErrorInformation(code=DeploymentErrorCode.NO_INSTANCES, message=text)


def green_leaves(present: Deployment, *, now: Instant) -> Change | None:
    """The deployment that waits for green hosts to leave traffic before it begins; None where it does already."""
    if present.green_leaves_since is not None or present.status.final:
        return None
    return Change(present.model_copy(update={"green_leaves_since": now}))


def stays_in_traffic(host: str, balancer: str, why: SlipwayError) -> ErrorInformation:
    """Why a green host may not be installed on: an earlier deployment let traffic to it, and it cannot be taken out."""
    text = reasons.GREEN_KEEPS_TRAFFIC.format(host=host, balancer=balancer, why=why.message)
    return ErrorInformation(code=DeploymentErrorCode.ELASTIC_LOAD_BALANCING_INVALID, message=text)


def why_unfetchable(error: InvalidRevision) -> ErrorInformation:
    """Why no host can fetch the revision: it is gone, or it never was one."""
    missing = isinstance(error, RevisionMissing)
    code = DeploymentErrorCode.REVISION_MISSING if missing else DeploymentErrorCode.INVALID_REVISION
    return ErrorInformation(code=code, message=error.message)


def cannot_begin(deployment: Deployment, why: ErrorInformation, *, now: Instant) -> Change | None:
    """A created deployment ended, because no host can fetch its revision, its targets cannot be found or an alarm is
    active; None if it has started already."""
    if deployment.status not in {DeploymentStatus.CREATED, DeploymentStatus.QUEUED}:
        return None
    return ended(waits_no_more(deployment), cut_short(why), why, now=now)


def too_many(total: int, quotas: Quotas) -> ErrorInformation | None:
    """Why a deployment to so many targets is refused, if it is."""
    if total <= quotas.targets:
        return None
    text = reasons.TOO_MANY_TARGETS.format(total=total, most=quotas.targets)
    return ErrorInformation(code=DeploymentErrorCode.OVER_MAX_INSTANCES, message=text)


def _lay_out(deployment: Deployment, total: int, zones: Sequence[int], now: Instant, limits: Limits) -> Change:
    counted = _counted(deployment, total)
    if not counted.total:
        if deployment.rolls_back:
            nobody = reasons.NOBODY_TO_ROLL_BACK.format(failed=deployment.rolls_back)
            counted = counted.model_copy(update={"status_messages": (*counted.status_messages, nobody)})
        return ended(_under_way(counted, (), now).deployment, DeploymentStatus.SUCCEEDED, None, now=now)
    phases = _phases(counted, total, zones, limits)
    if any(phase.kind.on_hosts and not phase.lanes for phase in phases):
        return _refused(counted, DeploymentErrorCode.HEALTH_CONSTRAINTS_INVALID, _why_no_lane(counted, total), now)
    return _under_way(counted, phases, now)


def _phases(deployment: Deployment, total: int, zones: Sequence[int], limits: Limits) -> tuple[Phase, ...]:
    if not deployment.blue_green:
        return in_place(deployment, zones)
    return back_to_blue(deployment, total, limits) if deployment.rolls_back else blue_green(deployment, total, limits)


def _counted(deployment: Deployment, total: int) -> Deployment:
    """The deployment with so many targets beside the blue ones."""
    config = deployment.deployment_config_name
    floor = floor_of(deployment.minimum_healthy_hosts, total, config_name=config)
    return deployment.model_copy(update={"total": deployment.blue + total, "floor": floor})


def _why_no_lane(deployment: Deployment, total: int) -> str:
    config = deployment.deployment_config_name
    if deployment.zonal_config and deployment.floor < total:
        return reasons.ZONE_CONSTRAINTS_INVALID.format(config=config)
    return reasons.HEALTH_CONSTRAINTS_INVALID.format(total=total, floor=deployment.floor, config=config)


def _under_way(deployment: Deployment, phases: Sequence[Phase], now: Instant) -> Change:
    seconds = phases[0].seconds if phases else 0
    update = {
        "status": moved(deployment.status, DeploymentStatus.IN_PROGRESS),
        "start_time": now,
        "phases": tuple(phases),
        "until": now + seconds if seconds else None,
    }
    after = deployment.model_copy(update=update)
    if deployment.creator != ROLLBACK:
        return Change(after)
    return Change(after, (deployment_happening(after, HappeningType.DEPLOYMENT_ROLLBACK, at=now),))


def provisioned(deployment: Deployment, green: int, *, name: str, now: Instant, limits: Limits) -> Change | None:
    """The deployment whose `green` hosts have been made and laid out behind the blue ones; None if it has gone on."""
    phase = deployment.under_way
    if deployment.status.final or phase is None or phase.kind is not PhaseKind.PROVISION:
        return None
    made = deployment.model_copy(update={"green_environment": name})
    if deployment.stopping:
        return end_early(made, deployment.stopping, now=now)
    if not green:
        why = ErrorInformation(code=DeploymentErrorCode.NO_INSTANCES, message=reasons.NO_GREEN)
        return end_early(made, why, now=now)
    counted = _counted(made, green)
    phases = blue_green(counted, green, limits)
    if not phases[0].lanes:
        text = _why_no_lane(counted, green)
        why = ErrorInformation(code=DeploymentErrorCode.HEALTH_CONSTRAINTS_INVALID, message=text)
        return end_early(counted, why, now=now)
    return go_on(counted.model_copy(update={"phases": (phase, *phases)}), now=now)


def _refused(deployment: Deployment, code: DeploymentErrorCode, text: str, now: Instant) -> Change:
    return ended(deployment, DeploymentStatus.FAILED, ErrorInformation(code=code, message=text), now=now)


MANUAL_STOP = ErrorInformation(code=DeploymentErrorCode.MANUAL_STOP, message=reasons.MANUAL_STOP)


def stop(
    deployment: Deployment,
    *,
    now: Instant,
    why: ErrorInformation = MANUAL_STOP,
    cut: bool = False,
    rollback: bool | None = None,
) -> Change | None:
    """A deployment that is to end early: at once if nothing has started, else when its hosts are done with the present
    event; with `cut` the scripts that run are ended. `rollback` says whether it is to be rolled back then, None leaves
    that to its configuration. None if it has ended or is stopping already in that way."""
    if deployment.status.final:
        return None
    if deployment.stopping:
        wishes = {
            **({"cutting": True} if cut and not deployment.cutting else {}),
            **({"rollback_on_stop": rollback} if rollback not in {None, deployment.rollback_on_stop} else {}),
        }
        return Change(deployment.model_copy(update=wishes)) if wishes else None
    if deployment.status in {DeploymentStatus.CREATED, DeploymentStatus.QUEUED}:
        wished = waits_no_more(deployment).model_copy(update={"rollback_on_stop": rollback})
        return ended(wished, cut_short(why), why, now=now)
    if deployment.under_way and deployment.under_way.kind is PhaseKind.RETIRE:
        # Traffic is on green and blue is going: there is no way back any more, only the end.
        return None
    return Change(
        deployment.model_copy(
            update={"stopping": why, "stopping_at": now, "cutting": cut, "rollback_on_stop": rollback}
        )
    )


def not_stoppable(deployment_id: str, deployment: Deployment | None) -> SlipwayError:
    """Why a deployment cannot be stopped."""
    if deployment is None:
        return DeploymentDoesNotExist(f"No deployment has the id {deployment_id}.")
    if not deployment.status.final:
        return DeploymentAlreadyCompleted(
            f"The deployment {deployment_id} cannot be stopped any more: {waits.where_it_is(deployment)}"
        )
    return DeploymentAlreadyCompleted(f"The deployment {deployment_id} has ended already: {deployment.status}.")


def instance_arn(region: str, account_id: str, name: str, suffix: str) -> str:
    """The ARN of an on-premises instance: its name and ten letters or digits that are new at each registration."""
    return f"arn:aws:codedeploy:{region}:{account_id}:instance/{name}_{suffix}"
