"""An agent's world on a disk of its own, with everything that could go wrong in the test's hands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.host.attempts import Attempts
from adapters.host.layout import Layout
from domain.reports import AgentReport, BundleSource
from tasks.host_world import HostWorld
from tests.unit.workflows.engine_values import NOW
from workers.flags import Flags

SPEC = "version: 0.0\nos: linux\nhooks:\n  BeforeInstall:\n    - location: run.sh\n"
SOURCE = BundleSource(location="http://127.0.0.1/bundle?signature=s", bundle_type="zip")


def unpack(source: BundleSource, archive: Path, **_: object) -> None:
    """Stands for fetching: an archive with one hook."""
    archive.mkdir()
    (archive / "appspec.yml").write_text(SPEC)


def a_host(folder: Path, told: list[AgentReport], **more: Any) -> HostWorld:
    """A world where everything goes well but for what is given."""
    layout = Layout(folder)
    world = HostWorld(
        host="web-1",
        root=folder / "root",
        records=layout,
        journal=Attempts(layout.attempts()),
        fetch=unpack,
        install=lambda *_, **__: "installed",
        on_disk=lambda _: "Install of v1 was carried out.",
        commit=lambda _: None,
        own=lambda _: None,
        run_scripts=lambda *_, **__: None,
        end_script=lambda _: True,
        prune=lambda *_: None,
        tell=told.append,
        stopped=Flags(),
        refused=Flags(),
        cut=Flags(),
        now=lambda: NOW,
    )
    return replace(world, **more)


def raises(error: BaseException) -> Callable[..., Any]:
    """A function that always raises."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail
