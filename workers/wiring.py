"""The composition root: settings in, adapters and the world out. Nobody else builds a client."""

from __future__ import annotations

import hmac
import logging
import secrets
import string
import time
import uuid
from collections.abc import Callable, Sequence
from functools import cache, lru_cache

from celery import Celery

from adapters.alarms import ALARMS
from adapters.alarms.choosing import ChosenAlarms
from adapters.alarms.cloudwatch import CloudWatchAlarms
from adapters.aws import IMPATIENT, PATIENT, Aws, AwsAccess, Patience
from adapters.environments.auto_scaling import AutoScalingEnvironment
from adapters.environments.command import CommandEnvironment, Programs
from adapters.environments.errands import Errands
from adapters.environments.instances import SingleInstances
from adapters.environments.named import NamedEnvironments
from adapters.environments.program import Program
from adapters.environments.registry import Registry
from adapters.fleet.auto_scaling import missing_of
from adapters.fleet.ec2 import Ec2Fleet
from adapters.fleet.registered import RegisteredFleet
from adapters.fleet.united import UnitedFleet
from adapters.load_balancers import LOAD_BALANCERS
from adapters.load_balancers.choosing import Checked, ChosenLoadBalancers
from adapters.load_balancers.classic import ClassicBalancer
from adapters.load_balancers.known_arns import KnownArns
from adapters.load_balancers.patience import PatientBalancer
from adapters.load_balancers.target_groups import TargetGroupBalancer
from adapters.metrics.prometheus import render
from adapters.metrics.redis import RedisCounters
from adapters.metrics.tally import Tally
from adapters.revisions.s3 import S3Links, make_s3_client
from adapters.scaling.aws import AwsScaling
from adapters.scaling.sqs import SqsLifecycleQueue
from adapters.store.redis import RedisStore
from adapters.trigger import open_trigger
from api.site import Site
from config.alarms import AlarmSettings
from config.balancers import Balancer, WebhookSettings
from config.environments import EnvironmentSettings
from config.settings import InvalidSettings, Settings
from domain.errors import AwsOff, CannotBegin, WorldError
from domain.ports import AlarmSource, Fleet, LifecycleQueue, ScalingActions, Store
from domain.scaling import ScalingHook
from domain.triggers import TriggerSource
from tasks.admitting import create_deployment
from tasks.measuring import count_call, gather
from tasks.runtime import World
from tasks.steering import go_on, stop
from workers.dispatch import CeleryDispatcher
from workers.publishers import make_publishers
from workers.sources import RevisionSources
from workflows import alarms, names
from workflows.admission import instance_arn
from workflows.ids import deployment_id_of

logger = logging.getLogger(__name__)

MOST_BALANCERS = 1000
"""Of AWS, that a process remembers it could not reach."""
_LETTERS = string.ascii_letters + string.digits


def make_trigger_source(settings: Settings) -> TriggerSource:
    """Where requests for deployments come from."""
    return open_trigger(settings.broker_url, queue=names.TRIGGER_QUEUE, dead_queue=names.TRIGGER_DEAD_QUEUE)


def make_store(settings: Settings) -> RedisStore:
    """The store."""
    return RedisStore(settings.store_url, prefix=settings.prefix, log_limit=settings.store_log_limit_bytes)


def make_sources(settings: Settings) -> RevisionSources:
    """Links to revisions."""
    mine = settings.s3
    secret = mine.secret_access_key

    def client() -> object:
        return make_s3_client(
            endpoint_url=mine.endpoint_url,
            region=mine.region,
            access_key_id=mine.access_key_id,
            secret_access_key=secret.get_secret_value() if secret else None,
            addressing=mine.addressing,
        )

    return RevisionSources(
        settings.bundles.base_url,
        key=settings.bundles.key.get_secret_value().encode(),
        link_seconds=settings.bundles.link_seconds,
        s3=S3Links(client, link_seconds=mine.link_seconds),
    )


def make_counters(settings: Settings) -> RedisCounters:
    """The numbers that all processes of the installation add to."""
    return RedisCounters(settings.store_url, prefix=settings.prefix)


