"""Runs a revision's lifecycle on this machine: the agent's own code, with no broker between."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, cast

from config.settings import AgentSettings
from domain.appspec import FileExistsBehavior
from domain.bundles import bundle_type_of
from domain.keeping import Restoring
from domain.lifecycle import Event
from domain.reports import AgentReport, BundleSource, HostOrder, HostReport
from tasks.perform import carry_out
from workers.host import make_host_world

HOST = "localhost"


def local_order(
    source: Path,
    *,
    deployment_id: str,
    group: str,
    behavior: FileExistsBehavior,
    appspec_filename: str | None,
    final_event: Event,
    restoring: Restoring | None = None,
) -> HostOrder:
    """The order for a source on this disk."""
    kind = "directory" if source.is_dir() else bundle_type_of(source.name).value
    return HostOrder(
        deployment_id=deployment_id,
        target_id=HOST,
        attempt=uuid.uuid4().hex,
        lane=0,
        step=0,
        application_name=source.resolve().name,
        deployment_group_name="LocalFleet",
        deployment_group_id=group,
        source=BundleSource(
            location=str(source.resolve()),
            bundle_type=cast("Literal['tar', 'tgz', 'zip', 'directory']", kind),
        ),
        appspec_filename=appspec_filename,
        file_exists_behavior=behavior,
        final_event=final_event,
        restoring=restoring,
    )


def run_local(
    settings: AgentSettings, order: HostOrder, events: Sequence[Event], *, tell: Callable[[AgentReport], None]
) -> HostReport:
    """Carry out the events in order; the report with all their outcomes."""
    world = make_host_world(settings, host=HOST, tell=tell)
    report = HostReport(order=order)
    for event in events:
        report = carry_out(world, event, report)
    return report
