"""Requests become deployments or name what is wrong with them, in the order in which AWS checks; then they start
or fail."""

from __future__ import annotations

from typing import Any

import pytest

from domain.applications import Application
from domain.appspec import FileExistsBehavior
from domain.configs import HALF_AT_A_TIME, ONE_AT_A_TIME, PREDEFINED, DeploymentConfig, ZonalConfig
from domain.deployments import (
    CreateDeployment,
    Deployment,
    DeploymentErrorCode,
    DeploymentStatus,
    ErrorInformation,
    Phase,
)
from domain.errors import (
    ApplicationDoesNotExist,
    ApplicationNameRequired,
    CallerError,
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
    RevisionRequired,
    TargetInstancesRequired,
)
from domain.groups import DeploymentGroup
from domain.happenings import HappeningType
from domain.limits import Limits
from domain.revisions import RevisionLocation
from tests.unit.workflows.engine_values import EVENTS, LIMITS, NOW, STOP, a_deployment, a_group, a_revision
from workflows import admission

ID = "d-ABCDEF123"
APPLICATION = Application(application_id="a-1", application_name="shop", create_time=NOW)
GROUP = a_group(target_revision=a_revision("v1"))


def a_request(**more: Any) -> CreateDeployment:
    values = {"application_name": "shop", "deployment_group_name": "web", "revision": a_revision(), **more}
    return CreateDeployment.model_validate(values)


def admit(
    request: CreateDeployment,
    *,
    application: Application | None = APPLICATION,
    group: DeploymentGroup | None = GROUP,
    config: DeploymentConfig | None = PREDEFINED[HALF_AT_A_TIME],
    limits: Limits = LIMITS,
) -> Deployment:
    return admission.admit(
        request, application=application, group=group, config=config, deployment_id=ID, now=NOW, limits=limits
    )


ZONES = DeploymentConfig(
    deployment_config_name="zones",
    deployment_config_id="0",
    minimum_healthy_hosts=PREDEFINED[HALF_AT_A_TIME].minimum_healthy_hosts,
    zonal_config=ZonalConfig(monitor_duration_in_seconds=60),
)


GREEN = {"tag_filters": [{"key": "color", "value": "green"}]}
BLUE_GREEN = {
    "deployment_style": {"deployment_type": "BLUE_GREEN", "deployment_option": "WITH_TRAFFIC_CONTROL"},
    "blue_green_deployment_configuration": {"green_fleet_provisioning_option": {"action": "DISCOVER_EXISTING"}},
}
COPYING = {
    **BLUE_GREEN,
    "auto_scaling_groups": ("web",),
    "blue_green_deployment_configuration": {"green_fleet_provisioning_option": {"action": "COPY_AUTO_SCALING_GROUP"}},
}


@pytest.mark.parametrize(
    ("group", "request_", "more", "error"),
    [
        pytest.param({}, {"target_instances": GREEN}, {}, InvalidTargetInstances, id="in place there is no green"),
        pytest.param(BLUE_GREEN, {}, {}, TargetInstancesRequired, id="nobody says which are green"),
        pytest.param(BLUE_GREEN, {"target_instances": {}}, {}, TargetInstancesRequired, id="no green"),
        pytest.param(COPYING, {"target_instances": GREEN}, {}, InvalidTargetInstances, id="green is to be made"),
        pytest.param(BLUE_GREEN, {"target_instances": GREEN}, {"config": ZONES}, InvalidInput, id="by zones"),
        pytest.param(
            BLUE_GREEN,
            {"target_instances": GREEN, "deployment_mode": "RESTART", "revision": None},
            {},
            InvalidInput,
            id="restart",
        ),
    ],
)
def test_what_does_not_go_together_with_the_style_of_a_group(
    group: dict[str, Any], request_: dict[str, Any], more: dict[str, Any], error: type[CallerError]
) -> None:
    with pytest.raises(error):
        admit(a_request(**request_), group=a_group(target_revision=a_revision(), **group), **more)


@pytest.mark.parametrize(("group", "wanted"), [({}, None), (BLUE_GREEN, GREEN), (COPYING, None)])
def test_a_deployment_keeps_the_style_of_its_group(group: dict[str, Any], wanted: dict[str, Any] | None) -> None:
    made = admit(a_request(target_instances=wanted), group=a_group(**group))
    assert made.blue_green == bool(group)
    assert (made.target_instances is None) == (wanted is None)


