"""Keeping and giving back are broken off at every call that changes the disk: the old tree and the old copies come
back, or the new ones get done."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.host.ledger import Ledger
from domain.errors import InstallError
from domain.install import Kept, Kind
from domain.keeping import Keeping, Restoring
from tests.unit.adapters.installing_site import Interference, Killed, Site, lay, seen

FOREIGN: dict[str, str | None] = {
    "srv/app/taken": "a user's, long enough to be cut in two",
    "srv/app/link": "-> nowhere",
    "srv/app/conf/taken": "another user's",
    "srv/app/users": "never touched",
}
FIRST: dict[str, str | None] = {"own": "1"}
SECOND: dict[str, str | None] = {
    "own": "2",
    "taken": "ours",
    "link": "-> own",
    "conf/taken": "ours",
    "conf/new": "ours",
}


def ruled(site: Site, bundle: Path, began: int, back_to: int | None = None) -> None:
    site.install(bundle, "OVERWRITE", keeping=Keeping(Restoring(began=began, back_to=back_to), 1000, 5))


def keeping(folder: Path) -> tuple[Site, Callable[[], None]]:
    """A host that is about to get what replaces files of others; one copy is there already."""
    site = Site(folder)
    lay(site.root, {**FOREIGN, "srv/app/old": "a user's of old"})
    ruled(site, site.bundle("one", {**FIRST, "old": "ours"}), 1)
    site.commit()
    bundle = site.bundle("two", SECOND)
    return site, lambda: ruled(site, bundle, 2)


def giving_back(folder: Path) -> tuple[Site, Callable[[], None]]:
    """A host that is about to be rolled back; the directory of one file is gone, one copy stays, what a script made of
    another is rescued, and what somebody put in the place of a link stays."""
    site = Site(folder)
    lay(site.root, {**FOREIGN, "srv/app/old": "a user's of old"})
    ruled(site, site.bundle("one", {**FIRST, "old": "ours"}), 1)
    site.commit()
    ruled(site, site.bundle("two", {**SECOND, "old": "ours"}), 2)
    lay(site.root, {"srv/app/taken": "ours, filled in"})
    os.utime(site.root / "srv/app/taken", (2e9, 2e9))
    site.scripts_ran()
    site.commit()
    (site.root / "srv/app/link").unlink()
    lay(site.root, {"srv/app/link": "somebody's"})
    shutil.rmtree(site.root / "srv/app/conf")
    bundle = site.bundle("back", {**FIRST, "old": "ours"})
    return site, lambda: ruled(site, bundle, 3, back_to=2)


Prepare = Callable[[Path], tuple[Site, Callable[[], None]]]
SCENARIOS: dict[str, Prepare] = {"keeping": keeping, "giving back": giving_back}
Seen = tuple[dict[str, Any], dict[str, Any], Any]


def all_of(site: Site) -> Seen:
    """The tree, the copies and what was rescued, and what is on record of the copies."""
    kept = {folder.name: seen(folder) for folder in (site.state / "kept", *site.state.glob("rescued-*"))}
    return dict(site.seen()), kept, [_timeless(each) for each in Ledger(site.state).kept()]


def _timeless(kept: Kept) -> Kept:
    """A link of the bundle gets the time at which it is made."""
    return kept._replace(installed=None, latest=None) if kept.kind is Kind.LINK else kept


@pytest.fixture(scope="module", params=list(SCENARIOS))
def scenario(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Prepare, Seen, int]:
    """A scenario, what it ends in undisturbed, and how many calls that takes."""
    prepare = SCENARIOS[request.param]
    site, act = prepare(tmp_path_factory.mktemp("calm") / "site")
    with Interference().at_work() as interference:
        act()
    site.commit()
    return prepare, all_of(site), interference.calls


def test_the_scenarios_do_what_they_say(scenario: tuple[Prepare, Seen, int]) -> None:
    prepare, (tree, folders, kept), calls = scenario
    assert 30 < calls < 200
    given_back = prepare is giving_back
    assert (tree["srv/app/taken"][3] == FOREIGN["srv/app/taken"].encode()) is given_back  # type: ignore[union-attr]
    assert len(folders["kept"]) == len(kept) == (2 if given_back else 4)
    assert [len(folder) for name, folder in folders.items() if name != "kept"] == ([1] if given_back else [])
    if given_back:
        assert tree["srv/app/link"][3] == b"somebody's"


def disturbed(act: Callable[[], None], at: int) -> InstallError | None:
    """How an Install ended of which a call found no room."""
    with Interference(at, OSError(errno.ENOSPC, "No space left on device")).at_work():
        try:
            act()
        except InstallError as error:
            return error
    return None


def test_any_failing_call_leaves_tree_and_copies(tmp_path: Path, scenario: tuple[Prepare, Seen, int]) -> None:
    prepare, final, calls = scenario
    harmless = 0
    for at in range(1, calls + 1):
        site, act = prepare(tmp_path / str(at))
        before = all_of(site)
        ended = disturbed(act, at)
        if ended is None:
            harmless += 1
            site.commit()
            assert all_of(site) == final, at
            continue
        assert "No space left on device" in ended.message, at
        assert "but for" not in ended.message, at
        assert all_of(site) == before, at
    assert harmless < 10


def test_after_a_kill_at_any_call_undo_brings_tree_and_copies_back(
    tmp_path: Path, scenario: tuple[Prepare, Seen, int]
) -> None:
    prepare, _, calls = scenario
    for at in range(1, calls + 1):
        site, act = prepare(tmp_path / str(at))
        before = all_of(site)
        with Interference(at, Killed()).at_work(), contextlib.suppress(Killed):
            act()
        assert site.describe()
        assert site.undo() == (), at
        assert all_of(site) == before, at


def test_after_a_kill_at_any_call_the_next_install_succeeds(
    tmp_path: Path, scenario: tuple[Prepare, Seen, int]
) -> None:
    prepare, final, calls = scenario
    for at in range(1, calls + 1):
        site, act = prepare(tmp_path / str(at))
        with Interference(at, Killed()).at_work(), contextlib.suppress(Killed):
            act()
        act()
        site.commit()
        assert all_of(site) == final, at


@given(name=st.sampled_from(list(SCENARIOS)), first=st.integers(1, 120), second=st.integers(1, 60))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_kill_during_recovery_does_no_harm(
    tmp_path_factory: pytest.TempPathFactory, name: str, first: int, second: int
) -> None:
    site, act = SCENARIOS[name](tmp_path_factory.mktemp("twice") / "site")
    before = all_of(site)
    with Interference(first, Killed()).at_work(), contextlib.suppress(Killed):
        act()
    with Interference(second, Killed()).at_work(), contextlib.suppress(Killed):
        site.undo()
    site.undo()
    assert all_of(site) == before


def test_a_kill_of_undo_at_any_call_does_no_harm(tmp_path: Path, scenario: tuple[Prepare, Seen, int]) -> None:
    prepare, _, _ = scenario
    for at in itertools.count(1):
        site, act = prepare(tmp_path / str(at))
        before = all_of(site)
        act()
        with Interference(at, Killed()).at_work() as interference, contextlib.suppress(Killed):
            site.undo()
        assert site.undo() == (), at
        assert all_of(site) == before, at
        if interference.calls < at:
            break


def test_a_kill_of_the_commit_loses_no_copy_that_is_on_record(tmp_path: Path) -> None:
    for at in itertools.count(1):
        site, act = giving_back(tmp_path / str(at))
        act()
        with Interference(at, Killed()).at_work() as interference, contextlib.suppress(Killed):
            site.commit()
        site.commit()
        _, folders, kept = all_of(site)
        assert sorted(folders["kept"]) == [each.copy for each in kept], at
        assert sorted(len(folder) for folder in folders.values()) == [1, 2], at
        if interference.calls < at:
            break
