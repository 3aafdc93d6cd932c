"""Composes a host's world: how this machine fetches, installs and runs scripts, for the agent and `slipway local`."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from adapters.host.attempts import Attempts
from adapters.host.layout import Layout
from adapters.host.retention import prune
from adapters.host.running import end_leftover
from adapters.host.script_log import ScriptLog
from adapters.host.scripts import ScriptLimits, run_scripts
from adapters.host.unpack import copy_directory, unpack
from config.settings import AgentSettings
from domain import reasons
from domain.appspec import AppSpec, FileExistsBehavior, Script
from domain.bundles import BundleLimits, BundleType
from domain.errors import BundleError
from domain.hooks import Trace
from domain.keeping import Keeping, Restoring
from domain.lifecycle import Event
from domain.reports import AgentReport, BundleSource, Diagnostics, HostOrder
from tasks.host_world import HostWorld, NobodyListens, Touch
from workers.flags import Flags
from workers.installing import commit, describe_state, install, own
from workflows.hooks import hook_environment


def make_host_world(
    settings: AgentSettings,
    *,
    host: str,
    tell: Callable[[AgentReport], None],
    base: Mapping[str, str] | None = None,
    touch: Touch | None = None,
) -> HostWorld:
    """The world of an agent with these settings; `base` is the environment its hooks inherit."""
    layout = Layout(settings.state)
    return HostWorld(
        host=host,
        root=settings.root,
        records=layout,
        journal=Attempts(layout.attempts()),
        fetch=Fetcher(settings),
        install=Installer(settings),
        on_disk=lambda records: describe_state(records, settings.root),
        commit=commit,
        own=lambda records: own(records, settings.root),
        run_scripts=ScriptRunner(settings, dict(os.environ if base is None else base)),
        end_script=lambda trace: end_leftover(trace, grace=settings.script_grace_seconds),
        prune=lambda group, spare: _prune(group, settings.max_revisions, spare),
        tell=tell,
        stopped=Flags(),
        refused=Flags(),
        cut=Flags(),
        now=time.time,
        touch=touch or NobodyListens(),
    )


def _prune(group: Path, keep: int, spare: Sequence[str]) -> None:
    prune(group, keep=keep, spare=spare)


class Fetcher:
    """Fetches a bundle and unpacks it."""

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings

    def __call__(self, source: BundleSource, archive: Path, *, seconds: int, stop: threading.Event) -> None:
        """Put the unpacked bundle at `archive`; raises BundleError, also where it takes longer or `stop` is set."""
        kind, limits = BundleType(source.bundle_type), self._settings.bundle_limits
        if source.location.startswith(("http://", "https://")):
            # The HTTP client takes long to load, and an agent that waits for work needs none.
            from adapters.revisions.http import fetch_http

            bundle = archive.parent / "bundle"
            fetch_http(
                source.location,
                bundle,
                sha256=source.sha256,
                e_tag=source.e_tag,
                limits=limits,
                wait=stop.wait,
                over=_over(seconds, stop),
            )
            unpack(bundle, kind, archive, limits, subfolder=source.subfolder)
            bundle.unlink()
        else:
            self._local(Path(source.location), kind, archive, limits)

    def _local(self, path: Path, kind: BundleType, archive: Path, limits: BundleLimits) -> None:
        if not self._settings.local_revisions:
            raise BundleError(
                f"revisions from a local path ({path}) are off on this host; set SLIPWAY_AGENT__LOCAL_REVISIONS=true"
            )
        if kind is BundleType.DIRECTORY:
            copy_directory(path, archive, limits)
        else:
            from adapters.revisions.local import fetch_local

            unpack(fetch_local(path, archive.parent / "bundle"), kind, archive, limits)


def _over(seconds: int, stop: threading.Event) -> Callable[[], str]:
    """Says why a download must end, or nothing."""
    until = time.monotonic() + seconds

    def why() -> str:
        if stop.is_set():
            return reasons.DOWNLOAD_STOPPED
        return reasons.DOWNLOAD_TOO_LONG.format(seconds=seconds) if time.monotonic() >= until else ""

    return why


class Installer:
    """Installs an unpacked revision."""

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        self._one_at_a_time = threading.Lock()
        """Groups may install to the same folders: what one of them finds there must not change under its hands."""

    def __call__(
        self,
        archive: Path,
        spec: AppSpec,
        records: Path,
        *,
        behavior: FileExistsBehavior,
        restoring: Restoring | None,
    ) -> str:
        """Install by the AppSpec; a line that says what was done; raises InstallError."""
        settings = self._settings
        with self._one_at_a_time:
            summary = install(
                archive,
                spec,
                state=records,
                root=settings.root,
                behavior=behavior,
                allow_outside_sources=settings.allow_outside_sources,
                keeping=self._keeping(restoring),
            )
        return str(summary)

    def _keeping(self, restoring: Restoring | None) -> Keeping | None:
        settings = self._settings
        return Keeping(restoring, settings.overwritten_limit_bytes, settings.max_revisions) if restoring else None


class ScriptRunner:
    """Runs an event's scripts with the environment and limits of this host."""

    def __init__(self, settings: AgentSettings, base: Mapping[str, str]) -> None:
        self._settings = settings
        self._base = base

    def __call__(
        self,
        scripts: Sequence[Script],
        *,
        event: Event,
        order: HostOrder,
        archive: Path,
        log: Path,
        on_line: Callable[[str], None],
        stop: threading.Event,
        note: Callable[[Trace], None],
    ) -> Diagnostics | None:
        """None on success, else what went wrong."""
        settings = self._settings
        return run_scripts(
            scripts,
            event=event,
            archive=archive,
            environment=hook_environment(order, event, root=str(settings.root), base=self._base),
            log=ScriptLog(log, limit=settings.log_limit_bytes),
            on_line=on_line,
            limits=ScriptLimits(grace=settings.script_grace_seconds, event=order.event_limit),
            stop=stop,
            working_directory=settings.root,
            note=note,
        )