def test_an_admitted_deployment_holds_all_it_will_need() -> None:
    deployment = admit(
        a_request(
            description="d" * 256,
            ignore_application_stop_failures=True,
            update_outdated_instances_only=True,
            file_exists_behavior="RETAIN",
        )
    )
    assert (deployment.deployment_id, deployment.status) == (ID, DeploymentStatus.CREATED)
    assert (deployment.create_time, deployment.start_time, deployment.phases) == (NOW, None, ())
    assert deployment.deployment_group_id == GROUP.deployment_group_id
    assert deployment.deployment_config_name == HALF_AT_A_TIME
    assert deployment.minimum_healthy_hosts == PREDEFINED[HALF_AT_A_TIME].minimum_healthy_hosts
    assert (deployment.revision, deployment.previous_revision) == (a_revision(), a_revision("v1"))
    assert deployment.ignore_application_stop_failures
    assert deployment.update_outdated_instances_only
    assert deployment.file_exists_behavior is FileExistsBehavior.RETAIN
    assert deployment.creator == "user"


@pytest.mark.parametrize(
    ("asked", "of_group", "counts"),
    [(None, None, "DISALLOW"), (None, "OVERWRITE", "OVERWRITE"), ("RETAIN", "OVERWRITE", "RETAIN")],
)
def test_whose_file_exists_behavior_counts(asked: str | None, of_group: str | None, counts: str) -> None:
    group = a_group(file_exists_behavior=of_group)
    assert admit(a_request(file_exists_behavior=asked), group=group).file_exists_behavior == counts


def test_what_is_overwritten_is_kept_if_the_group_wants_it() -> None:
    assert not admit(a_request()).restore_overwritten
    made = admit(a_request(back_to=NOW - 60), group=a_group(restore_overwritten=True))
    assert (made.restore_overwritten, made.back_to) == (True, NOW - 60)


def test_a_group_may_have_its_own_limit_for_events() -> None:
    limits = Limits(event_seconds=900)
    assert admit(a_request(), limits=limits).event_seconds == 900
    assert admit(a_request(), group=a_group(event_seconds=7200), limits=limits).event_seconds == 7200


def revision(**members: Any) -> RevisionLocation:
    return RevisionLocation.model_validate(members)


S3 = {"bucket": "b", "key": "k", "bundle_type": "zip"}
GITHUB = {"repository": "owner/name", "commit_id": "0123456789abcdef0123456789ABCDEF01234567"}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"application_name": None}, ApplicationNameRequired),
        ({"application_name": ""}, ApplicationNameRequired),
        ({"deployment_group_name": None}, DeploymentGroupNameRequired),
        ({"revision": None}, RevisionRequired),
        ({"application_name": "a b"}, InvalidApplicationName),
        ({"application_name": "a/b"}, InvalidApplicationName),
        ({"application_name": "a\n"}, InvalidApplicationName),
        ({"application_name": "a" * 101}, InvalidApplicationName),
        ({"deployment_group_name": "ü"}, InvalidDeploymentGroupName),
        ({"deployment_group_name": "g" * 101}, InvalidDeploymentGroupName),
        ({"deployment_config_name": "c d"}, InvalidDeploymentConfigName),
        ({"description": "d" * 257}, DescriptionTooLong),
        ({"file_exists_behavior": "overwrite"}, InvalidFileExistsBehavior),
        ({"target_instances": GREEN}, InvalidTargetInstances),
        ({"revision": revision(revision_type="S3")}, InvalidRevision),
        ({"revision": revision(revision_type="GitHub", s3_location=S3)}, InvalidRevision),
        ({"revision": revision(revision_type="S3", s3_location=S3, github_location=GITHUB)}, InvalidRevision),
        ({"revision": revision(revision_type="S3", s3_location={**S3, "key": ""})}, InvalidRevision),
        ({"revision": revision(revision_type="S3", s3_location={**S3, "bucket": ""})}, InvalidRevision),
    ],
)
def test_a_wrong_request_is_refused_by_name(wrong: dict[str, Any], error: type[CallerError]) -> None:
    with pytest.raises(error):
        admit(a_request(**wrong))