def make_aws(settings: Settings, patience: Patience = PATIENT) -> Aws:
    """AWS as the settings name it; nothing is asked or loaded until it is used."""
    aws = settings.aws
    return Aws(
        AwsAccess(
            region=aws.region or settings.region,
            endpoint_url=aws.endpoint_url,
            access_key_id=aws.access_key_id.get_secret_value(),
            secret_access_key=aws.secret_access_key.get_secret_value(),
            session_token=aws.session_token.get_secret_value(),
        ),
        patience,
    )


def make_fleet(settings: Settings, store: Store) -> Fleet:
    """Where targets come from: registered instances and, with AWS on, EC2."""
    registered = RegisteredFleet(store.instances, environments=settings.environments)
    if not settings.aws.enabled:
        return registered
    return UnitedFleet(registered, Ec2Fleet(make_aws(settings), environments=settings.environments))


def make_scaling(settings: Settings) -> ScalingActions:
    """Auto Scaling; asks nothing until it is used. Raises AwsOff."""
    if not settings.aws.enabled:
        raise AwsOff
    aws = settings.aws
    return AwsScaling(make_aws(settings), queue_arn=aws.lifecycle_queue_arn, role_arn=aws.lifecycle_role_arn)


def make_lifecycle_queue(settings: Settings) -> LifecycleQueue:
    """Where Auto Scaling tells of instances that it holds; raises InvalidSettings if nothing says where that is."""
    if not settings.aws.lifecycle_queue_url:
        raise InvalidSettings("no queue of lifecycle notices is set: set SLIPWAY_AWS__LIFECYCLE_QUEUE_URL")
    return SqsLifecycleQueue(make_aws(settings), url=settings.aws.lifecycle_queue_url)


def _delete_hook(scaling: Callable[[], ScalingActions]) -> Callable[[ScalingHook], bool]:
    def delete(hook: ScalingHook) -> bool:
        try:
            scaling().delete_hook(hook)
        except (WorldError, CannotBegin) as error:
            logger.warning("the hook %s stays on %s: %s", hook.name, hook.auto_scaling_group, error.message)
            return False
        return True

    return delete


def make_load_balancers(settings: Settings) -> ChosenLoadBalancers:
    """The balancers of the settings by name and, with AWS on, AWS's for all other names."""
    local = {name: make_load_balancer(name, mine) for name, mine in settings.load_balancers.items()}
    if not settings.aws.enabled:
        return ChosenLoadBalancers(local)
    aws, known = make_aws(settings), KnownArns()
    keep = lru_cache(MOST_BALANCERS)
    return ChosenLoadBalancers(
        local,
        classic=keep(lambda name: PatientBalancer(ClassicBalancer(aws, name))),
        target_group=keep(lambda name: PatientBalancer(TargetGroupBalancer(aws, name, known))),
    )


def make_load_balancer(name: str, mine: Balancer) -> Checked:
    """One balancer of the settings; nothing is asked until it is used."""
    told = {field: value for field, value in mine if field != "kind"}
    if isinstance(mine, WebhookSettings):
        ca_file = mine.ca_file and str(mine.ca_file)
        told |= {"name": name, "secret": mine.secret.get_secret_value(), "ca_file": ca_file}
    return PatientBalancer(LOAD_BALANCERS[mine.kind](**told))


def make_alarms(settings: Settings) -> ChosenAlarms:
    """The alarms of the settings by name and, with AWS on, CloudWatch's for all other names."""
    local = {name: make_alarm(mine) for name, mine in settings.alarms.items()}
    cloudwatch = CloudWatchAlarms(make_aws(settings, IMPATIENT)) if settings.aws.enabled else None
    return ChosenAlarms(local, cloudwatch=cloudwatch)


def make_alarm(mine: AlarmSettings) -> AlarmSource:
    """One alarm of the settings; nothing is asked until it is read."""
    told = {field: value for field, value in mine if field != "kind"}
    told |= {"password": mine.password.get_secret_value(), "token": mine.token.get_secret_value()}
    told |= {"ca_file": mine.ca_file and str(mine.ca_file)}
    return ALARMS[mine.kind](**told)


