"""The demos in place and from blue to green, as a newcomer with HAProxy sees them: nothing is lost, and nothing is left
behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.traffic.haproxy import find_haproxy
from tests.services import require
from tests.site import CHECKOUT


@pytest.fixture
def home() -> Iterator[Path]:
    require(find_haproxy(), "haproxy")
    folder = Path(tempfile.mkdtemp(prefix="slipway-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def demo(home: Path, kind: str, *, limit: float = 110) -> dict[str, Any]:
    """Run a demo to its end; what it tells, once nothing of it is left."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", kind, "--json"],
        env={**os.environ, "SLIPWAY_HOME": str(home)},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (home / "demo").exists()
    running = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert str(home) not in running
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_from_blue_to_green_in_one_command(home: Path) -> None:
    told = demo(home, "--blue-green")
    assert len(told["deployments"]) == 2
    assert told["requests"]["failed"] == 0
    assert set(told["requests"]["versions"]) == {"v1", "v2"}
    assert told["requests"]["hosts"].keys() >= {"green-1", "green-2", "green-3", "green-4"}


@pytest.mark.timeout(200)  # four deployments, half of a minute of which nobody can hurry
def test_in_place_behind_a_balancer_in_one_command(home: Path) -> None:
    told = demo(home, "--balancer", limit=190)
    assert len(told["deployments"]) == 4
    assert told["requests"]["sent"] > 0
    assert told["requests"]["ok"] == told["requests"]["sent"]
    assert told["requests"]["failed"] == 0
    assert set(told["requests"]["versions"]) == {"v1", "v2", "v3"}, "v4 is never healthy"
    assert told["requests"]["hosts"].keys() == {"web-1", "web-2", "web-3", "web-4"}
