"""`slipway local`: a revision's lifecycle on this machine, with no server and no broker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.site import CHECKOUT, write_revision

TRACE = 'echo "$LIFECYCLE_EVENT $DEPLOYMENT_GROUP_NAME" >>"$SLIPWAY_ROOT/trace"'
EVENTS = (
    *("BeforeBlockTraffic", "ApplicationStop", "BeforeInstall"),
    *("AfterInstall", "ApplicationStart", "ValidateService"),
)


class Machine:
    """A root and a state folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._state = folder / "state"

    def local(self, source: Path, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(sys.executable, "-m", "cli.main", "local", str(source)),
                *("--root", str(self.root), "--state", str(self._state), *options),
            ],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def outcomes(self, source: Path, *options: str) -> Mapping[str, Any]:
        done = self.local(source, "--json", *options)
        return {outcome["event"]: outcome for outcome in json.loads(done.stdout)["events"]}

    @property
    def trace(self) -> list[str]:
        path = self.root / "trace"
        return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_first_run_has_no_earlier_scripts_and_the_second_does(machine: Machine, tmp_path: Path) -> None:
    first = write_revision(tmp_path / "v1", dict.fromkeys(EVENTS, TRACE), {"old.txt": "1", "both.txt": "1"})
    assert machine.local(first).returncode == 0
    assert machine.trace == ["BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService"]
    second = write_revision(tmp_path / "v2", {}, {"new.txt": "2", "both.txt": "2"})
    done = machine.local(second)
    assert done.returncode == 0
    assert machine.trace[4:] == ["BeforeBlockTraffic", "ApplicationStop"]
    there = sorted(path.name for path in (machine.root / "app").iterdir())
    assert there == ["both.txt", "new.txt"]
    assert (machine.root / "app" / "both.txt").read_text() == "2"


def test_a_failing_script_ends_it_with_its_output(machine: Machine, tmp_path: Path) -> None:
    script = "echo nothing listens >&2; exit 7"
    revision = write_revision(tmp_path / "bad", {"ApplicationStart": script, "ValidateService": TRACE})
    done = machine.local(revision)
    assert done.returncode == 1
    assert "exit code 7" in done.stdout
    assert "nothing listens" in done.stdout
    assert machine.trace == []
    outcomes = machine.outcomes(revision, "--file-exists-behavior", "OVERWRITE")
    assert outcomes["ApplicationStart"]["status"] == "Failed"
    assert outcomes["ApplicationStart"]["diagnostics"]["errorCode"] == "ScriptFailed"
    assert outcomes["ValidateService"]["status"] == "Skipped"


def test_a_foreign_file_is_not_overwritten_unless_asked(machine: Machine, tmp_path: Path) -> None:
    (machine.root / "app").mkdir(parents=True)
    (machine.root / "app" / "version.txt").write_text("mine")
    revision = write_revision(tmp_path / "v1", {})
    refused = machine.local(revision)
    assert refused.returncode == 1
    assert "version.txt" in refused.stdout
    assert (machine.root / "app" / "version.txt").read_text() == "mine"
    assert machine.local(revision, "--file-exists-behavior", "RETAIN").returncode == 0
    assert (machine.root / "app" / "version.txt").read_text() == "mine"
    assert machine.local(revision, "--file-exists-behavior", "OVERWRITE").returncode == 0
    assert (machine.root / "app" / "version.txt").read_text() == "v1"


def test_only_the_events_asked_for_run(machine: Machine, tmp_path: Path) -> None:
    revision = write_revision(tmp_path / "v1", dict.fromkeys(EVENTS, TRACE))
    outcomes = machine.outcomes(revision, "--events", "BeforeInstall,ValidateService")
    assert list(outcomes) == ["DownloadBundle", "BeforeInstall", "Install", "ValidateService"]
    assert machine.trace == ["BeforeInstall", "ValidateService"]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ("NoSuchEvent", "not an event that hosts run"),
        ("BlockTraffic", "not an event that hosts run"),
        ("AfterInstall,DownloadBundle", "needs the bundle"),
        ("Install,DownloadBundle", "needs the bundle"),
        ("DownloadBundle,ValidateService,Install", "must come after Install"),
        ("ValidateService,ValidateService", "named twice"),
        (" , ", "no events given"),
    ],
)
def test_an_order_that_cannot_work_is_refused(machine: Machine, tmp_path: Path, events: str, words: str) -> None:
    done = machine.local(write_revision(tmp_path / "v1", {}), "--events", events)
    assert done.returncode == 2
    assert words in done.stderr


def test_what_others_had_is_kept_and_given_back(machine: Machine, tmp_path: Path) -> None:
    ours = write_revision(tmp_path / "v1", {}, {"theirs.txt": "ours"})
    theirs = machine.root / "app" / "theirs.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("a user's")
    kept = machine.local(ours, "--file-exists-behavior", "OVERWRITE", "--restore-overwritten")
    assert "1 of others kept, 0 given back" in kept.stdout
    assert theirs.read_text() == "ours"
    back = machine.local(write_revision(tmp_path / "v0", {}, {"own.txt": "0"}), "--rollback")
    assert "0 of others kept, 1 given back" in back.stdout
    assert theirs.read_text() == "a user's"


def test_two_groups_do_not_see_each_other(machine: Machine, tmp_path: Path) -> None:
    first = write_revision(tmp_path / "v1", {"ApplicationStop": TRACE})
    assert machine.local(first, "--group", "blue").returncode == 0
    other = write_revision(tmp_path / "other", {}, {"other.txt": "x"})
    assert machine.local(other, "--group", "green").returncode == 0
    assert machine.trace == []
    assert (machine.root / "app" / "version.txt").exists()