def _missing_auto_scaling_groups(settings: Settings) -> Callable[[Sequence[str]], Sequence[str]]:
    if not settings.aws.enabled:
        return lambda _names: ()
    aws = make_aws(settings)

    def missing(names: Sequence[str]) -> Sequence[str]:
        try:
            return missing_of(aws, [name for name in names if name not in settings.environments])
        except (WorldError, CannotBegin) as error:
            # The deployment that needs them will say so; until then AWS may answer again.
            logger.warning("Auto Scaling groups are taken as they are named: %s", error)
            return ()

    return missing


def make_environments(settings: Settings, store: Store) -> NamedEnvironments:
    """Who makes and retires the hosts of blue/green deployments; one for the whole process."""
    aws = make_aws(settings)
    registry = Registry(
        store.instances,
        arn_of=lambda name: instance_arn(settings.region, settings.account_id, name, _suffix()),
        queue_of=names.host_queue,
        now=time.time,
    )
    errands = Errands(store.claim, lease_seconds=settings.limits.takeover_seconds)
    return NamedEnvironments(
        {
            name: CommandEnvironment(_programs(each), store.environments, registry, errands)
            for name, each in settings.environments.items()
        },
        single=SingleInstances(aws),
        scaling=AutoScalingEnvironment(aws, store.environments) if settings.aws.enabled else None,
    )


def _programs(settings: EnvironmentSettings) -> Programs:
    environment = {name: value.get_secret_value() for name, value in settings.environment.items()}
    return Programs(
        provision=Program(settings.provision, settings.seconds, environment),
        retire=Program(settings.retire, settings.seconds, environment),
        first_count=settings.first_count,
    )


def _suffix() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(10))


def make_site(settings: Settings, world: World) -> Site:
    """This installation as its API and the commands see it."""
    counters = make_counters(settings)
    delete_hook = _delete_hook(world.scaling)
    return Site(
        store=world.store,
        create_deployment=lambda request: create_deployment(world, request),
        stop_deployment=lambda deployment_id, rollback: stop(world, deployment_id, rollback=rollback),
        continue_deployment=lambda deployment_id, wait: go_on(world, deployment_id, wait),
        missing_auto_scaling_groups=_missing_auto_scaling_groups(settings),
        now=world.now,
        new_uuid=lambda: str(uuid.uuid4()),
        new_suffix=_suffix,
        token_key=hmac.digest(settings.api.key.get_secret_value().encode(), b"paging tokens", "sha256"),
        region=settings.region,
        account_id=settings.account_id,
        quotas=settings.quotas,
        github_tokens=sorted(settings.github.tokens),
        observe=lambda operation, code, seconds: count_call(world.meter, operation, code, seconds),
        metrics=lambda: render(gather(world, counters)),
        put_hook=(lambda hook: world.scaling().put_hook(hook)) if settings.aws.hooks else None,
        delete_hook=delete_hook,
        environments=world.fleet.environments,
    )


def make_world(settings: Settings, app: Celery) -> World:
    """The world of a control process or of a command."""
    store = make_store(settings)
    return World(
        store=store,
        fleet=make_fleet(settings, store),
        sources=make_sources(settings),
        balancers=make_load_balancers(settings),
        environments=make_environments(settings, store),
        alarms=make_alarms(settings),
        dispatch=CeleryDispatcher(
            app,
            pickup_seconds=settings.limits.pickup_seconds,
            vanished_seconds=settings.limits.vanished_seconds,
            alarms_expire=alarms.good_for(settings.limits),
        ),
        publishers=make_publishers(settings, make_aws(settings)),
        limits=settings.limits,
        now=time.time,
        token=lambda: uuid.uuid4().hex,
        quotas=settings.quotas,
        meter=Tally(make_counters(settings)),
        new_id=lambda: deployment_id_of(secrets.token_bytes(16)),
        scaling=cache(lambda: make_scaling(settings)),
    )
