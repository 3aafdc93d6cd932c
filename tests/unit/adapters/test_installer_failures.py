"""Install is broken off at every call that changes the disk: the old tree comes back, or the new one gets done."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.appspec import ObjectType, Permission
from domain.errors import InstallError
from domain.install import Place
from tests.unit.adapters.installing_site import Interference, Killed, Site, lay, seen

OLD: dict[str, str | None] = {
    "bin/run": "old program, long enough to be cut in two",
    "bin/same": "same in both",
    "conf/only-old.ini": "old",
    "conf/name with newline\n": "old",
    "current": "-> bin",
    "kind": "was a file",
    "was-directory/inner": "old",
    "empty": None,
}
NEW: dict[str, str | None] = {
    "bin/run": "new program, long enough to be cut in two as well",
    "bin/same": "same in both",
    "bin/added": "new",
    "current": "-> lib",
    "lib/b\udc80": "new",
    "kind/now-a-directory": "new",
    "was-directory": "is a file",
    "taken": "overwrites what a user made",
    "dangling": "replaces a link",
}
FOREIGN: dict[str, str | None] = {
    "srv/app/taken": "a user's",
    "srv/app/dangling": "-> nowhere",
    "srv/app/bin/users": "a user's",
    "srv/other": "",
}


def prepared(folder: Path) -> tuple[Site, Path]:
    """A host with the old revision and some files of others, and the new bundle."""
    site = Site(folder)
    site.install(site.bundle("one", OLD))
    site.commit()
    lay(site.root, FOREIGN)
    site.with_permissions(
        Permission(object="/srv/app/bin", types=frozenset({ObjectType.FILE}), mode=0o750),
        Permission(object="/srv", pattern="app", types=frozenset({ObjectType.DIRECTORY}), mode=0o711),
    )
    return site, site.bundle("two", NEW)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int]:
    """What the host looks like after an undisturbed Install, and how many calls that takes."""
    site, bundle = prepared(tmp_path_factory.mktemp("calm") / "site")
    with Interference().at_work() as interference:
        site.install(bundle, "OVERWRITE")
    return dict(site.seen()), interference.calls


def disturbed(folder: Path, at: int, error: BaseException) -> tuple[Site, Path, dict[str, Any], BaseException | None]:
    """A prepared site, its bundle, what it looked like, and how an Install ended that was disturbed at a call."""
    site, bundle = prepared(folder)
    before = dict(site.seen())
    with Interference(at, error).at_work():
        try:
            site.install(bundle, "OVERWRITE")
        except (InstallError, Killed) as ended:
            return site, bundle, before, ended
    return site, bundle, before, None


def folders(tmp_path: Path) -> Iterator[Path]:
    return (tmp_path / str(number) for number in itertools.count())


def test_the_scenario_is_long_enough(done: tuple[dict[str, Any], int]) -> None:
    assert 50 < done[1] < 400


def test_any_failing_call_leaves_the_old_tree(tmp_path: Path, done: tuple[dict[str, Any], int]) -> None:
    final, calls = done
    harmless: list[int] = []
    for at, folder in zip(range(1, calls + 1), folders(tmp_path), strict=False):
        site, bundle, before, error = disturbed(folder, at, OSError(errno.ENOSPC, "No space left on device"))
        if error is None:
            harmless.append(at)
            assert site.seen() == final, at
            continue
        assert isinstance(error, InstallError)
        assert "No space left on device" in error.message, at
        assert re.search("previous revision are back|Nothing (was changed|of this revision)", error.message), at
        assert site.seen() == before, f"call {at}: {error.message}"
        if at % 7 == 0:
            site.install(bundle, "OVERWRITE")
            assert site.seen() == final, at
    assert len(harmless) < 10


def test_after_a_kill_at_any_call_undo_brings_the_old_tree(tmp_path: Path, done: tuple[dict[str, Any], int]) -> None:
    for at, folder in zip(range(1, done[1] + 1), folders(tmp_path), strict=False):
        site, _, before, _ = disturbed(folder, at, Killed())
        assert site.describe()
        assert site.undo() == (), at
        assert site.seen() == before, at
        assert site.undo() == ()


def test_after_a_kill_at_any_call_the_next_install_succeeds(tmp_path: Path, done: tuple[dict[str, Any], int]) -> None:
    final, calls = done
    for at, folder in zip(range(1, calls + 1), folders(tmp_path), strict=False):
        site, bundle, _, _ = disturbed(folder, at, Killed())
        site.install(bundle, "OVERWRITE")
        assert site.seen() == final, at


@given(first=st.integers(1, 120), second=st.integers(1, 60))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_kill_during_recovery_does_no_harm(
    tmp_path_factory: pytest.TempPathFactory, done: tuple[dict[str, Any], int], first: int, second: int
) -> None:
    site, bundle, before, _ = disturbed(tmp_path_factory.mktemp("twice") / "site", min(first, done[1]), Killed())
    with Interference(second, Killed()).at_work(), contextlib.suppress(Killed):
        site.undo()
    site.undo()
    assert site.seen() == before
    site.install(bundle, "OVERWRITE")
    assert site.seen() == done[0]


def test_undo_after_a_finished_install(tmp_path: Path, done: tuple[dict[str, Any], int]) -> None:
    site, bundle = prepared(tmp_path / "site")
    before = site.seen()
    site.install(bundle, "OVERWRITE")
    assert site.seen() == done[0]
    assert "can still be undone" in site.describe()
    assert site.undo() == ()
    assert site.seen() == before
    assert "was undone" in site.describe()
    site.install(bundle, "OVERWRITE")
    assert site.seen() == done[0]


def test_a_half_written_journal_line_is_dropped(tmp_path: Path, done: tuple[dict[str, Any], int]) -> None:
    site, _, before, _ = disturbed(tmp_path / "site", done[1] * 3 // 4, Killed())
    with (site.state / "install-journal").open("a") as journal:
        journal.write('{"unt')
    assert "was cut off" in site.describe()
    site.undo()
    assert site.seen() == before
    assert "was undone" in site.describe()


def test_the_description_of_a_crash_names_what_is_done_and_what_not(
    tmp_path: Path, done: tuple[dict[str, Any], int]
) -> None:
    site, _, _, _ = disturbed(tmp_path / "site", done[1] // 2, Killed())
    text = site.describe()
    steps = json.loads((site.state / "install.json").read_text())["instructions"]
    assert f"of {len(steps)} steps are done" in text
    assert "Done (" in text
    assert "Not done (" in text
    for line in text.splitlines()[1:]:
        for step in line.partition(": ")[2].split("; "):
            verb, _, rest = step.partition(" ")
            path = site.root / rest.split(" to ")[0].lstrip("/")
            if verb == "copy" and line.startswith("Done"):
                assert path.is_file()
            if verb == "remove" and line.startswith("Not done"):
                assert os.path.lexists(path)


def test_what_cannot_be_put_back_is_named_and_kept(tmp_path: Path) -> None:
    site, bundle = prepared(tmp_path / "site")
    site.install(bundle, "OVERWRITE")
    (site.root / "srv/app/bin/run").unlink()
    (site.root / "srv/app/bin/run").mkdir()
    (site.root / "srv/app/lib/log").write_text("written by the application")
    left = site.undo()
    assert [line.partition(":")[0] for line in left] == ["/srv/app/bin/run", "/srv/app/lib"]
    rescued = [path.read_text() for path in site.state.glob("rescued-*/*")]
    assert rescued == [OLD["bin/run"]]
    assert "/srv/app/lib" in site.describe()
    assert site.undo() == left


def test_commit_drops_what_was_kept(tmp_path: Path) -> None:
    site, bundle = prepared(tmp_path / "site")
    site.install(bundle, "OVERWRITE")
    after = site.seen()
    site.commit()
    assert not (site.state / "aside").exists()
    assert "deployment is over" in site.describe()
    assert site.undo() == ()
    assert site.seen() == after


def test_commit_refuses_what_was_cut_off(tmp_path: Path, done: tuple[dict[str, Any], int]) -> None:
    site, _, before, _ = disturbed(tmp_path / "site", done[1] // 2, Killed())
    with pytest.raises(InstallError, match="cut off half-way"):
        site.commit()
    site.undo()
    assert site.seen() == before


def test_a_file_others_made_meanwhile_is_not_taken_for_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, bundle = prepared(tmp_path / "site")
    taken, real = site.root / "srv/app/bin/added", os.open

    def opening(path: str, flags: int, *given: int) -> int:
        if str(path) == str(taken) and flags & os.O_EXCL:
            taken.write_text("a user's")
        return real(path, flags, *given)

    monkeypatch.setattr(os, "open", opening)
    with pytest.raises(InstallError, match=r"File exists: .*bin/added"):
        site.install(bundle, "OVERWRITE")
    assert taken.read_text() == "a user's"


def test_a_refused_plan_leaves_nothing_to_undo(tmp_path: Path) -> None:
    site, bundle = prepared(tmp_path / "site")
    before = site.seen()
    with pytest.raises(InstallError, match="exist already"):
        site.install(bundle)
    assert site.undo() == ()
    assert site.seen() == before


def test_only_one_install_at_a_time(tmp_path: Path) -> None:
    site, bundle = prepared(tmp_path / "site")
    with site.disk.claimed(Place(site.state, site.root)), pytest.raises(InstallError, match="Another installation"):
        site.install(bundle, "OVERWRITE")


@pytest.mark.parametrize("name", ["cleanup", "install-journal"])
def test_a_damaged_record_is_told(tmp_path: Path, name: str) -> None:
    site, bundle = prepared(tmp_path / "site")
    (site.state / name).write_text("{\n[\n")
    with pytest.raises(InstallError, match=f"{name} cannot be read"):
        site.install(bundle, "OVERWRITE")


REALLY = """
import os, signal, sys
from pathlib import Path
from typing import Any
sys.path[:0] = [{top!r}]
from tests.unit.adapters.installing_site import Site, Interference
site = Site.__new__(Site)
from tests.unit.adapters.test_installer_failures import resumed
site, bundle = resumed(Path({folder!r}))
wall = Interference()
def meets():
    wall.calls += 1
    if wall.calls == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
wall.meets = meets
with wall.at_work():
    site.install(bundle, "OVERWRITE")
"""


def resumed(folder: Path) -> tuple[Site, Path]:
    """The prepared site of another process."""
    site = Site.__new__(Site)
    fresh = Site(folder / "unused")
    site.__dict__ = {**fresh.__dict__, "folder": folder, "root": folder / "root", "state": folder / "state"}
    site.with_permissions(
        Permission(object="/srv/app/bin", types=frozenset({ObjectType.FILE}), mode=0o750),
        Permission(object="/srv", pattern="app", types=frozenset({ObjectType.DIRECTORY}), mode=0o711),
    )
    return site, folder / "two"


@pytest.mark.parametrize("share", [0.35, 0.6, 0.9])
def test_a_real_kill_is_healed(tmp_path: Path, done: tuple[dict[str, Any], int], share: float) -> None:
    site, bundle = prepared(tmp_path / "site")
    top = Path(__file__).parents[3]
    script = REALLY.format(top=str(top), folder=str(site.folder), at=int(done[1] * share))
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert "was cut off" in site.describe()
    site.install(bundle, "OVERWRITE")
    assert seen(site.root) == done[0]
