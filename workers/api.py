"""The API's HTTP server: the operations bound to this installation, behind signatures, policies and an audit."""

from __future__ import annotations

import gc
import logging
import time
import uuid
from functools import partial

import uvicorn
from starlette.applications import Starlette

from api.operations import OPERATIONS
from api.server import CallRecord, Given, api_app
from api.site import Site
from api.wire.values import Limits
from config.settings import InvalidSettings, Settings
from domain.access import AccessKey
from domain.work import working_on
from workers.access import Gate, OpenGate, audit, start_audit
from workers.app import make_app
from workers.wiring import make_site, make_world

logger = logging.getLogger(__name__)

PORT = 8020


def run_api(settings: Settings) -> None:
    """Serve until told to stop. Raises InvalidSettings without a key to work out secrets from."""
    mine = settings.api
    app = make_api(settings)
    start_audit(mine.audit_file)
    # What is loaded stays: a collector that looks through it again and again holds up calls for tens of milliseconds.
    gc.collect()
    gc.freeze()
    uvicorn.run(app, host=mine.host, port=mine.port or PORT, log_config=None, log_level="warning", access_log=False)


def make_api(settings: Settings) -> Starlette:
    """The API of this installation."""
    mine = settings.api
    if not mine.key.get_secret_value():
        raise InvalidSettings(
            "SLIPWAY_API__KEY: the API needs a key that the secrets of access keys are worked out from; "
            "`openssl rand -hex 32` makes one"
        )
    site = make_site(settings, make_world(settings, make_app(settings, "client")))
    gate = _gate(settings, site)
    return api_app(
        {name: partial(_carry_out, site, name) for name in OPERATIONS},
        authenticate=gate.authenticate,
        authorize=gate.authorize,
        audit=partial(_record, site),
        ready=site.store.ping,
        metrics=site.metrics,
        now=time.time,
        request_id=lambda: str(uuid.uuid4()),
        limits=Limits(body_bytes=mine.max_body_bytes),
    )


def _carry_out(site: Site, name: str, _caller: AccessKey, given: Given) -> Given | None:
    with working_on(operation=name, application=given.get("applicationName"), deployment_id=given.get("deploymentId")):
        return OPERATIONS[name](site, given)


def _record(site: Site, record: CallRecord[AccessKey]) -> None:
    audit(record)
    # A name that nobody serves is a stranger's text, and no label of a metric.
    site.observe(record.operation or "", "" if record.code == "OK" else record.code, record.seconds)


def _gate(settings: Settings, site: Site) -> Gate | OpenGate:
    if settings.api.authenticate:
        return Gate(site.store, installation_key=settings.api.key.get_secret_value().encode(), now=site.now)
    logger.warning(
        "THE API TAKES EVERY CALL, SIGNED OR NOT, at %s:%d: SLIPWAY_API__AUTHENTICATE is false. "
        "Whoever reaches it can deploy to every host.",
        settings.api.host,
        settings.api.port or PORT,
    )
    return OpenGate()
