"""The bundle store's HTTP server."""

from __future__ import annotations

import time

import uvicorn

from adapters.bundles.disk import BundleDisk
from api.bundles import bundle_app
from config.settings import Settings
from workers.pulling import make_commits


def run_bundles(settings: Settings) -> None:
    """Serve until told to stop."""
    mine = settings.bundles
    root = mine.directory or settings.home / "bundles"
    disk = BundleDisk(root)
    app = bundle_app(
        disk,
        key=mine.key.get_secret_value().encode(),
        token=mine.token.get_secret_value(),
        now=time.time,
        limits=settings.agent.bundle_limits,
        commits=make_commits(disk, root, settings.github),
    )
    # Signed links are secrets while they last, so no access log.
    uvicorn.run(app, host=mine.host, port=mine.port or 8021, log_config=None, log_level="warning", access_log=False)
