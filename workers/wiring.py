"""The composition root: settings in, adapters and the world out. Nobody else builds a client."""

from __future__ import annotations

import hmac
import secrets
import string
import time
import uuid

from celery import Celery

from adapters.fleet.registered import RegisteredFleet
from adapters.publishers.exchange import ExchangePublisher
from adapters.revisions.s3 import S3Links, make_s3_client
from adapters.store.redis import RedisStore
from adapters.trigger import open_trigger
from api.site import Site
from config.settings import Settings
from domain.triggers import TriggerSource
from tasks.admitting import create_deployment
from tasks.rollout import stop
from tasks.runtime import World
from workers.broker import connection
from workers.dispatch import CeleryDispatcher
from workers.sources import RevisionSources
from workflows import names
from workflows.ids import deployment_id_of

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


def make_site(settings: Settings, world: World) -> Site:
    """This installation as its API and the commands see it."""
    return Site(
        store=world.store,
        create_deployment=lambda request: create_deployment(world, request),
        stop_deployment=lambda deployment_id: stop(world, deployment_id),
        missing_auto_scaling_groups=lambda _names: (),
        now=world.now,
        new_uuid=lambda: str(uuid.uuid4()),
        new_suffix=lambda: "".join(secrets.choice(_LETTERS) for _ in range(10)),
        token_key=hmac.digest(settings.api.key.get_secret_value().encode(), b"paging tokens", "sha256"),
        region=settings.region,
        account_id=settings.account_id,
        quotas=settings.quotas,
    )


def make_world(settings: Settings, app: Celery) -> World:
    """The world of a control process or of a command."""
    store = make_store(settings)
    return World(
        store=store,
        fleet=RegisteredFleet(store.instances),
        sources=make_sources(settings),
        dispatch=CeleryDispatcher(app, pickup_seconds=settings.limits.pickup_seconds),
        publishers=(ExchangePublisher(connection(settings, "control"), exchange=names.EVENTS_EXCHANGE),),
        limits=settings.limits,
        now=time.time,
        token=lambda: uuid.uuid4().hex,
        new_id=lambda: deployment_id_of(secrets.token_bytes(16)),
    )