@pytest.mark.parametrize(
    ("repository", "commit_id", "fits"),
    [
        (GITHUB["repository"], GITHUB["commit_id"], True),
        ("name", GITHUB["commit_id"], False),
        ("a/b/c", GITHUB["commit_id"], False),
        ("../name", GITHUB["commit_id"], False),
        ("owner/..", GITHUB["commit_id"], False),
        ("owner/.github", GITHUB["commit_id"], True),
        ("owner/name", "main", False),
        ("owner/name", "0" * 39, False),
    ],
)
def test_a_revision_on_github(repository: str, commit_id: str, fits: bool) -> None:
    location = {"repository": repository, "commit_id": commit_id}
    request = a_request(revision=revision(revision_type="GitHub", github_location=location))
    if fits:
        assert admit(request).revision == request.revision
    else:
        with pytest.raises(InvalidRevision):
            admit(request)


@pytest.mark.parametrize(
    ("world", "error", "named"),
    [
        ({"application": None}, ApplicationDoesNotExist, "shop"),
        ({"group": None}, DeploymentGroupDoesNotExist, "web"),
        ({"config": None}, DeploymentConfigDoesNotExist, ONE_AT_A_TIME),
    ],
)
def test_what_does_not_exist_is_named(world: dict[str, Any], error: type[CallerError], named: str) -> None:
    with pytest.raises(error, match=named):
        admit(a_request(), **world)


def test_what_is_missing_is_told_first_then_form_then_what_does_not_exist() -> None:
    faults: list[tuple[dict[str, Any], type[CallerError]]] = [
        ({"application_name": None}, ApplicationNameRequired),
        ({"deployment_group_name": None, "application_name": "a b"}, DeploymentGroupNameRequired),
        ({"revision": None, "deployment_group_name": "g h"}, RevisionRequired),
        ({"revision": revision(revision_type="S3")}, InvalidApplicationName),
        ({"application_name": "shop"}, InvalidDeploymentGroupName),
        ({"deployment_group_name": "web"}, InvalidRevision),
        ({"revision": a_revision()}, ApplicationDoesNotExist),
    ]
    request: dict[str, Any] = {}
    for change, error in faults:
        request |= change
        with pytest.raises(error):
            admit(a_request(**request), application=None, group=None, config=None)


CREATED = a_deployment(
    total=0, floor=0, status=DeploymentStatus.CREATED, phases=(), start_time=None, deployment_config_name="custom"
)


def created(**more: Any) -> Deployment:
    return CREATED.model_copy(update=more)


def start(deployment: Deployment, total: int, **more: Any) -> tuple[Deployment, list[HappeningType]]:
    change = admission.start(deployment, total, now=NOW, **{"group": GROUP, **more})
    assert change is not None
    return change.deployment, [happening.type for happening in change.happenings]


@pytest.mark.parametrize("status", [DeploymentStatus.CREATED, DeploymentStatus.QUEUED])
def test_a_deployment_starts_with_its_lanes_laid_out(status: DeploymentStatus) -> None:
    minimum = PREDEFINED[HALF_AT_A_TIME].minimum_healthy_hosts
    under_way, told = start(created(status=status, minimum_healthy_hosts=minimum), 9)
    assert (under_way.status, under_way.start_time) == (DeploymentStatus.IN_PROGRESS, NOW)
    assert (under_way.total, under_way.floor) == (9, 5)
    assert under_way.phases == (Phase(first=0, count=9, lanes=4, floor=5, events=EVENTS),)
    assert under_way.previous_revision == GROUP.target_revision
    assert told == []


OUTDATED = {"update_outdated_instances_only": True}


