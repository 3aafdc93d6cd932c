"""The demo from blue to green, as a newcomer with HAProxy sees it: nothing is lost, and nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

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


def test_from_blue_to_green_in_one_command(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", "--blue-green", "--json"],
        env={**os.environ, "SLIPWAY_HOME": str(home)},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert len(told["deployments"]) == 2
    assert told["requests"]["failed"] == 0
    assert set(told["requests"]["versions"]) == {"v1", "v2"}
    assert told["requests"]["hosts"].keys() >= {"green-1", "green-2", "green-3", "green-4"}
    assert not (home / "demo").exists()
    running = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert str(home) not in running
