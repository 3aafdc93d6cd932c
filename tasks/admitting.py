"""The one way a deployment comes to be, whoever asks: the trigger queue, the command line, the API, a rollback."""

from __future__ import annotations

from contextlib import suppress

from domain.applications import Application
from domain.configs import PREDEFINED, DeploymentConfig
from domain.deployments import CreateDeployment, Deployment
from domain.errors import WorldError
from domain.groups import Busy, DeploymentGroup, group_name
from domain.moves import Admitted
from domain.revisions import Revision, revision_name
from domain.work import working_on
from tasks.runtime import World
from workflows import admission
from workflows.alarms import check_alarms
from workflows.group_checks import check_processes
from workflows.resources import check_target_instances


def create_deployment(world: World, request: CreateDeployment) -> str:
    """Admit a deployment and put it in motion; its id. Raises the CallerErrors of the API's CreateDeployment.

    With a client request token that was seen before, the answer is the deployment it made then.
    """
    check_processes(request.ec2_deployment_options)
    check_target_instances(request.target_instances)
    # The API has looked at that; a message of the trigger queue comes as it is.
    check_alarms(request.override_alarm_configuration, world.quotas)
    application, group, config = _look_up(world, request)
    deployment = admission.admit(
        request,
        application=application,
        group=group,
        config=config,
        deployment_id=world.new_id(),
        now=world.now(),
        limits=world.limits,
    )
    assert group is not None  # noqa: S101  (admit refuses a missing group)
    with working_on(deployment_id=deployment.deployment_id, application=deployment.application_name):
        return _kept(world, request, deployment, group)


def _kept(world: World, request: CreateDeployment, deployment: Deployment, group: DeploymentGroup) -> str:
    admitted = world.store.admit(
        deployment,
        token=request.client_request_token,
        queue=group.busy is Busy.QUEUE,
        happenings=(admission.started(deployment),),
        if_queued=(admission.queued(deployment),) if group.busy is Busy.QUEUE else (),
        most=world.quotas.running_deployments,
    )
    _register_revision(world, deployment)
    put_in_motion(world, admitted)
    return admitted.deployment_id


def _look_up(
    world: World, request: CreateDeployment
) -> tuple[Application | None, DeploymentGroup | None, DeploymentConfig | None]:
    application = world.store.applications.named(request.application_name or "")
    named = request.deployment_group_name or ""
    group = world.store.groups.named(group_name(application.application_id, named)) if application else None
    wanted = request.deployment_config_name or (group.deployment_config_name if group else "")
    return application, group, PREDEFINED.get(wanted) or world.store.configs.get(wanted)


def put_in_motion(world: World, admitted: Admitted) -> None:
    """Have a deployment begun that was admitted, if it is new and its turn has come."""
    # A broker that is away does not undo the admission: the watch begins what nobody began.
    if not admitted.repeated and not admitted.queued:
        with suppress(WorldError):
            world.dispatch.begin(admitted.deployment_id)


def _register_revision(world: World, deployment: Deployment) -> None:
    now = deployment.create_time
    name = revision_name(deployment.application_id, deployment.revision)
    fresh = Revision(location=deployment.revision, register_time=now, first_used_time=now, last_used_time=now)
    if not world.store.revisions.add(name, fresh):
        world.store.revisions.change(
            name,
            lambda known: known.model_copy(
                update={"first_used_time": known.first_used_time or now, "last_used_time": now}
            ),
        )