@pytest.mark.parametrize(
    ("deployment", "total", "more", "code"),
    [
        pytest.param(created(), 0, {}, "NO_INSTANCES", id="nobody"),
        pytest.param(created(**OUTDATED), 0, {"matched": 0}, "NO_INSTANCES", id="nobody, outdated or not"),
        pytest.param(created(), 1, {"group": None}, "DEPLOYMENT_GROUP_MISSING", id="the group is gone"),
        pytest.param(
            created(),
            1,
            {"group": a_group(deployment_group_id="g-2")},
            "DEPLOYMENT_GROUP_MISSING",
            id="the group is another of its name",
        ),
        pytest.param(
            created(), 1, {"application": False, "group": None}, "APPLICATION_MISSING", id="the application is gone"
        ),
        pytest.param(
            created(minimum_healthy_hosts=a_deployment(total=3, floor=3).minimum_healthy_hosts),
            3,
            {},
            "HEALTH_CONSTRAINTS_INVALID",
        ),
    ],
)
def test_a_deployment_that_cannot_start_fails_and_says_why(
    deployment: Deployment, total: int, more: dict[str, Any], code: str
) -> None:
    failed, told = start(deployment, total, **more)
    assert (failed.status, failed.complete_time) == (DeploymentStatus.FAILED, NOW)
    assert failed.error_information is not None
    assert failed.error_information.code == code
    assert (failed.start_time, failed.phases) == (None, ())
    assert told == [HappeningType.DEPLOYMENT_FAILURE]


def test_the_reason_of_an_unfit_floor_names_the_numbers() -> None:
    minimum = a_deployment(total=3, floor=3).minimum_healthy_hosts
    failed, _ = start(created(minimum_healthy_hosts=minimum), 3)
    assert (failed.total, failed.floor) == (3, 3)
    assert failed.error_information is not None
    assert "3 targets with at least 3 kept healthy" in failed.error_information.message
    assert "custom" in failed.error_information.message


@pytest.mark.parametrize("matched", [None, 4])
def test_nothing_outdated_is_a_success(matched: int | None) -> None:
    over, told = start(created(**OUTDATED), 0, matched=matched)
    assert (over.status, over.total, over.error_information) == (DeploymentStatus.SUCCEEDED, 0, None)
    assert told == [HappeningType.DEPLOYMENT_SUCCESS]


@pytest.mark.parametrize(
    "status", [s for s in DeploymentStatus if s not in {DeploymentStatus.CREATED, DeploymentStatus.QUEUED}]
)
def test_a_deployment_starts_once(status: DeploymentStatus) -> None:
    assert admission.start(created(status=status), 3, group=GROUP, now=NOW) is None


TIMEOUT = ErrorInformation(code=DeploymentErrorCode.TIMEOUT, message="too long")


def test_what_has_not_started_stops_at_once() -> None:
    for status in (DeploymentStatus.CREATED, DeploymentStatus.QUEUED):
        change = admission.stop(created(status=status), now=NOW)
        assert change is not None
        assert change.deployment.status is DeploymentStatus.STOPPED
        assert change.deployment.error_information == admission.MANUAL_STOP
        assert [told.type for told in change.happenings] == [HappeningType.DEPLOYMENT_STOP]
    late = admission.stop(created(), now=NOW, why=TIMEOUT)
    assert late is not None
    assert late.deployment.status is DeploymentStatus.FAILED


def test_what_runs_is_told_to_stop_once() -> None:
    change = admission.stop(a_deployment(), now=NOW, why=STOP)
    assert change is not None
    assert (change.deployment.status, change.deployment.stopping) == (DeploymentStatus.IN_PROGRESS, STOP)
    assert change.happenings == ()
    assert admission.stop(change.deployment, now=NOW, why=TIMEOUT) is None


@pytest.mark.parametrize("status", [status for status in DeploymentStatus if status.final])
def test_what_has_ended_cannot_be_stopped(status: DeploymentStatus) -> None:
    over = a_deployment(status=status)
    assert admission.stop(over, now=NOW) is None
    refusal = admission.not_stoppable(over.deployment_id, over)
    assert isinstance(refusal, DeploymentAlreadyCompleted)
    assert status in refusal.message
    assert isinstance(admission.not_stoppable("d-NONE", None), DeploymentDoesNotExist)


def test_an_instance_has_an_arn_with_a_suffix() -> None:
    arn = admission.instance_arn("eu-central-1", "111122223333", "web-1", "a1B2c3D4e5")
    assert arn == "arn:aws:codedeploy:eu-central-1:111122223333:instance/web-1_a1B2c3D4e5"


def test_the_start_is_told_of_a_created_deployment() -> None:
    told = admission.started(created())
    assert (told.type, told.status, told.at) == (HappeningType.DEPLOYMENT_START, "Created", CREATED.create_time)
