"""The bundle store's HTTP server."""

from __future__ import annotations

import time

import uvicorn

from adapters.bundles.disk import BundleDisk
from api.bundles import bundle_app
from config.settings import Settings


def run_bundles(settings: Settings) -> None:
    """Serve until told to stop."""
    mine = settings.bundles
    app = bundle_app(
        BundleDisk(mine.directory or settings.home / "bundles"),
        key=mine.key.get_secret_value().encode(),
        token=mine.token.get_secret_value(),
        now=time.time,
        limits=settings.agent.bundle_limits,
    )
    # Signed links are secrets while they last, so no access log.
    uvicorn.run(app, host=mine.host, port=mine.port or 8021, log_config=None, log_level="warning", access_log=False)
