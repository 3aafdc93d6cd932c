"""The demo from start to clean-up, and Flower beside it: what a newcomer sees in the first minute."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.site import CHECKOUT, wait_until


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="slipway-"))
    yield folder
    slipway(folder, "demo", "--clean")
    shutil.rmtree(folder, ignore_errors=True)


def slipway(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        env={**os.environ, "SLIPWAY_HOME": str(home), "COLUMNS": "110"},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture(scope="module")
def shown(home: Path) -> str:
    done = slipway(home, "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_three_versions_are_deployed_and_the_third_stops_where_it_fails(shown: str) -> None:
    assert len(re.findall(r"^d-\w{9} succeeded$", shown, re.MULTILINE)) == 2
    assert shown.count("HEALTH_CONSTRAINTS: ") == 1
    assert re.search(r"^d-\w{9} failed *$", shown, re.MULTILINE)
    assert "the page does not load on this host" in shown
    serving = re.findall(r"web-(\d): <h1>Hello from version (\d)</h1>", shown)
    assert serving == [("1", "3"), ("2", "3"), ("3", "3"), ("4", "2")]


def test_flower_shows_agents_as_workers_and_events_as_tasks(shown: str) -> None:
    address = re.search(r"(http://127\.0\.0\.1:\d+)/tasks", shown)
    assert address is not None

    def tasks() -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{address[1]}/api/tasks?limit=1000", timeout=10) as page:
            return list(json.loads(page.read()).values())

    wait_until(lambda: any(task["name"] == "ValidateService" for task in tasks()), "a task in Flower")
    seen = [task for task in tasks() if task["name"] == "ValidateService"]
    assert {task["worker"] for task in seen} <= {f"agent@web-{number}" for number in range(1, 5)}
    assert all(re.fullmatch(r"d-\w{9} webapp/production web-\d", task["args"]) for task in seen)
    assert all(re.fullmatch(r"ValidateService (Succeeded|Failed) on web-\d", task["result"]) for task in seen)
    everything = json.dumps(tasks())
    for secret in ("signature", "bundles/", "token", "redis://", "unix://"):
        assert secret not in everything
    with urllib.request.urlopen(f"{address[1]}/workers", timeout=10) as page:
        assert "agent@web-1" in page.read().decode()


def test_the_installation_can_be_looked_at_with_the_commands_it_names(shown: str, home: Path) -> None:
    listed = json.loads(slipway(home / "demo", "list", "--json").stdout)
    assert [each["status"] for each in listed] == ["Failed", "Succeeded", "Succeeded"]
    checked = slipway(home / "demo", "doctor")
    assert checked.returncode == 0, checked.stdout


def test_cleaning_up_leaves_nothing(shown: str, home: Path) -> None:
    cleaned = slipway(home, "demo", "--clean")
    assert cleaned.returncode == 0
    assert not (home / "demo").exists()
    running = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert str(home) not in running
    address = re.search(r"(http://127\.0\.0\.1:\d+)/tasks", shown)
    assert address is not None
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address[1], timeout=2)
